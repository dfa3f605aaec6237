"""Charts of the server's figures as ECharts takes them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ivr.api.hourly import MinuteFigures, TimesTaken

COLOURS: Final = ("#2f6f8f", "#c4721a", "#5b7f3a", "#8a4f9e", "#a5211a", "#6b7884")
"""Told apart by people who see few colours too; every line has a name and a form of its own."""

MOST_CAUSES: Final = 5
FEW: Final = 3
"""Points that no line can be seen of."""

_FORMS: Final = ("solid", "dashed", "dotted")
Option = dict[str, Any]


def _option(minutes: Sequence[MinuteFigures], unit: str, series: list[Option], *, dark: bool) -> Option:
    ink, line = ("#e6ecf1", "#2b3641") if dark else ("#17212b", "#dde3e9")
    return {
        "animation": False,
        "aria": {"enabled": True},
        "color": list(COLOURS),
        "textStyle": {"color": ink, "fontFamily": "inherit"},
        "grid": {"left": 62, "right": 14, "top": 34, "bottom": 26},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": ink}, "itemHeight": 9, "itemGap": 18},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {
            "type": "category",
            "data": [f"{minute.at:%H:%M}" for minute in minutes],
            "axisLabel": {"color": ink},
            "axisLine": {"lineStyle": {"color": line}},
        },
        "yAxis": {
            "type": "value",
            "minInterval": 0 if unit else 1,
            "axisLabel": {"color": ink, "formatter": f"{{value}} {unit}".strip()},
            "splitLine": {"lineStyle": {"color": line}},
        },
        "series": series,
    }


def _line(name: str, values: Sequence[float | None], form: int = 0, **more: Any) -> Option:
    return {
        "name": name,
        "type": "line",
        "data": [None if value is None else round(value, 2) for value in values],
        "showSymbol": len(values) < FEW,
        "connectNulls": True,
        "lineStyle": {"width": 2, "type": _FORMS[form % len(_FORMS)]},
        **more,
    }


def calls(minutes: Sequence[MinuteFigures], *, dark: bool) -> Option:
    """Calls at once, and those that began and were answered in each minute."""
    series = [
        _line("at once", [minute.calls for minute in minutes], areaStyle={"opacity": 0.12}),
        _line("began", [minute.began for minute in minutes], 1),
        _line("answered", [minute.answered for minute in minutes], 2),
    ]
    return _option(minutes, "", series, dark=dark)


def turns(minutes: Sequence[MinuteFigures], *, dark: bool) -> Option:
    """To the first packet of a reply: after speech, and after a key."""
    return _times(minutes, {"speech": "turn", "key": "key"}, dark=dark)


def engines(minutes: Sequence[MinuteFigures], *, dark: bool) -> Option:
    """To the first of what recognisers, voices and language models give."""
    kinds = {"recogniser": "asr", "voice": "tts", "language model": "llm"}
    shown = {name: what for name, what in kinds.items() if any(_of(minute, what).count for minute in minutes)}
    return _times(minutes, shown or {"recogniser": "asr", "voice": "tts"}, dark=dark)


def _times(minutes: Sequence[MinuteFigures], kinds: dict[str, str], *, dark: bool) -> Option:
    series = []
    for name, what in kinds.items():
        series.append(_line(f"{name} p50", [_of(minute, what).p50_ms for minute in minutes]))
        series.append(_line(f"{name} p95", [_of(minute, what).p95_ms for minute in minutes], 1))
    return _option(minutes, "ms", series, dark=dark)


def lateness(minutes: Sequence[MinuteFigures], *, dark: bool) -> Option:
    """How late media were at worst, and what of a core was taken."""
    series = [
        _line("media late by", [minute.lateness_ms for minute in minutes]),
        _line("core taken, %", [minute.cpu * 100 for minute in minutes], 1),
    ]
    return _option(minutes, "", series, dark=dark)


def failures(minutes: Sequence[MinuteFigures], *, dark: bool) -> Option:
    """Calls that ended otherwise than they should, and those that were refused, by cause."""
    causes: Counter[str] = Counter()
    for minute in minutes:
        causes.update(failed(minute))
    named = [cause for cause, _ in causes.most_common(MOST_CAUSES)]
    series = [_bars(cause, [failed(minute)[cause] for minute in minutes]) for cause in named]
    if len(causes) > len(named):
        others = [sum(n for cause, n in failed(minute).items() if cause not in named) for minute in minutes]
        series.append(_bars("other causes", others))
    return _option(minutes, "", series or [_bars("none", [0] * len(minutes))], dark=dark)


def failed(minute: MinuteFigures) -> Counter[str]:
    """By cause; what an ordinary call ends with is none."""
    found = Counter({cause: n for cause, n in minute.ended.items() if cause not in ("normal", "transferred")})
    found.update({f"refused: {why}": n for why, n in minute.refused.items()})
    return found


def _bars(name: str, values: Sequence[int]) -> Option:
    return {"name": name, "type": "bar", "stack": "failures", "data": list(values)}


def told(minutes: Sequence[MinuteFigures]) -> str:
    """The failures of the hour in words, for who does not look at charts."""
    causes: Counter[str] = Counter()
    for minute in minutes:
        causes.update(failed(minute))
    return ", ".join(f"{cause}: {count}" for cause, count in causes.most_common()) or "none"


def _of(minute: MinuteFigures, what: str) -> TimesTaken:
    taken: TimesTaken = getattr(minute, what)
    return taken
