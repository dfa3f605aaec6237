"""What the doctor says: one finding for each thing looked at. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_MAX: Final = 160


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` (as `tls.expired`) is for programs and stays the same, `about` and `seen` are for people.

    `mend` says in a sentence what to do; a warning and a failure always have it, nothing else does. `seen` of
    what was skipped says why.
    """

    code: str
    level: Level
    about: str
    seen: str
    mend: str = ""

    def __post_init__(self) -> None:
        bad = self.level in (Level.WARN, Level.FAIL)
        if bad != bool(self.mend):
            raise ValueError(f"{self.code}: what is wrong, and only that, says what to mend")

    @property
    def section(self) -> str:
        """The part of the code before its dot."""
        return self.code.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of it, in the order in which it is read."""

    trunk: str
    proxy: str | None
    findings: tuple[Finding, ...]
    took_s: float


def ok(code: str, about: str, seen: str) -> Finding:
    return Finding(code, Level.OK, about, seen)


def warn(code: str, about: str, seen: str, mend: str) -> Finding:
    return Finding(code, Level.WARN, about, seen, mend)


def fail(code: str, about: str, seen: str, mend: str) -> Finding:
    return Finding(code, Level.FAIL, about, seen, mend)


def skipped(code: str, about: str, why: str) -> Finding:
    return Finding(code, Level.SKIPPED, about, why)


def printable(text: str) -> str:
    """What a stranger sent, fit for a terminal: without control characters, 160 characters at most."""
    clean = _CONTROL.sub(" ", text).strip()
    return clean if len(clean) <= _MAX else f"{clean[: _MAX - 1]}…"
