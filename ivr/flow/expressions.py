"""What a compiled condition or prompt text is, and what it needs (`ivr.flow.compiling` makes them)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ivr.flow.respelling import Respelling
from ivr.flow.types import Family, Value, ValueType

MAX_SPOKEN = 6000
"""Longest rendered prompt, in characters; what is beyond is cut off."""

_FIGURES: Final = frozenset(
    ("digits", "count", "rupees", "percent", "minutes", "date", "time", "phone", "order_id")
)
"""Kinds whose values are spoken as figures."""

Values = Mapping[str, Value]
Scope = Mapping[str, ValueType]
Speak = Callable[[Value, str], str]
"""Turns a value of a kind into words; the language is already chosen."""


Spoken = Callable[[Values, Speak], str]
"""The part of a text that depends on the call."""

Piece = str | Spoken

Plain = Callable[[str], str]
"""Puts the fixed part of a text into words."""


class ExpressionError(Exception):
    """The expression or text cannot be used; `hint` may say what to write."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EvaluationError(Exception):
    """The values at hand do not allow an answer (a value is not there, division by zero)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of an expression before any call: its family, and the kind it is spoken as."""

    family: Family
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. Of its `names`, `needs` must hold a value when it is evaluated; when it holds,
    `present` surely do, and when it does not, `absent`. `scope` are the types of the names: with them it can
    be compiled anew.
    """

    source: str
    shape: Shape
    names: frozenset[str]
    needs: frozenset[str]
    present: frozenset[str]
    absent: frozenset[str]
    run: Callable[[Values], Any] = field(repr=False)
    scope: Scope = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, values: Values) -> Any:
        """Raises `EvaluationError`."""
        try:
            return self.run(values)
        except (ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise EvaluationError(f"{self.source}: {error}") from error

    def holds(self, values: Values) -> bool:
        """The expression as a condition; raises `EvaluationError`."""
        return bool(self(values))


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled prompt text of one language. With `scope` (the types of its names), `plain` and `respell` it
    can be compiled anew."""

    source: str
    names: frozenset[str]
    needs: frozenset[str]
    pieces: tuple[Piece, ...]
    plain: Plain = field(repr=False, compare=False)
    scope: Scope = field(default_factory=dict, repr=False, compare=False)
    respell: Respelling | None = field(default=None, repr=False, compare=False)

    @property
    def figures(self) -> bool:
        """Whether it is nothing but figures (an amount, a date, an order's id), with no word beside them."""
        words = any(any(map(str.isalpha, piece)) for piece in self.pieces if isinstance(piece, str))
        kinds = {self.scope[name].kind for name in self.names if name in self.scope}
        return bool(kinds) and not words and kinds <= _FIGURES

    def render(self, values: Values, speak: Speak) -> str:
        """The text with every value in words; raises `EvaluationError`."""
        return joined(self.pieces, self.spoken(values, speak))

    def spoken(self, values: Values, speak: Speak) -> list[str]:
        """Every value in words, in the order of `pieces`; raises `EvaluationError`."""
        try:
            return [piece(values, speak) for piece in self.pieces if not isinstance(piece, str)]
        except (ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise EvaluationError(f"{self.source[:60]}: {error}") from error

    @property
    def fixed(self) -> tuple[str | None, ...]:
        """Its pieces, with None for each that depends on the call."""
        return tuple(piece if isinstance(piece, str) else None for piece in self.pieces)


def joined(pieces: Iterable[Piece], spoken: Iterable[str]) -> str:
    """The text of `pieces`, with those that depend on the call as they are `spoken`."""
    words = iter(spoken)
    text = "".join(piece if isinstance(piece, str) else next(words) for piece in pieces)
    return " ".join(text[:MAX_SPOKEN].split())
