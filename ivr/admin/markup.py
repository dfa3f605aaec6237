"""Parts of pages that are text alone, as HTML: tables, conversations, turns, small charts. Pure.

Every value is escaped here; a page puts the result in as it is. Times are told as `<local-time>`, which
`admin.js` shows as the reader's clock says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final, Literal

from ivr.admin.lines import Line
from ivr.trace.picture import NAMES
from ivr.waterfall import Stage, TurnTimes

Style = Literal["full", "date", "clock"]

_STAGES: Final = {stage: f"stage-{stage.value.replace('_', '-')}" for stage in Stage}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table; with an `href` it is a link, with a `tone` a pill. `html` stands in the place of
    the text as it is."""

    text: str = ""
    href: str = ""
    tone: str = ""
    classes: str = ""
    html: str = ""

    def markup(self) -> str:
        inner = self.html or escape(self.text)
        if self.tone:
            inner = f'<span class="pill tone-{escape(self.tone)}">{inner}</span>'
        if self.href:
            inner = f'<a href="{escape(self.href)}">{inner}</a>'
        return f'<td class="{escape(self.classes)}">{inner}</td>' if self.classes else f"<td>{inner}</td>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str | Cell]], label: str) -> str:
    """`label` says to a screen reader what it is a table of. A head that begins with `>` is of numbers."""
    head = "".join(
        f'<th scope="col" class="right">{escape(name[1:])}</th>'
        if name.startswith(">")
        else f'<th scope="col">{escape(name)}</th>'
        for name in heads
    )
    body = "".join(
        "<tr>" + "".join((cell if isinstance(cell, Cell) else Cell(cell)).markup() for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scrolls" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="grid-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def facts(pairs: Iterable[tuple[str, str | Cell]]) -> str:
    """Names and their values, one under the other."""
    rows = []
    for name, value in pairs:
        told = escape(value) if isinstance(value, str) else value.html or escape(value.text)
        rows.append(f"<dt>{escape(name)}</dt><dd>{told or '–'}</dd>")
    return f'<dl class="facts">{"".join(rows)}</dl>'


def local_time(at: datetime | float | None, style: Style = "full") -> str:
    """A moment; the text within is UTC, for who has no JavaScript."""
    if at is None:
        return "–"
    when = datetime.fromtimestamp(at, UTC) if isinstance(at, (int, float)) else at.astimezone(UTC)
    shown = f"{when:%H:%M:%S}" if style == "clock" else f"{when:%Y-%m-%d %H:%M:%S}"
    return f'<local-time datetime="{when.isoformat()}" data-style="{style}">{shown}</local-time>'


def duration(seconds: float | None) -> str:
    """As 1:07 or 1:02:03."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def talk(lines: Iterable[Line], began: float | None, *, seek: bool = False, empty: str = "") -> str:
    """A conversation; `began` is when its time (and with `seek` its recording) counts from. With `seek` each
    line is a button that has the recording go there."""
    told = [_line(line, began, seek) for line in lines]
    if not told:
        return f'<p class="empty">{escape(empty)}</p>'
    return f'<ol class="talk">{"".join(told)}</ol>'


def _line(line: Line, began: float | None, seek: bool) -> str:
    at = None if began is None else line.at - began
    when = duration(max(at, 0.0)) if at is not None and at > -60 else ""
    words = escape(line.text)
    if line.cut_ms is not None:
        words += f' <span class="talk-cut">broken off after {line.cut_ms / 1000:.1f} s</span>'
    inner = f'<span class="talk-at">{when}</span><span class="talk-words">{words}</span>'
    if seek and at is not None and line.side != "note":
        inner = f'<button type="button" class="talk-seek" data-seek="{max(at, 0.0):.2f}">{inner}</button>'
    who = "" if line.side == "note" else f'<span class="unseen">{line.side}: </span>'
    return f'<li class="talk-{line.side}">{who}{inner}</li>'


def turn(times: TurnTimes) -> str:
    """One turn: a bar for each stage, from the moment it waited for until it was reached."""
    whole_ms = max([bar.end_s * 1000 for bar in times.bars] + [1.0])
    rows = []
    for bar in times.bars:
        start, end = bar.start_s * 1000, bar.end_s * 1000
        left, width = start / whole_ms * 100, max((end - start) / whole_ms * 100, 0.6)
        by = f" · {escape(bar.by)}" if bar.by else ""
        rows.append(
            f'<div class="turn-row"><span class="turn-name">{NAMES[bar.stage]}{by}</span>'
            f'<span class="turn-track"><span class="turn-bar {_STAGES[bar.stage]}" '
            f'style="left:{left:.2f}%;width:{width:.2f}%"'
            f'></span></span><span class="turn-ms">{end:.0f} ms</span></div>'
        )
    reply = "no reply" if times.reply_s is None else f"{times.reply_s * 1000:.0f} ms"
    head = f"{times.trigger} · {escape(times.about.step)} · reply after {reply}"
    return f'<div class="turn"><p class="turn-head">{head}</p>{"".join(rows)}</div>'


def bars(values: Mapping[str, int], label: str) -> str:
    """How often each of them was, most often first."""
    most = max([*values.values(), 1])
    rows = [
        f'<div class="bars-row"><span class="bars-name">{escape(name)}</span>'
        f'<span class="bars-track"><span class="bars-bar" style="width:{count / most * 100:.1f}%"></span>'
        f'</span><span class="bars-count">{count}</span></div>'
        for name, count in sorted(values.items(), key=lambda each: (-each[1], each[0]))
    ]
    return f'<div class="bars" role="group" aria-label="{escape(label)}">{"".join(rows)}</div>'


def sparkline(values: Sequence[float], label: str, *, width: int = 600, height: int = 84) -> str:
    """A curve of values at even steps; `label` is its description."""
    if not values:
        return ""
    most = max([*values, 1.0])
    step = width / max(len(values) - 1, 1)
    points = " ".join(
        f"{i * step:.1f},{height - 2 - value / most * (height - 6):.1f}" for i, value in enumerate(values)
    )
    area = f"0,{height} {points} {width},{height}"
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><polygon points="{area}" class="spark-area"/>'
        f'<polyline points="{points}" class="spark-line"/></svg>'
    )
