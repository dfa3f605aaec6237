"""A drawing as a Mermaid flowchart, which code hosts and wikis draw themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ivr.flow.drawing import Box, Drawing, Kind

MAX_TEXT: Final = 60

_SHAPES: Final = {
    Kind.STEP: ('["', '"]'),
    Kind.FLOW: ('[["', '"]]'),
    Kind.END: ('(["', '"])'),
    Kind.EVENT: ('{{"', '"}}'),
}
_MARKS: Final = frozenset('"#&<>`\\{}[]|')


def mermaid(drawing: Drawing) -> str:
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    # A name such as `end` is a word of Mermaid's: boxes are numbered.
    ids = {box.id: f"s{number}" for number, box in enumerate(drawing.boxes)}
    yield "flowchart TD"
    for box in drawing.boxes:
        opens, closes = _SHAPES[box.kind]
        yield f"    {ids[box.id]}{opens}{_words(box)}{closes}"
    for arrow in drawing.arrows:
        labels = ", ".join(map(_escaped, arrow.labels))
        count = "" if arrow.visits is None else f"×{arrow.visits}"
        text = " ".join(part for part in (labels, count) if part)
        label = f'|"{text}"|' if text else ""
        dotted = drawing.boxes[[*ids].index(arrow.source)].kind is Kind.EVENT
        yield f"    {ids[arrow.source]} {'-.->' if dotted else '-->'}{label} {ids[arrow.target]}"


def _words(box: Box) -> str:
    count = "" if box.visits is None else f" ×{box.visits}"
    parts = [f"<b>{_escaped(box.title)}</b>{count}"]
    parts += [_escaped(box.subtitle)] if box.subtitle else []
    text = box.text if len(box.text) <= MAX_TEXT else box.text[: MAX_TEXT - 1] + "…"
    parts += [_escaped(text)] if text else []
    return "<br/>".join(parts)


def _escaped(text: str) -> str:
    """Mermaid's own entities: `#34;` for a quotation mark."""
    return "".join(f"#{ord(sign)};" if sign in _MARKS else sign for sign in " ".join(text.split()))
