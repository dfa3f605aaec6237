"""The nodes of a YAML text, within limits: no alias, depth or tag can cost more than the file is worth.

Nothing is constructed or resolved by the library. The nodes are built from the parser's events, so that a
text which goes beyond a limit is given up where it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import yaml

from ivr.flow.problems import START, Place, Report, Rule
from ivr.flow.syntax import WHOLE, report_syntax

MAX_BYTES = 512 * 1024
"""Largest flow file."""

MAX_NODES = 50_000
"""Most nodes of a flow, with every alias counted as often as it is used (a YAML bomb is many aliases)."""

MAX_DEPTH = 24

_LOADER: Callable[[str], Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_TAG = "tag:yaml.org,2002:"
_SCALAR = _TAG + "str"
_TAGS = frozenset((None, *(_TAG + name for name in ("str", "map", "seq"))))
_BEGINS = "a flow begins with: flow: NAME"


@lru_cache(maxsize=4096)
def _kind(written: str) -> str:
    """What YAML 1.1 takes an unquoted scalar for: str, bool, null, int, float, timestamp, merge, value."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    for tag, pattern in (*resolvers.get(written[:1], ()), *resolvers.get(None, ())):
        if pattern.match(written):
            return str(tag).removeprefix(_TAG)
    return "str"


def kind_of(node: yaml.ScalarNode) -> str:
    """As `_kind`; whatever is in quotes is a str."""
    return "str" if node.style else _kind(node.value)


def place_of(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    else:
        yield from node.value


def compose(text: str, report: Report) -> yaml.MappingNode | None:
    """The root mapping of a YAML text, or None when it cannot be used (the report says why)."""
    try:
        root = _Composer().root(text)
    except _Refused as refused:
        report.add(refused.place, Rule.YAML, refused.message, refused.hint)
        return None
    except yaml.YAMLError as error:
        report_syntax(text, error, report)
        return None
    if root is None:
        report.add(START, Rule.YAML, "the file is empty", _BEGINS)
    elif not isinstance(root, yaml.MappingNode):
        report.add(place_of(root), Rule.YAML, "a flow file is a mapping", _BEGINS)
    else:
        return root
    return None


class _Refused(Exception):
    """The text goes beyond a limit."""

    def __init__(self, mark: Any, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place = Place(mark.line + 1, mark.column + 1)
        self.message = message
        self.hint = hint


class _Open:
    """A collection whose end has not come yet, and how many nodes it holds so far."""

    __slots__ = ("items", "key", "node", "pairs", "size")

    def __init__(self, node: yaml.CollectionNode) -> None:
        self.node = node
        self.items: list[Any] = node.value
        self.pairs = isinstance(node, yaml.MappingNode)
        self.key: yaml.Node | None = None
        self.size = 1


class _Composer:
    """Builds nodes from events, and counts them with every alias written out."""

    def __init__(self) -> None:
        self._anchors: dict[str, yaml.Node] = {}
        self._unused: dict[str, Any] = {}
        self._sizes: dict[int, int] = {}
        self._open: list[_Open] = []
        self._root: yaml.Node | None = None

    def root(self, text: str) -> yaml.Node | None:
        loader = _LOADER(text)
        while (event := loader.get_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._begin_collection(event, yaml.MappingNode, "map")
            elif kind is yaml.SequenceStartEvent:
                self._begin_collection(event, yaml.SequenceNode, "seq")
            elif isinstance(event, yaml.CollectionEndEvent):
                ended = self._open.pop()
                self._sizes[id(ended.node)] = ended.size
                self._add(ended.node, ended.size)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
                raise _Refused(event.start_mark, "--- begins a second document", "a file holds one flow")
        for name, mark in self._unused.items():
            raise _Refused(mark, f"& begins a YAML anchor here, and nothing refers to *{name}", WHOLE)
        return self._root

    def _scalar(self, event: Any) -> None:
        node = yaml.ScalarNode(_SCALAR, event.value, event.start_mark, event.end_mark, event.style)
        if event.tag is not None or event.anchor is not None:
            self._name(event, node)
            self._sizes[id(node)] = 1
        self._add(node, 1)

    def _begin_collection(self, event: Any, kind: type[yaml.CollectionNode], tag: str) -> None:
        node = kind(_TAG + tag, [], event.start_mark, event.end_mark)
        if event.tag is not None or event.anchor is not None:
            self._name(event, node)
        if len(self._open) >= MAX_DEPTH:
            raise _Refused(event.start_mark, f"nested more than {MAX_DEPTH} deep")
        self._open.append(_Open(node))

    def _name(self, event: Any, node: yaml.Node) -> None:
        if event.tag == "!":
            raise _Refused(event.start_mark, "! begins a YAML tag here", WHOLE)
        if event.tag not in _TAGS:
            local = event.tag.startswith("!")
            message = f"! begins a YAML tag here: {event.tag} is not allowed"
            raise _Refused(event.start_mark, message, WHOLE if local else "leave it out")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            self._unused[event.anchor] = event.start_mark

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            message = f"there is no anchor &{event.anchor}"
            raise _Refused(event.start_mark, message, f'quote it: "*{event.anchor}"')
        self._unused.pop(event.anchor, None)
        size = self._sizes.get(id(node))
        if size is None:
            raise _Refused(event.start_mark, f"the anchor &{event.anchor} contains itself")
        self._add(node, size)

    def _add(self, node: yaml.Node, size: int) -> None:
        """A node is complete: it goes into the one around it."""
        if not self._open:
            self._root = node
            return
        around = self._open[-1]
        around.size += size
        if around.size > MAX_NODES:
            message = f"more than {MAX_NODES} values when its aliases are written out"
            raise _Refused(around.node.start_mark, message)
        if not around.pairs:
            around.items.append(node)
        elif around.key is None:
            around.key = node
        else:
            around.items.append((around.key, node))
            around.key = None
