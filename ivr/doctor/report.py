"""The findings as text for people and as JSON for programs. Pure."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from ivr.doctor.findings import Examination, Finding, Level

_SECTIONS: Final = {
    "config": "Configuration",
    "dns": "DNS",
    "reach": "Targets",
    "tls": "Targets",
    "options": "Targets",
    "register": "Registration",
    "nat": "Our address",
    "media": "Media",
    "system": "System",
    "clock": "Clock",
    "server": "Server",
    "doctor": "Doctor",
    "call": "Test call",
}
_SIGNS: Final = {Level.OK: "ok", Level.WARN: "WARN", Level.FAIL: "FAIL", Level.SKIPPED: "skip"}
_COLOURS: Final = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31", Level.SKIPPED: "90"}
_WIDTH: Final = 110
_INDENT: Final = " " * 7


def status(examination: Examination) -> int:
    """The exit status: 1 with a failure, else 0."""
    return 1 if any(finding.level is Level.FAIL for finding in examination.findings) else 0


def as_json(examination: Examination) -> str:
    """One object: `trunk`, `proxy`, `ok`, `took_s`, `counts` by level, and `findings` with `code`, `level`,
    `about`, `seen` and `mend` (empty where nothing is to be mended)."""
    counts = Counter(finding.level.value for finding in examination.findings)
    shown = {
        "trunk": examination.trunk,
        "proxy": examination.proxy,
        "ok": status(examination) == 0,
        "took_s": round(examination.took_s, 2),
        "counts": {level.value: counts[level.value] for level in Level},
        "findings": [
            {"code": f.code, "level": f.level.value, "about": f.about, "seen": f.seen, "mend": f.mend}
            for f in examination.findings
        ],
    }
    return json.dumps(shown, ensure_ascii=False, indent=2) + "\n"


def as_text(examination: Examination, *, colours: bool = False) -> str:
    """One line for each finding, its remedy below it, in sections; a line that counts them at the end."""
    proxy = examination.proxy or "no proxy"
    lines = [f"Trunk {examination.trunk}: {proxy}"]
    for title, group in groupby(examination.findings, lambda finding: _SECTIONS[finding.section]):
        lines += ["", title]
        for finding in group:
            lines += _lines(finding, colours=colours)
    counts = Counter(finding.level for finding in examination.findings)
    total = ", ".join(
        [
            f"{counts[Level.OK]} ok",
            _many(counts[Level.WARN], "warning"),
            _many(counts[Level.FAIL], "failure"),
            f"{counts[Level.SKIPPED]} skipped",
            f"in {examination.took_s:.1f} s",
        ]
    )
    return "\n".join([*lines, "", total, ""])


def _lines(finding: Finding, *, colours: bool) -> Iterator[str]:
    sign = f"{_SIGNS[finding.level]:<5}"
    if colours:
        sign = f"\x1b[{_COLOURS[finding.level]}m{sign}\x1b[0m"
    first, *rest = _wrapped(f"{finding.about}: {finding.seen}")
    yield f"  {sign}{first}"
    yield from (f"{_INDENT}{line}" for line in rest)
    if finding.mend:
        first, *rest = _wrapped(f"-> {finding.mend}")
        yield f"{_INDENT}{first}"
        yield from (f"{_INDENT}   {line}" for line in rest)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - len(_INDENT), break_long_words=False, break_on_hyphens=False) or [""]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
