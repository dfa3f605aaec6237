"""Spoken numbers: a small grammar over the words of a vocabulary, the same for all languages.

- "एक लाख पच्चीस हज़ार": 1 x lakh + 25 x thousand
- "साढ़े तीन सौ": (3 + 1/2) x 100
- "दोनशे पाच": 200 + 5
- "twenty five": 20 + 5
- "twelve point five": 12 + 5/10
- "two and a half lakh": (2 + 1/2) x lakh
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ivr.flow.hearing.vocabulary import Piece, Role

_MAX_FIGURES = 18
_QUARTER = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class Span:
    """A number that was said with the words from `start` up to, not including, `end`."""

    value: Fraction
    start: int
    end: int


def read_numbers(words: Sequence[str], meanings: Mapping[str, Piece]) -> list[Span]:
    """The numbers within folded words, in order; words that are no part of a number are passed over."""
    pieces = [_piece(word, meanings) for word in words]
    spans: list[Span] = []
    at = 0
    while at < len(pieces):
        span = _read(pieces, at)
        if span is None:
            at += 1
        else:
            spans.append(span)
            at = span.end
    return spans


def _piece(word: str, meanings: Mapping[str, Piece]) -> Piece | None:
    if word[0].isdecimal():
        figures = word if ":" not in word and word.count(".") <= 1 and len(word) <= _MAX_FIGURES else None
        return Piece(Role.NUMBER, Fraction(figures)) if figures else None
    return meanings.get(word)


@dataclass(slots=True)
class _Sum:
    """A number under way: closed groups (value with its scale) and the group being read."""

    groups: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    current: Fraction | None = None
    last: Role | None = None
    shift: Fraction | None = None

    def take(self, piece: Piece) -> bool:
        """Adds a word; False when it cannot belong to this number any more."""
        match piece.role:
            case Role.NUMBER | Role.TENS:
                taken = self._number(piece.value)
            case Role.SHIFT:
                taken = self._begin_shift(piece.value)
            case Role.HUNDRED | Role.HUNDREDS:
                taken = self._hundred(piece)
            case Role.SCALE:
                taken = self._scale(piece.value)
            case _:
                taken = False
        if taken:
            self.last = piece.role
        return taken

    def _number(self, value: Fraction) -> bool:
        if self.shift is not None:
            value, self.shift = value + self.shift, None
        if self.last is Role.NUMBER and self.current == 3 and value == _QUARTER:  # three quarters
            self.current = 3 * _QUARTER
            return True
        if self.current is None:
            fits = not self.groups or value < self.groups[-1][1]
        elif self.last is Role.TENS:
            fits = 0 < value < 10
        else:
            fits = self.last in (Role.HUNDRED, Role.HUNDREDS) and 0 < value < 100
        if fits:
            self.current = value if self.current is None else self.current + value
        return fits

    def add_part(self, part: Fraction) -> bool:
        """Takes the half of "two and a half"."""
        if self.current is None or self.last not in (Role.NUMBER, Role.TENS):
            return False
        whole = self.current.denominator == 1 and self.current >= 1
        if whole:
            self.current += part
            self.last = Role.NUMBER
        return whole

    def _begin_shift(self, shift: Fraction) -> bool:
        if self.current is not None or self.shift is not None:
            return False
        self.shift = shift
        return True

    def _hundred(self, piece: Piece) -> bool:
        one = 1 + (self.shift or 0)
        if self.current is None:
            self.current = piece.value * one
        elif piece.role is Role.HUNDRED and self.last in (Role.NUMBER, Role.TENS) and self.current < 100:
            self.current *= piece.value
        else:
            return False
        self.shift = None
        return True

    def _scale(self, scale: Fraction) -> bool:
        if any(other == scale for _, other in self.groups):
            return False
        if self.current is not None:
            group = self.current
        elif self.last is Role.SCALE:
            if scale < self.groups[-1][1]:
                return False
            group = Fraction(0)
        else:
            group = 1 + (self.shift or Fraction(0))
        # "one lakh crore", "one lakh twenty thousand crore": all that is smaller is counted in the greater.
        while self.groups and self.groups[-1][1] < scale:
            group += self.groups.pop()[0]
        self.groups.append((group * scale, scale))
        self.current, self.shift = None, None
        return True

    @property
    def value(self) -> Fraction | None:
        if self.current is None and not self.groups:
            # A shift alone counts from one ("सवा" is 1 1/4, "पौने" 3/4), except "साढ़े", which needs its number.
            return None if self.shift is None or self.shift == Fraction(1, 2) else 1 + self.shift
        if not self.groups:
            return self.current
        return sum((value for value, _ in self.groups), start=self.current or Fraction(0))


def _read(pieces: Sequence[Piece | None], start: int) -> Span | None:
    number = _Sum()
    at = start
    while at < len(pieces):
        piece = pieces[at]
        if piece is None:
            break
        if piece.role is Role.BRIDGE:
            part, end = _part_after(pieces, at)
            if part and number.add_part(part):
                at = end
            elif not _bridges(number, pieces, at):
                break
        elif not number.take(piece):
            break
        at += 1
    value = number.value
    if value is None:
        return None
    if at < len(pieces) and (piece := pieces[at]) is not None and piece.role is Role.POINT:
        value, at = _decimals(value, pieces, at)
    return Span(value, start, at)


def _bridges(number: _Sum, pieces: Sequence[Piece | None], at: int) -> bool:
    """Whether an "and" stands within the number ("two hundred and five") and not between two."""
    following = pieces[at + 1] if at + 1 < len(pieces) else None
    return (
        number.last in (Role.HUNDRED, Role.HUNDREDS, Role.SCALE)
        and following is not None
        and following.role in (Role.NUMBER, Role.TENS)
        and following.value >= 1
    )


def _part_after(pieces: Sequence[Piece | None], bridge: int) -> tuple[Fraction, int]:
    """The half or quarter that an "and" at `bridge` leads to, an article before it or not, and where it is; 0
    for none.
    """
    for at in range(bridge + 1, min(bridge + 3, len(pieces))):
        piece = pieces[at]
        if piece is not None:
            return (piece.value if piece.role is Role.NUMBER and 0 < piece.value < 1 else Fraction(0)), at
    return Fraction(0), bridge


def _decimals(whole: Fraction, pieces: Sequence[Piece | None], at: int) -> tuple[Fraction, int]:
    """The digits after a point at `at`; without any, the point is no part of the number."""
    digits = ""
    end = at + 1
    while end < len(pieces) and (piece := pieces[end]) is not None and piece.role in (Role.NUMBER, Role.TENS):
        if piece.value.denominator != 1 or piece.value < 0:
            break
        digits += str(piece.value)
        end += 1
    if not digits or whole.denominator != 1:
        return whole, at
    return whole + Fraction(int(digits), 10 ** len(digits)), end
