"""Topics of the broker: names with parts that an event fills, such as `riders/{body.order}/events`.

`{call_id}`, `{flow}` and `{body.order.id}` are paths into the event's envelope (`ivr.envelope`). What is
filled in stays within one level of the topic, whatever a caller or a backend said: `+`, `#`, `/`, `$`, `%`
and control characters are written as percent and hexadecimal digits, and nothing at all as `_`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from ivr.envelope import FIELDS

MAX_TOPIC: Final = 500
MAX_LEVEL: Final = 256
"""Characters of a value that are taken into a topic."""

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_PATH: Final = re.compile(r"(?:id|event|time|call_id|flow|body(?:\.[A-Za-z_][A-Za-z0-9_-]*)+)")
_UNSAFE: Final = re.compile(r"[+#/$%\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Topic:
    """`pieces` are texts and, between them, paths into the envelope."""

    pieces: tuple[str | tuple[str, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Topic:
        """Raises `ValueError`, whose text is for the operator."""
        fixed = _PLACE.sub("", text)
        if not text or len(text) > MAX_TOPIC:
            raise ValueError(f"a topic has 1 to {MAX_TOPIC} characters")
        if "+" in fixed or "#" in fixed:
            raise ValueError("+ and # stand for topics of subscribers; an event has a topic of its own")
        if text.startswith("$"):
            raise ValueError("topics that begin with $ are the broker's own")
        if "{" in fixed or "}" in fixed or _UNSAFE.search(fixed.replace("/", "").replace("$", "")):
            raise ValueError("write it as riders/{body.order}/events")
        pieces: list[str | tuple[str, ...]] = []
        for place, piece in enumerate(_PLACE.split(text)):
            if place % 2 == 0:
                pieces += [piece] if piece else []
            elif _PATH.fullmatch(piece):
                pieces.append(tuple(piece.split(".")))
            else:
                known = ", ".join(f"{{{name}}}" for name in FIELDS if name != "body")
                raise ValueError(f"{{{piece}}} is not known: write {known} or {{body.NAME}}")
        return cls(tuple(pieces))

    @property
    def wants(self) -> frozenset[str]:
        """The values that the event's body must have."""
        return frozenset(piece[1] for piece in self.pieces if isinstance(piece, tuple) and len(piece) > 1)

    def of(self, event: Mapping[str, Any]) -> str:
        """The topic of an event, given its envelope."""
        return "".join(piece if isinstance(piece, str) else _level(event, piece) for piece in self.pieces)


def _level(event: Mapping[str, Any], path: tuple[str, ...]) -> str:
    found: Any = event
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    text = found if isinstance(found, str) else "" if found is None else json.dumps(found, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: quote(match[0], safe="", errors="replace"), text[:MAX_LEVEL]) or "_"
