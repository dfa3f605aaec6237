"""Reading YAML nodes: every key and value with its place, and YAML 1.1's traps told apart.

The readers take scalars as the author wrote them; what does not fit is reported, and reading goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import yaml

from ivr.flow.composing import MAX_BYTES, compose, kind_of, place_of
from ivr.flow.problems import Place, Report, Rule, did_you_mean
from ivr.flow.syntax import BRACES, WHOLE, swallows

__all__ = ["MAX_BYTES", "Entry", "Fields", "Reader", "compose", "has_braces", "place_of"]

T = TypeVar("T")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_TYPOGRAPHIC = "“”„‟‘’«»"


class Entry(NamedTuple):
    """One `key: value` of a mapping."""

    key: str
    key_node: yaml.Node
    node: yaml.Node

    @property
    def key_place(self) -> Place:
        return place_of(self.key_node)

    @property
    def place(self) -> Place:
        return place_of(self.node)


class Reader:
    """Takes typed values from nodes. What does not fit is reported, and None returned."""

    def __init__(self, report: Report, text: str) -> None:
        self.report = report
        self._lines = text.splitlines()

    def problem(self, at: yaml.Node | Place, rule: Rule, message: str, hint: str = "") -> None:
        self.report.add(at if isinstance(at, Place) else place_of(at), rule, message, hint)

    # --- scalars

    def is_null(self, node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and kind_of(node) == "null"

    def text(self, node: yaml.Node, what: str) -> str | None:
        """A text. What YAML 1.1 takes for something else must be in quotes: reported, and read as meant."""
        if not isinstance(node, yaml.ScalarNode):
            self._not_scalar(node, what, "a text")
            return None
        if kind_of(node) != "str":
            self._trap(node, what)
            return str(node.value) or None
        if not node.style and node.value[0] in _TYPOGRAPHIC:
            message = f"{what} begins with a typographic quote, which is a letter for YAML"
            self.problem(node, Rule.YAML, message, 'write the plain sign: "..."')
            return str(node.value).strip(_TYPOGRAPHIC)
        return str(node.value)

    def words(self, node: yaml.Node, what: str) -> str | None:
        """A text that is said: a # in it must not have cut it off."""
        if isinstance(node, yaml.ScalarNode) and not node.style:
            end = node.end_mark
            rest = self._lines[end.line][end.column :] if end.line < len(self._lines) else ""
            if rest.lstrip().startswith("#"):
                place = Place(end.line + 1, end.column + rest.index("#") + 1)
                message = f"{what}: # begins a comment, and the text ends before it"
                self.problem(place, Rule.YAML, message, 'quote the text: "..."; a comment may follow it')
        return self.text(node, what)

    def name(self, node: yaml.Node, what: str, hint: str = "use letters, digits, - and _") -> str | None:
        """A name of letters, digits, - and _."""
        text = self.text(node, what)
        if text is not None and not NAME.fullmatch(text):
            self.problem(node, Rule.YAML, f'{what} "{text}" is not a name', hint)
            return None
        return text

    def flag(self, node: yaml.Node, what: str) -> bool | None:
        if isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("true", "false"):
            return bool(node.value == "true")
        self.problem(node, Rule.YAML, f"{what} must be true or false")
        return None

    def whole(self, node: yaml.Node, what: str, low: int, high: int) -> int | None:
        if isinstance(node, yaml.ScalarNode) and not node.style and re.fullmatch(r"\d{1,6}", node.value):
            number = int(node.value)
            if low <= number <= high:
                return number
        self.problem(node, Rule.YAML, f"{what} must be a whole number from {low} to {high}")
        return None

    def seconds(self, node: yaml.Node, what: str, low: float, high: float) -> float | None:
        """A duration such as 800ms, 5s, 4m; returned in seconds."""
        match = _DURATION.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
        if match is None:
            given = f', not "{node.value}"' if isinstance(node, yaml.ScalarNode) and node.value else ""
            self.problem(node, Rule.YAML, f"{what} must be a time{given}", "write a unit: 800ms, 5s, 4m")
            return None
        seconds = float(match[1]) * _SECONDS[match[2]]
        if not low <= seconds <= high:
            self.problem(node, Rule.YAML, f"{what} must be between {_duration(low)} and {_duration(high)}")
            return None
        return seconds

    def span(self, node: yaml.Node, what: str, low: float, high: float) -> tuple[float, float] | None:
        """Two durations such as 400ms..1s, or one for both; returned in seconds."""
        if not isinstance(node, yaml.ScalarNode) or ".." not in node.value:
            both = self.seconds(node, what, low, high)
            return None if both is None else (both, both)
        ends = [_DURATION.fullmatch(end) for end in node.value.split("..", 1)]
        seconds = [float(end[1]) * _SECONDS[end[2]] for end in ends if end is not None]
        if len(seconds) < 2:
            message = f'{what} must be a time or a range of times, not "{node.value}"'
            self.problem(node, Rule.YAML, message, "write units: 700ms, or 400ms..1s")
        elif not low <= seconds[0] <= seconds[1] <= high:
            bounds = f"{_duration(low)} and {_duration(high)}, the shorter first"
            self.problem(node, Rule.YAML, f"{what} must be between {bounds}")
        else:
            return seconds[0], seconds[1]
        return None

    def one_of(self, node: yaml.Node, what: str, options: tuple[str, ...]) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.value in options:
            return str(node.value)
        text = self.text(node, what)
        if text is not None:
            hint = did_you_mean(text, options)
            self.problem(node, Rule.YAML, f'{what} "{text}" is not known', hint)
        return None

    def plain(self, node: yaml.Node, what: str) -> str | int | float | bool | None:
        """A scalar as JSON would have it; a number keeps its value, what YAML 1.1 twists must be quoted."""
        if not isinstance(node, yaml.ScalarNode):
            self._not_scalar(node, what, "a single value")
            return None
        if kind_of(node) == "str":
            return str(node.value)
        if re.fullmatch(r"-?(?:0|[1-9]\d*)", node.value):
            return int(node.value)
        if re.fullmatch(r"-?\d+\.\d+", node.value):
            return float(node.value)
        if node.value in ("true", "false"):
            return bool(node.value == "true")
        if kind_of(node) == "timestamp":
            return str(node.value)
        self._trap(node, what)
        return None

    # --- collections

    def entries(self, node: yaml.Node, what: str, hint: str = "") -> list[Entry]:
        """The entries of a mapping in the order of the file, each key once; `hint` is for what is none."""
        if not isinstance(node, yaml.MappingNode):
            if self.is_null(node):
                self._empty(node, what)
            else:
                self.problem(node, Rule.YAML, f"{what} must be a mapping (key: value)", hint)
            return []
        found: dict[str, Entry] = {}
        for key_node, value in node.value:
            key = self._key(key_node, what)
            if key is None or self._stands_alone(key_node, value, what):
                continue
            first = found.get(key)
            if first is not None:
                line = first.key_place.line
                self.problem(key_node, Rule.YAML, f'"{key}" stands twice in {what} (first in line {line})')
                continue
            found[key] = Entry(key, key_node, value)
        return list(found.values())

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if self.is_null(node):
            self._empty(node, what)
        else:
            self.problem(
                node, Rule.YAML, f"{what} must be a list", "write [a, b] or one line with - for each"
            )
        return []

    def fields(self, node: yaml.Node, what: str, short: str = "") -> Fields:
        """A mapping with a known set of keys. `short` is the key that who writes a bare text most likely
        means."""
        return Fields(self, node, what, short)

    def _key(self, node: yaml.Node, what: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            listed = isinstance(node, yaml.SequenceNode)
            message = f"{'[ begins a YAML list' if listed else '{ begins a YAML mapping'} here"
            self.problem(node, Rule.YAML, message, WHOLE if listed else BRACES)
            return None
        if kind_of(node) == "merge":
            self.problem(node, Rule.YAML, "<< (merge) is not read in flows", "write the keys out")
            return None
        if kind_of(node) != "str":
            self._trap(node, f"a key of {what}")
        return str(node.value)

    def _stands_alone(self, key: yaml.Node, value: yaml.Node, what: str) -> bool:
        """Whether it is no `key: value` but what follows a comma in an unquoted text."""
        if value.start_mark.index != key.end_mark.index or not self.is_null(value):
            return False
        message = f'"{key.value}" stands alone in {what}: within {{ }} a comma ends a text'
        self.problem(key, Rule.YAML, message, WHOLE)
        return True

    def _trap(self, node: yaml.ScalarNode, what: str) -> None:
        """Names what YAML 1.1 made of an unquoted word."""
        written, kind = node.value, kind_of(node)
        if kind == "null" and written == "":
            self._empty(node, what)
            return
        truth = "true" if written.lower() in ("yes", "on", "true") else "false"
        signs = {"null": "nothing", "timestamp": "a date", "merge": "a sign", "value": "a sign"}
        meaning = {"bool": truth, **signs}.get(kind, "a number")
        message = f"{what} must be a text, and YAML reads {written} as {meaning}"
        self.problem(node, Rule.YAML, message, f'quote it: "{written}"')

    def _empty(self, node: yaml.Node, what: str) -> None:
        number = node.start_mark.line
        nearby = self._lines[max(0, number - 1) : number + 1]
        if any(map(swallows, nearby)):
            self.problem(node, Rule.YAML, f"{what} is empty: # begins a comment", 'quote it: "#"')
        else:
            self.problem(node, Rule.YAML, f"{what} is empty")

    def _not_scalar(self, node: yaml.Node, what: str, wanted: str) -> None:
        if has_braces(node):
            self.problem(node, Rule.YAML, "{{ begins a YAML mapping here", BRACES)
            return
        given = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
        self.problem(node, Rule.YAML, f"{what} must be {wanted}, not {given}")


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    return f"{seconds:g}s" if seconds < 120 or seconds % 60 else f"{seconds / 60:g}m"


def _quoted(text: str) -> str:
    """A text as it may stand in a mapping within braces; of a long one a sign."""
    if NAME.fullmatch(text):
        return text
    return '"..."' if len(text) > 40 or '"' in text or "\n" in text else f'"{text}"'


def has_braces(node: yaml.Node) -> bool:
    """Whether a mapping is what YAML made of an unquoted `{{ ... }}`."""
    return isinstance(node, yaml.MappingNode) and any(
        isinstance(key, yaml.MappingNode) for key, _ in node.value
    )


class Fields:
    """A mapping with a known set of keys. `finish` reports the keys that nobody took."""

    def __init__(self, reader: Reader, node: yaml.Node, what: str, short: str = "") -> None:
        self.reader = reader
        self.node = node
        self.what = what
        self.place = place_of(node)
        self.given = isinstance(node, yaml.MappingNode)
        """Whether there is a mapping; if not, that is told, and not what it lacks as well."""
        bare = short and isinstance(node, yaml.ScalarNode)
        hint = f"write {{{short}: {_quoted(node.value)}}}" if bare else ""
        self._entries = {entry.key: entry for entry in reader.entries(node, what, hint)}
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def entry(self, key: str) -> Entry | None:
        self._asked.add(key)
        return self._entries.get(key)

    def take(self, key: str) -> yaml.Node | None:
        """The value of an optional key."""
        entry = self.entry(key)
        return entry.node if entry else None

    def need(self, key: str, rule: Rule = Rule.YAML, hint: str = "") -> yaml.Node | None:
        """The value of a required key; its absence is reported."""
        node = self.take(key)
        if node is None and self.given:
            self.reader.problem(self.place, rule, f"{self.what} has no {key}", hint)
        return node

    def read(self, key: str, read: Callable[[yaml.Node, str], T | None], default: T) -> T:
        """The value of an optional key through a reader, or the default."""
        node = self.take(key)
        if node is None:
            return default
        value = read(node, f"{key} of {self.what}")
        return default if value is None else value

    def finish(self) -> None:
        for key, entry in self._entries.items():
            if key not in self._asked:
                hint = did_you_mean(key, self._asked)
                self.reader.problem(entry.key_place, Rule.YAML, f'{self.what} has no key "{key}"', hint)
