"""A trace as an SVG picture: a band for each turn, in it a bar for each stage, all on one scale of time; what
ran at the same time stands one under the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape

from ivr.trace.model import CallTrace
from ivr.trace.text import at, reply
from ivr.waterfall import Bar, Stage, TurnTimes

WIDTH: Final = 1080
LEFT: Final = 230
RIGHT: Final = 92
TOP: Final = 112
LANE: Final = 22
GAP: Final = 14
_LETTER_PX: Final = 6.6
_LEAST_PX: Final = 1.5
"""A stage that took no time is a line still."""

COLOURS: Final = {
    Stage.PAUSE: "#8aa1b8",
    Stage.ENDPOINT: "#627d98",
    Stage.FINAL: "#2f80a8",
    Stage.INTENT: "#7a5195",
    Stage.FIRST_TOKEN: "#b5478f",
    Stage.FIRST_SENTENCE: "#d97aa6",
    Stage.FIRST_AUDIO: "#e08e36",
    Stage.FIRST_PACKET: "#4c9a52",
}
NAMES: Final = {
    Stage.PAUSE: "pause seen",
    Stage.ENDPOINT: "turn over",
    Stage.FINAL: "transcript",
    Stage.INTENT: "understood",
    Stage.FIRST_TOKEN: "first token",
    Stage.FIRST_SENTENCE: "first sentence",
    Stage.FIRST_AUDIO: "first audio",
    Stage.FIRST_PACKET: "first packet",
}
"""What each bar waits for."""

_FONTS: Final = "'Noto Sans','DejaVu Sans',sans-serif"
_STYLE: Final = f"""
text{{font-family:{_FONTS};font-size:12px;fill:#1c2733}} .head{{font-size:16px;font-weight:600}}
.note{{fill:#5b6b7b}} .on{{fill:#ffffff;font-size:11px}}
.total{{font-weight:600;paint-order:stroke;stroke:#ffffff;stroke-width:5px}}
.late{{fill:#b3261e}} .rule{{stroke:#dfe6ec}} .tick{{fill:#5b6b7b;text-anchor:middle}}
"""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Milliseconds across the picture; `step_ms` between two rules."""

    step_ms: int
    steps: int

    @staticmethod
    def over(longest_ms: float) -> _Scale:
        step = next(
            (s for s in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if longest_ms <= 10 * s), 10_000
        )
        return _Scale(step, max(1, -int(-longest_ms // step)))

    def x(self, ms: float) -> float:
        return LEFT + ms / (self.step_ms * self.steps) * (WIDTH - LEFT - RIGHT)


def lanes(bars: Sequence[Bar]) -> list[list[Bar]]:
    """The bars in as few lanes as hold them without one over another; each lane in the order of time."""
    found: list[list[Bar]] = []
    for bar in sorted(bars, key=lambda bar: (bar.start_s, bar.end_s)):
        lane = next((lane for lane in found if lane[-1].end_s <= bar.start_s), None)
        if lane is None:
            found.append([bar])
        else:
            lane.append(bar)
    return found


def picture(trace: CallTrace) -> str:
    """The document; every bar has its figures as a tooltip."""
    shown = [lanes(turn.bars) for turn in trace.turns]
    tops = [float(TOP)]
    for turn_lanes in shown:
        tops.append(tops[-1] + max(2, len(turn_lanes)) * LANE + GAP)
    scale = _Scale.over(max([100.0, *(bar.end_s * 1000 for turn in trace.turns for bar in turn.bars)]))
    height = tops[-1] + 34
    size = f'width="{WIDTH}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" {size}>',
        f"<style>{_STYLE}</style>",
        f'<rect {size} fill="#ffffff"/>',
        f'<text class="head" x="20" y="30">{escape(trace.heading)}</text>',
        f'<text x="20" y="52">{escape(trace.summary)}</text>',
        *_legend(trace),
        *_rules(scale, tops[0] - 8, tops[-1]),
    ]
    for turn, turn_lanes, (top, _) in zip(trace.turns, shown, pairwise(tops), strict=True):
        parts += _band(turn, turn_lanes, top, scale)
    return "\n".join([*parts, "</svg>\n"])


def _legend(trace: CallTrace) -> Iterator[str]:
    present = {bar.stage for turn in trace.turns for bar in turn.bars}
    x = 20.0
    for stage, colour in COLOURS.items():
        if stage in present:
            yield f'<rect x="{x:.0f}" y="66" width="12" height="12" rx="2" fill="{colour}"/>'
            yield f'<text class="note" x="{x + 17:.0f}" y="76">{NAMES[stage]}</text>'
            x += 36 + len(NAMES[stage]) * _LETTER_PX


def _rules(scale: _Scale, top: float, bottom: float) -> Iterator[str]:
    for number in range(scale.steps + 1):
        ms = number * scale.step_ms
        x = scale.x(ms)
        label = f"{ms} ms" if number == scale.steps else str(ms)
        yield f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{bottom:.0f}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{top - 4:.0f}">{label}</text>'


def _band(turn: TurnTimes, turn_lanes: Sequence[Sequence[Bar]], top: float, scale: _Scale) -> Iterator[str]:
    about = turn.about
    where = " · ".join(part for part in (about.step, about.verb, about.language) if part)
    yield f'<text x="20" y="{top + 15:.0f}">{turn.number}. {at(turn.began)} · {turn.trigger}</text>'
    yield f'<text class="note" x="20" y="{top + 32:.0f}">{escape(_cut(where, LEFT - 30))}</text>'
    for number, lane in enumerate(turn_lanes):
        for bar in lane:
            yield from _drawn(bar, top + number * LANE, scale)
    end = max((bar.end_s for bar in turn.bars), default=0.0)
    late = " late" if turn.reply_s is None else ""
    yield (
        f'<text class="total{late}" x="{scale.x(end * 1000) + 8:.1f}" y="{top + 15:.0f}">{reply(turn)}</text>'
    )


def _drawn(bar: Bar, top: float, scale: _Scale) -> Iterator[str]:
    left, right = scale.x(bar.start_s * 1000), scale.x(bar.end_s * 1000)
    width = max(right - left, _LEAST_PX)
    tip = f"{NAMES[bar.stage]}: {(bar.end_s - bar.start_s) * 1000:.0f} ms, at {bar.end_s * 1000:.0f} ms"
    if bar.by:
        tip += f", {bar.by}"
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{LANE - 3}" rx="2" '
        f'fill="{COLOURS[bar.stage]}"><title>{escape(tip)}</title></rect>'
    )
    label = _label(bar, width - 8)
    if label:
        yield f'<text class="on" x="{left + 4:.1f}" y="{top + 13.5:.1f}">{escape(label)}</text>'


def _label(bar: Bar, room: float) -> str:
    """As much as fits: the engine that was waited for and how long, or the time alone."""
    ms = f"{(bar.end_s - bar.start_s) * 1000:.0f}"
    named = f"{bar.by or NAMES[bar.stage]} {ms}"
    return next((label for label in (named, ms) if len(label) * _LETTER_PX <= room), "")


def _cut(words: str, room: float) -> str:
    most = int(room / _LETTER_PX)
    return words if len(words) <= most else words[: most - 1] + "…"
