"""A flow as bytes, so that one process can read and prove it and another can run it.

A compiled expression is closures, which do not travel: its source does, with the types of its names, and it
is compiled anew where it is first needed. Everything else of a flow is data.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any

from ivr.flow.compiling import SpokenName, compile_condition, compile_text
from ivr.flow.expressions import Expression, Piece, Plain, Scope, Shape, Speak, Template, Values
from ivr.flow.model import Flow
from ivr.flow.respelling import Respelling


def pack(flow: Flow) -> bytes:
    """The flow as bytes; only for `unpack` of the same release of this program."""
    packed = io.BytesIO()
    _Pickler(packed, pickle.HIGHEST_PROTOCOL).dump(flow)
    return packed.getvalue()


def unpack(packed: bytes) -> Flow:
    """The flow again. The bytes must come from `pack`: unpickling runs what is in them."""
    flow: Flow = pickle.loads(packed)
    return flow


class _LateExpression:
    """Runs an expression that is compiled when it is first needed."""

    def __init__(self, source: str, scope: Scope) -> None:
        self._source = source
        self._scope = scope

    def __call__(self, values: Values) -> Any:
        return self._run(values)

    @cached_property
    def _run(self) -> Callable[[Values], Any]:
        return compile_condition(self._source, self._scope).run


class _LateText:
    """A prompt text that is compiled when a piece of it is first needed."""

    def __init__(self, source: str, scope: Scope, plain: Plain, respell: Respelling | None) -> None:
        self._parts = (source, scope, plain, respell)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        return compile_text(*self._parts).pieces


class _LatePiece:
    """One piece of it."""

    def __init__(self, text: _LateText, place: int) -> None:
        self._text = text
        self._place = place

    def __call__(self, values: Values, speak: Speak) -> str:
        piece = self._text.pieces[self._place]
        return piece if isinstance(piece, str) else piece(values, speak)


def _expression(
    source: str,
    shape: Shape,
    names: frozenset[str],
    needs: frozenset[str],
    present: frozenset[str],
    absent: frozenset[str],
    scope: Scope,
) -> Expression:
    late = _LateExpression(source, scope)
    return Expression(source, shape, names, needs, present, absent, late, scope)


def _reduce_expression(expression: Expression) -> tuple[Any, ...]:
    e = expression
    return _expression, (e.source, e.shape, e.names, e.needs, e.present, e.absent, e.scope)


def _template(
    source: str,
    names: frozenset[str],
    needs: frozenset[str],
    pieces: tuple[str | SpokenName | None, ...],
    plain: Plain,
    scope: Scope,
    respell: Respelling | None,
) -> Template:
    late = _LateText(source, scope, plain, respell)
    made = tuple(_LatePiece(late, place) if piece is None else piece for place, piece in enumerate(pieces))
    return Template(source, names, needs, made, plain, scope, respell)


def _reduce_template(template: Template) -> tuple[Any, ...]:
    t = template
    pieces = tuple(piece if isinstance(piece, str | SpokenName) else None for piece in t.pieces)
    return _template, (t.source, t.names, t.needs, pieces, t.plain, t.scope, t.respell)


_Reduce = Callable[[Any], tuple[Any, ...]]


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind not in _REDUCERS:
            _REDUCERS[kind] = _reducer(kind)
        reduce = _REDUCERS[kind]
        return NotImplemented if reduce is None else reduce(obj)


_REDUCERS: dict[type, _Reduce | None] = {Expression: _reduce_expression, Template: _reduce_template}
"""How values of a class travel; None: in the usual way."""


def _reducer(kind: type) -> _Reduce | None:
    if not is_dataclass(kind) or "__slots__" not in kind.__dict__:
        return None
    if not all(field.init and not field.kw_only for field in fields(kind)):
        return None
    # Frozen dataclasses with slots are filled field by field, in Python: to make them anew takes a third.
    names = [field.name for field in fields(kind)]
    return lambda value: (kind, tuple(getattr(value, name) for name in names))
