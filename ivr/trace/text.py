"""A trace as text: a line for each turn, and under it one for each of its stages. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.trace.model import CallTrace
from ivr.waterfall import Bar, TurnTimes

_BAR_CHARACTERS = 40
_LEAST_MS = 100.0


def text(trace: CallTrace) -> str:
    """Ends with a line feed."""
    return "\n".join(_lines(trace)) + "\n"


def at(seconds: float) -> str:
    """A moment of the call, as 1:07.3."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def title(turn: TurnTimes) -> str:
    """Which turn it was, and where."""
    about = turn.about
    place = f"{about.step} ({about.verb}, {about.language})" if about.step else ""
    return f"{at(turn.began)}  {turn.trigger}  {place}".rstrip()


def reply(turn: TurnTimes) -> str:
    return "no reply" if turn.reply_s is None else f"{turn.reply_s * 1000:.0f} ms"


def _lines(trace: CallTrace) -> Iterator[str]:
    yield trace.heading
    yield trace.summary
    width_ms = max([_LEAST_MS, *(bar.end_s * 1000 for turn in trace.turns for bar in turn.bars)])
    for turn in trace.turns:
        yield ""
        yield f"{turn.number:>3}  {title(turn)}  {reply(turn)}"
        for bar in turn.bars:
            yield f"     {_drawn(bar, width_ms)}  {bar.end_s * 1000:>6.0f}  {_name(bar)}"


def _drawn(bar: Bar, width_ms: float) -> str:
    first, last = (round(edge * 1000 / width_ms * _BAR_CHARACTERS) for edge in (bar.start_s, bar.end_s))
    line = "█" * (last - first) or "▏"
    return f"{' ' * min(first, _BAR_CHARACTERS - 1)}{line}".ljust(_BAR_CHARACTERS)


def _name(bar: Bar) -> str:
    words = bar.stage.value.replace("_", " ")
    return f"{words}  {bar.by}" if bar.by else words
