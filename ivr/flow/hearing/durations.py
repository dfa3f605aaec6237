"""Spoken lengths of time, in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.numbers import read_numbers
from ivr.flow.hearing.vocabulary import Unit, Vocabulary

_OTHER_UNITS = frozenset(fold("second seconds sec month months सेकंड सेकेंड सेकंद महीना महीने महिना महिने").split())
_OR = frozenset(fold("or या किंवा").split())


def read_minutes(words: Sequence[str], vocabulary: Vocabulary) -> Fraction | None:
    """ "डेढ़ घंटा" is 90, "दो घंटे दस मिनट" 130, "an hour and a half" 90, "दस पंद्रह मिनट" 15: of an estimate the
    later is safe. A number without a unit is minutes; seconds, days and longer are not understood."""
    if not _OTHER_UNITS.isdisjoint(words) or any(word in vocabulary.days for word in words):
        return None
    match _lengths(words, vocabulary):
        case [(minutes, Unit.MINUTE | None)]:
            return minutes
        case [(hours, Unit.HOUR)]:
            return hours * 60
        case [(hours, Unit.HOUR), (rest, Unit.MINUTE | None)] if _OR.isdisjoint(words):
            return hours * 60 + (rest * 60 if rest < 1 else rest)
        case _:
            return None


def _lengths(words: Sequence[str], vocabulary: Vocabulary) -> list[tuple[Fraction, Unit | None]]:
    """The numbers with the unit that follows each, estimates reduced to their later number."""
    spans = read_numbers(words, vocabulary.numbers)
    starts = [*(span.start for span in spans), len(words)]
    lengths: list[tuple[Fraction, Unit | None]] = []
    if _unit(words[: starts[0]], vocabulary) is Unit.HOUR:
        lengths.append((Fraction(1), Unit.HOUR))  # "an hour"
    for span, end in zip(spans, starts[1:], strict=True):
        if lengths and lengths[-1][1] is None and lengths[-1][0] < span.value:
            lengths.pop()
        lengths.append((span.value, _unit(words[span.end : end], vocabulary)))
    return lengths


def _unit(words: Sequence[str], vocabulary: Vocabulary) -> Unit | None:
    """The first unit of time among words."""
    units = (vocabulary.units.get(word) for word in words)
    return next((unit for unit in units if unit in (Unit.MINUTE, Unit.HOUR)), None)
