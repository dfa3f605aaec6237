"""A chart of percentiles over concurrency as SVG: no library, nothing to install where it is looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 120, 50, 60
_COLOURS: Final = ("#1b7837", "#e08214", "#b2182b", "#2166ac", "#762a83")
_FONT: Final = 'font-family="sans-serif" font-size="12"'
_STEPS: Final = (1, 2, 5)


def chart(
    title: str,
    unit: str,
    xs: Sequence[int],
    lines: Mapping[str, Sequence[float | None]],
    what: str = "streams at once",
) -> str:
    """A line for each name, its values over `xs` (> 0, on a scale of doublings); None leaves a gap.

    `unit` names the values' axis, which begins at 0, and `what` that of `xs`.
    """
    known = [value for line in lines.values() for value in line if value is not None]
    top = _round_up(max(known, default=1.0))
    low, high = math.log2(min(xs)), math.log2(max(xs))

    def x_of(x: int) -> float:
        share = (math.log2(x) - low) / (high - low) if high > low else 0.5
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y_of(value: float) -> float:
        return round(_HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="25" font-size="15">{escape(title)}</text>',
    ]
    for step in range(6):
        value = top * step / 5
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y_of(value)}" y2="{y_of(value)}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{y_of(value) + 4}" text-anchor="end">{value:g}</text>'
        )
    parts += [f'<text x="{x_of(x)}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{x}</text>' for x in xs]
    parts.append(
        f'<text x="{_LEFT}" y="{_HEIGHT - 15}">{escape(what)}</text>'
        f'<text x="{_LEFT - 55}" y="{_TOP - 10}">{escape(unit)}</text>'
    )
    for colour, (name, values) in zip(_COLOURS, lines.items(), strict=False):
        points = [(x_of(x), y_of(v)) for x, v in zip(xs, values, strict=True) if v is not None]
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        if points:
            x, y = _WIDTH - _RIGHT + 8, points[-1][1] + 4
            parts.append(f'<text x="{x}" y="{y}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (*_STEPS, 10) if step * power >= value * (1 - 1e-9))
