"""A drawing as an SVG picture. It needs no program to be drawn, and any browser to be looked at."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ivr.flow.drawing import Arrow, Box, Drawing, Kind
from ivr.flow.layers import Layout, Link, Point, Route, Size, lay_out

MARGIN: Final = 24.0
TITLE_PX: Final = 15.0
TEXT_PX: Final = 12.0
LABEL_PX: Final = 11.5
LINE: Final = 1.45
"""Height of a line in font sizes; Devanagari needs room above and below."""

MAX_LINES: Final = 3
WRAP_PX: Final = 215.0
PADDING: Final = 12.0
FRAME: Final = 3.5
"""How far the second frame of a flow within stands inside the first."""

_SOME_LOST: Final = 0.05
_MANY_LOST: Final = 0.15

LOOP: Final = 34.0
"""How far an arrow from a box to itself stands out."""

_FONTS: Final = "'Noto Sans','Noto Sans Devanagari','Lohit Devanagari',Mangal,'DejaVu Sans',sans-serif"
_STYLE: Final = f"""
text{{font-family:{_FONTS};fill:#1c2733;pointer-events:none}}
.title{{font-size:{TITLE_PX}px;font-weight:600}} .verb,.count{{font-size:{TEXT_PX}px;fill:#5b6b7b}}
.text{{font-size:{TEXT_PX}px}} .label{{font-size:{LABEL_PX}px;fill:#2f4a66}}
.box{{fill:#f4f8fc;stroke:#4a6d90;stroke-width:1.4}} .end{{fill:#eceff2;stroke:#66727e}}
.inner{{fill:none;stroke:#4a6d90;stroke-width:1}}
.event{{fill:#fff6e6;stroke:#b07a1c}} .never{{fill:#ffffff;stroke-dasharray:5 4}}
.loss-1{{fill:#fdf3f1}} .loss-2{{fill:#fbe2dd}} .loss-3{{fill:#f6c6bd;stroke:#a5211a}}
.lost{{font-size:{TEXT_PX}px;font-weight:600;fill:#96170f}}
.arrow{{fill:none;stroke:#4a6d90}} .back{{stroke:#a0589a}} .on{{stroke:#b07a1c;stroke-dasharray:6 4}}
.plate{{fill:#ffffff;fill-opacity:.92}}
"""


def svg(drawing: Drawing) -> str:
    """The document; a box has its whole text as a tooltip."""
    faces = {box.id: _Face(box) for box in drawing.boxes}
    loops = {arrow.source: arrow for arrow in drawing.arrows if arrow.source == arrow.target}
    between = [arrow for arrow in drawing.arrows if arrow.source != arrow.target]
    sizes = {id: face.size for id, face in faces.items()}
    beside = {id: _loop_room(arrow) for id, arrow in loops.items()}
    labels = [_label_lines(arrow) for arrow in between]
    links = [
        Link(arrow.source, arrow.target, _label_size(lines))
        for arrow, lines in zip(between, labels, strict=True)
    ]
    layout = lay_out(sizes, links, beside)
    events = {box.id for box in drawing.boxes if box.kind is Kind.EVENT}
    most = max((arrow.visits or 0 for arrow in drawing.arrows), default=0)
    parts = [*_head(drawing, layout)]
    for arrow, route in zip(between, layout.routes, strict=True):
        parts.append(_path(arrow, route, most, arrow.source in events))
    for lines, route in zip(labels, layout.routes, strict=True):
        parts += _label(lines, route.label)
    for id, face in faces.items():
        middle = layout.boxes[id]
        parts += face.drawn(middle)
        if id in loops:
            parts += _loop(loops[id], face, middle, most)
    return "\n".join([*parts, "</g></svg>"]) + "\n"


def _head(drawing: Drawing, layout: Layout) -> Iterator[str]:
    title = TITLE_PX * LINE + 10
    width = max(layout.size.width, _width(drawing.title, TITLE_PX)) + 2 * MARGIN
    height = layout.size.height + 2 * MARGIN + title
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={quoteattr(drawing.title)}>'
    )
    yield f"<style>{_STYLE}</style>"
    yield (
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="#3d566f"/></marker>'
        "</defs>"
    )
    yield f'<rect width="100%" height="100%" fill="#ffffff"/><g transform="translate({MARGIN},{MARGIN})">'
    yield f'<text class="title" x="0" y="{TITLE_PX}">{escape(drawing.title)}</text>'
    yield f'</g><g transform="translate({MARGIN},{MARGIN + title})">'


# --- boxes


class _Face:
    """What stands in a box, and how large that is."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._lines = _wrapped(box.text)
        count = "" if box.visits is None else f"×{box.visits}"
        self._second = " · ".join(part for part in (box.subtitle, count) if part)
        self._lost = _lost(box)
        widths = [
            _width(box.title, TITLE_PX) * 1.08,
            _width(self._second, TEXT_PX),
            _width(self._lost, TEXT_PX),
            *(_width(line, TEXT_PX) for line in self._lines),
        ]
        height = TITLE_PX * LINE + TEXT_PX * LINE * (bool(self._second) + len(self._lines) + bool(self._lost))
        self.size = Size(max(76.0, max(widths) + 2 * PADDING), height + PADDING)

    def drawn(self, middle: Point) -> Iterator[str]:
        box, size = self._box, self.size
        left, top = middle.x - size.width / 2, middle.y - size.height / 2
        round_ = 6.0 if box.kind in (Kind.STEP, Kind.FLOW) else size.height / 2
        never = " never" if box.visits == 0 else ""
        kind = "" if box.kind is Kind.STEP else f" {box.kind.value}"
        whole = f"<title>{escape(box.text)}</title>" if box.text else ""
        losing = f" {_loss(box)}" if box.lost else ""
        yield (
            f'<rect class="box{kind}{never}{losing}" data-step={quoteattr(box.id)} '
            f'x="{left:.1f}" y="{top:.1f}" width="{size.width:.1f}" '
            f'height="{size.height:.1f}" rx="{min(round_, 20):.1f}">{whole}</rect>'
        )
        if box.kind is Kind.FLOW:
            yield (
                f'<rect class="inner{never}" x="{left + FRAME:.1f}" y="{top + FRAME:.1f}" '
                f'width="{size.width - 2 * FRAME:.1f}" height="{size.height - 2 * FRAME:.1f}" rx="3.0"/>'
            )
        y = top + PADDING / 2 + TITLE_PX
        yield _text("title", middle.x, y, box.title)
        for name, line in (*([("verb", self._second)] if self._second else []),
                           *(("text", line) for line in self._lines),
                           *([("lost", self._lost)] if self._lost else [])):  # fmt: skip
            y += TEXT_PX * LINE
            yield _text(name, middle.x, y, line)


def _lost(box: Box) -> str:
    if not box.lost:
        return ""
    share = f" ({box.lost / box.visits:.0%})" if box.visits else ""
    return f"{box.lost} hung up here{share}"


def _loss(box: Box) -> str:
    """The class of a box in which callers are lost: the more of them, the redder."""
    share = box.lost / box.visits if box.visits else 1.0
    return f"loss-{1 + (share >= _SOME_LOST) + (share >= _MANY_LOST)}"


def _text(name: str, x: float, y: float, text: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


_PIECES: Final = re.compile(r"(?:\{\{.*?\}\}|\S)+")
"""Words; a value in braces is one with what touches it."""


def _wrapped(text: str) -> list[str]:
    """At most `MAX_LINES` lines of about `WRAP_PX`; what is left out is marked."""
    lines: list[str] = []
    for word in _PIECES.findall(text):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, TEXT_PX) <= WRAP_PX:
            lines[-1] = longer
        else:
            lines.append(_cut(word))
    return lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1] + " …"]


def _cut(word: str) -> str:
    while _width(word, TEXT_PX) > WRAP_PX:
        word = word[: len(word) * 3 // 4] + "…"
    return word


# --- arrows


def _path(arrow: Arrow, route: Route, most: int, event: bool) -> str:
    first, *rest = route.points
    drawn = [f"M{first.x:.1f} {first.y:.1f}"]
    before = first
    for point in rest:
        bend = (point.y - before.y) / 2
        if abs(point.x - before.x) < 0.5:
            drawn.append(f"L{point.x:.1f} {point.y:.1f}")
        else:
            drawn.append(
                f"C{before.x:.1f} {before.y + bend:.1f} {point.x:.1f} {point.y - bend:.1f} "
                f"{point.x:.1f} {point.y:.1f}"
            )
        before = point
    kind = " on" if event else " back" if first.y > before.y else ""
    return _stroke(arrow, " ".join(drawn), kind, most)


def _stroke(arrow: Arrow, path: str, kind: str, most: int) -> str:
    width = 1.4 + (3.0 * (arrow.visits or 0) / most if most else 0.0)
    return f'<path class="arrow{kind}" d="{path}" stroke-width="{width:.1f}" marker-end="url(#head)"/>'


def _loop(arrow: Arrow, face: _Face, middle: Point, most: int) -> Iterator[str]:
    x, y = middle.x + face.size.width / 2, middle.y
    reach = face.size.height / 4
    upper, lower, out = f"{y - reach:.1f}", f"{y + reach:.1f}", f"{x + LOOP:.1f}"
    path = f"M{x:.1f} {upper}C{out} {upper} {out} {lower} {x:.1f} {lower}"
    yield _stroke(arrow, path, " back", most)
    lines = _label_lines(arrow)
    yield from _label(lines, Point(x + LOOP - 4 + _label_size(lines).width / 2, y))


def _loop_room(arrow: Arrow) -> float:
    return LOOP + _label_size(_label_lines(arrow)).width


def _label_lines(arrow: Arrow) -> tuple[str, ...]:
    count = () if arrow.visits is None else (f"×{arrow.visits}",)
    return (*arrow.labels, *count) if len(arrow.labels) != 1 else (" ".join((*arrow.labels, *count)),)


def _label_size(lines: Sequence[str]) -> Size:
    if not lines:
        return Size(6.0, 0.0)
    width = max(_width(line, LABEL_PX) for line in lines)
    return Size(width + 10, len(lines) * LABEL_PX * LINE)


def _label(lines: Sequence[str], middle: Point) -> Iterator[str]:
    if not lines:
        return
    size = _label_size(lines)
    left, top = middle.x - size.width / 2, middle.y - size.height / 2
    yield (
        f'<rect class="plate" x="{left:.1f}" y="{top:.1f}" width="{size.width:.1f}" '
        f'height="{size.height:.1f}" rx="3"/>'
    )
    for number, line in enumerate(lines):
        yield _text("label", middle.x, top + (number + 0.74) * LABEL_PX * LINE, line)


# --- text


def _width(text: str, size: float) -> float:
    """About as wide as the text is drawn in common fonts, in pixels; rather too wide than too narrow."""
    return size * sum(map(_advance, text))


def _advance(sign: str) -> float:
    """Of one character, in font sizes."""
    category = unicodedata.category(sign)
    if category in ("Mn", "Me", "Cf"):
        return 0.0
    if category == "Mc":
        return 0.35
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.05
    if sign.isascii():
        return 0.33 if sign in " .,:;'|!iljtfI()[]" else 0.9 if sign in "mwMW@%" else 0.62
    return 0.68
