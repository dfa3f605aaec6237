"""What is wrong with a flow, and where: one problem is one line for the author, with a hint how to mend
it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

MAX_LISTED = 14
"""Most known words a hint lists."""


class Rule(IntEnum):
    """The rules a flow is checked against; the number is what a problem shows."""

    OUTCOMES = 1
    CHOICES = 2
    PROMPTS = 3
    RESULT = 4
    HANG_UP = 5
    LOOPS = 6
    BARGE_IN = 7
    NAMES = 8
    YAML = 9


RULES: Final[Mapping[Rule, str]] = {
    Rule.OUTCOMES: "One verb a step; every outcome leads to a step that exists; every step can be reached.",
    Rule.CHOICES: "Keys and intents are unique in a menu, and their phrases do not overlap.",
    Rule.PROMPTS: "Prompts exist in every language; names are declared, hold a value, and fit their types.",
    Rule.RESULT: "Result fields are optional or have a default; values are set before they are announced.",
    Rule.HANG_UP: "Steps behind a hang-up are silent and run once.",
    Rule.LOOPS: "Loops are bounded, and the longest call fits its limit.",
    Rule.BARGE_IN: "What may cut a prompt is something the step takes.",
    Rule.NAMES: "Endpoints, queues, trunks and audio files exist.",
    Rule.YAML: "Strict YAML: no key twice, no word that YAML reads as something else.",
}
"""What each proves."""


class Place(NamedTuple):
    """Where in the file something stands; line and column count from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `hint` says what to write instead, or is empty."""

    file: str
    line: int
    column: int
    rule: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: rule {self.rule}: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text


class FlowError(Exception):
    """The flow cannot be used; `problems` are sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


class ParamError(Exception):
    """The values given to a flow do not fit its parameters; `fields` says for each what is wrong."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = fields


@dataclass(slots=True)
class Report:
    """Collects the problems of one file; the same words at the same place count once."""

    file: str
    found: set[Problem] = field(default_factory=set)

    def add(self, place: Place, rule: Rule, message: str, hint: str = "") -> None:
        self.found.add(Problem(self.file, place.line, place.column, int(rule), message, hint))

    def sorted(self) -> list[Problem]:
        return sorted(self.found)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, else the list of the known ones (if it is short), else nothing."""
    words = sorted(set(known))
    near = difflib.get_close_matches(word, words, n=3, cutoff=0.6)
    if near:
        nearest = max(near, key=lambda other: (_likeness(word, other), -abs(len(other) - len(word))))
        return f'did you mean "{nearest}"?'
    return f"known are: {', '.join(words)}" if 0 < len(words) <= MAX_LISTED else ""


def _likeness(word: str, other: str) -> float:
    return difflib.SequenceMatcher(None, word, other).ratio()
