"""The expressions of flows, node by node: what may be computed, and with what.

Jinja2 parses; its tree is turned into plain closures here, and only the nodes listed below are known. So
there is no attribute, call, loop, macro or import to escape through. The types of both sides of an operator
are checked when the flow is loaded.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jinja2 import nodes

from ivr.flow.expressions import ExpressionError, Scope, Shape, Values
from ivr.flow.problems import did_you_mean
from ivr.flow.types import KINDS, MAX_NUMBER, Family


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled node: how to compute it, what it is, and which names it must find filled."""

    run: Callable[[Values], Any]
    shape: Shape
    needs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    constant: bool = False
    options: tuple[str, ...] = ()
    value: Any = None


MAX_NESTING = 60
"""Most parts of an expression within each other; a sum counts each + once. It bounds the stack of a call."""

_NOTHING = Shape(Family.NOTHING)
_TRUTH = Shape(Family.TRUTH)
_NUMBER = Shape(Family.NUMBER, "count")
_TEXT = Shape(Family.TEXT, "text")

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}

_REFUSED: Mapping[type[nodes.Node], str] = {
    nodes.Getattr: "attributes (a.b) are not read here",
    nodes.Call: "functions cannot be called here",
    nodes.Pow: "powers are not computed here",
    nodes.For: "loops are not allowed here",
    nodes.Macro: "macros are not allowed here",
    nodes.CallBlock: "macros are not allowed here",
    nodes.Import: "imports are not allowed here",
    nodes.FromImport: "imports are not allowed here",
    nodes.Include: "includes are not allowed here",
    nodes.Extends: "templates cannot extend others here",
    nodes.Block: "blocks are not allowed here",
    nodes.Assign: "set is a step of its own, not part of a text",
    nodes.AssignBlock: "set is a step of its own, not part of a text",
    nodes.Dict: "mappings are not allowed here",
    nodes.List: "a list may only stand after in",
    nodes.Tuple: "a list may only stand after in",
    nodes.FilterBlock: "a filter over a whole block is not allowed here",
}


def narrowing(tree: nodes.Node) -> tuple[frozenset[str], frozenset[str]]:
    """Names that surely hold a value when the condition holds, and those that surely do when it does not."""
    empty: frozenset[str] = frozenset()
    if isinstance(tree, nodes.Test) and isinstance(tree.node, nodes.Name):
        name = frozenset((tree.node.name,))
        return {"none": (empty, name), "defined": (name, empty)}.get(tree.name, (empty, empty))
    if isinstance(tree, nodes.Not):
        present, absent = narrowing(tree.node)
        return absent, present
    if isinstance(tree, nodes.And):
        return narrowing(tree.left)[0] | narrowing(tree.right)[0], empty
    if isinstance(tree, nodes.Or):
        return empty, narrowing(tree.left)[1] | narrowing(tree.right)[1]
    return empty, empty


class ExpressionCompiler:
    """Turns Jinja2's expressions into closures over the values of a call."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._depth = 0

    def expression(self, node: nodes.Node) -> Part:
        if self._depth >= MAX_NESTING:
            raise ExpressionError("nested too deeply", "compute it in parts, each by a set step of its own")
        self._depth += 1
        try:
            return self._part(node)
        finally:
            self._depth -= 1

    def _part(self, node: nodes.Node) -> Part:
        if isinstance(node, nodes.Name):
            return self.name(node.name)
        if isinstance(node, nodes.Const):
            return self._constant(node.value)
        if isinstance(node, nodes.Compare):
            return self._compare(node)
        if isinstance(node, nodes.And | nodes.Or):
            return self._junction(node)
        if isinstance(node, nodes.Not):
            inner = self.expression(node.node)
            run = inner.run
            return Part(lambda values: not run(values), _TRUTH, inner.needs, inner.names)
        if isinstance(node, nodes.Neg | nodes.Pos):
            return self._sign(node)
        if isinstance(node, nodes.Add | nodes.Sub | nodes.Mul | nodes.Div | nodes.FloorDiv | nodes.Mod):
            return self._arithmetic(node)
        if isinstance(node, nodes.Concat):
            return self._concat(node)
        if isinstance(node, nodes.CondExpr):
            return self._choice(node)
        if isinstance(node, nodes.Test):
            return self._test(node)
        if isinstance(node, nodes.Filter):
            return self._filter(node)
        if isinstance(node, nodes.Getitem):
            return self._slice(node)
        raise refused(node)

    def name(self, name: str) -> Part:
        declared = self._scope.get(name)
        if declared is None:
            raise ExpressionError(
                f'"{name}" is not declared',
                did_you_mean(name, self._scope) or "declare it in params, result or variables",
            )
        one = frozenset((name,))
        shape = Shape(declared.family, declared.kind)
        return Part(operator.itemgetter(name), shape, one, one, options=declared.options)

    def _constant(self, value: Any) -> Part:
        if value is None:
            return Part(lambda _: None, _NOTHING, constant=True)
        if isinstance(value, bool):
            return Part(lambda _: value, _TRUTH, constant=True, value=value)
        if isinstance(value, int | float):
            number = value if isinstance(value, int) else Decimal(str(value))
            if not -MAX_NUMBER < number < MAX_NUMBER:
                raise ExpressionError("the number is too large")
            return Part(lambda _: number, _NUMBER, constant=True, value=number)
        if isinstance(value, str):
            return Part(lambda _: value, _TEXT, constant=True, value=value)
        raise ExpressionError("only numbers and texts may stand here")

    def _compare(self, node: nodes.Compare) -> Part:
        left = first = self.expression(node.expr)
        steps: list[tuple[Callable[[Any, Any], Any], Callable[[Values], Any]]] = []
        needs, names = left.needs, left.names
        for operand in node.ops:
            if operand.op in ("in", "notin"):
                right = self._members(left, operand.expr)
                member = operand.op == "in"
                steps.append((_is_in if member else _is_not_in, right.run))
            else:
                right = self.expression(operand.expr)
                self._comparable(left, right, equality=operand.op in ("eq", "ne"))
                steps.append((_COMPARE[operand.op], right.run))
            needs, names = needs | right.needs, names | right.names
            left = right
        start = first.run
        if len(steps) == 1:
            compare, other = steps[0]
            return Part(lambda values: compare(start(values), other(values)), _TRUTH, needs, names)

        def chain(values: Values) -> bool:
            value = start(values)
            for compare, other in steps:
                following = other(values)
                if not compare(value, following):
                    return False
                value = following
            return True

        return Part(chain, _TRUTH, needs, names)

    def _members(self, left: Part, node: nodes.Node) -> Part:
        if isinstance(node, nodes.Name) and (named := self.name(node.name)).shape.family is Family.LIST:
            if left.shape.family is not Family.TEXT:
                raise ExpressionError(f"{_describe(left)} is in no list: lists hold texts")
            return named
        if not isinstance(node, nodes.List | nodes.Tuple):
            raise ExpressionError('"in" wants a list', "write: x in ['a', 'b']")
        parts = [self.expression(item) for item in node.items]
        for part in parts:
            self._comparable(left, part, equality=True)
        runs = [part.run for part in parts]
        needs = frozenset[str]().union(*(part.needs for part in parts))
        names = frozenset[str]().union(*(part.names for part in parts))
        return Part(lambda values: [run(values) for run in runs], _NOTHING, needs, names)

    def _comparable(self, left: Part, right: Part, *, equality: bool) -> None:
        families = (left.shape.family, right.shape.family)
        if Family.NOTHING in families:
            raise ExpressionError("none cannot be compared", 'write "is none" or "is not none"')
        if families[0] is not families[1]:
            raise ExpressionError(f"{_describe(left)} cannot be compared with {_describe(right)}")
        if families[0] is Family.LIST:
            raise ExpressionError("lists are not compared", "write: 'text' in name")
        if families[0] is Family.TRUTH and not equality:
            raise ExpressionError(f"{_describe(left)} is neither more nor less", "use it as the condition")
        for one, other in ((left, right), (right, left)):
            if equality and one.options and other.constant and other.value not in one.options:
                raise ExpressionError(
                    f'"{other.value}" is not one of {", ".join(one.options)}',
                    did_you_mean(str(other.value), one.options),
                )

    def _junction(self, node: nodes.And | nodes.Or) -> Part:
        left, right = self.expression(node.left), self.expression(node.right)
        present, absent = narrowing(node.left)
        known = present if isinstance(node, nodes.And) else absent
        needs = left.needs | (right.needs - known)
        names = left.names | right.names
        a, b = left.run, right.run
        if isinstance(node, nodes.And):
            return Part(lambda values: bool(a(values) and b(values)), _TRUTH, needs, names)
        return Part(lambda values: bool(a(values) or b(values)), _TRUTH, needs, names)

    def _sign(self, node: nodes.Neg | nodes.Pos) -> Part:
        inner = self.expression(node.node)
        self._number(inner)
        run = inner.run
        if isinstance(node, nodes.Pos):
            return inner
        return Part(lambda values: -run(values), inner.shape, inner.needs, inner.names, inner.constant)

    def _arithmetic(self, node: nodes.BinExpr) -> Part:
        left, right = self.expression(node.left), self.expression(node.right)
        families = (left.shape.family, right.shape.family)
        if families == (Family.TEXT, Family.TEXT) and isinstance(node, nodes.Add):
            raise ExpressionError("+ adds numbers", "join texts with ~")
        self._number(left)
        self._number(right)
        shape = left.shape if left.shape.kind != "count" else right.shape
        if isinstance(node, nodes.Div) and left.shape.kind == right.shape.kind:
            shape = _NUMBER
        compute: Callable[[Any, Any], Any] = {
            nodes.Add: operator.add,
            nodes.Sub: operator.sub,
            nodes.Mul: operator.mul,
            nodes.Div: lambda a, b: _tidy(Decimal(a) / Decimal(b)),
            nodes.FloorDiv: operator.floordiv,
            nodes.Mod: operator.mod,
        }[type(node)]
        a, b = left.run, right.run
        return Part(
            lambda values: compute(a(values), b(values)),
            shape,
            left.needs | right.needs,
            left.names | right.names,
        )

    def _number(self, part: Part) -> None:
        if part.shape.family is not Family.NUMBER:
            raise ExpressionError(f"{_describe(part)} cannot be computed with")

    def _concat(self, node: nodes.Concat) -> Part:
        parts = [self.expression(child) for child in node.nodes]
        for part in parts:
            if part.shape.family is not Family.TEXT:
                raise ExpressionError(f"~ joins texts, not {_describe(part)}")
        runs = [part.run for part in parts]
        needs = frozenset[str]().union(*(part.needs for part in parts))
        names = frozenset[str]().union(*(part.names for part in parts))
        return Part(lambda values: "".join(run(values) for run in runs), _TEXT, needs, names)

    def _choice(self, node: nodes.CondExpr) -> Part:
        if node.expr2 is None:
            raise ExpressionError("if without else", "write: a if condition else b")
        test, yes, no = self.expression(node.test), self.expression(node.expr1), self.expression(node.expr2)
        if yes.shape.family is not no.shape.family:
            raise ExpressionError(f"{_describe(yes)} or {_describe(no)}: both sides must be of one type")
        present, absent = narrowing(node.test)
        t, a, b = test.run, yes.run, no.run
        shape = yes.shape if not yes.constant else no.shape
        needs = test.needs | (yes.needs - present) | (no.needs - absent)
        return Part(
            lambda values: a(values) if t(values) else b(values),
            shape,
            needs,
            test.names | yes.names | no.names,
        )

    def _test(self, node: nodes.Test) -> Part:
        if node.name not in ("none", "defined") or not isinstance(node.node, nodes.Name):
            raise ExpressionError(
                f'the test "is {node.name}" is not known', 'known are "is none" and "is defined"'
            )
        part = self.name(node.node.name)
        run, wanted = part.run, node.name == "none"
        return Part(lambda values: (run(values) is None) is wanted, _TRUTH, frozenset(), part.names)

    def _filter(self, node: nodes.Filter) -> Part:
        if node.node is None:
            raise ExpressionError("filter blocks are not allowed here")
        inner = self.expression(node.node)
        run = inner.run
        if node.name in KINDS and not node.args:
            wanted = KINDS[node.name]
            if wanted.family is not inner.shape.family:
                raise ExpressionError(f"{_describe(inner)} cannot be said as {node.name}")
            return Part(run, Shape(wanted.family, node.name), inner.needs, inner.names, options=inner.options)
        if node.name == "default" and len(node.args) == 1:
            other = self.expression(node.args[0])
            if other.shape.family is not inner.shape.family:
                raise ExpressionError(f"{_describe(inner)} cannot default to {_describe(other)}")
            fallback = other.run
            return Part(
                lambda values: fallback(values) if (value := run(values)) is None else value,
                inner.shape,
                other.needs,
                inner.names | other.names,
            )
        if node.name == "length" and not node.args and inner.shape.family in (Family.TEXT, Family.LIST):
            return Part(lambda values: len(run(values)), _NUMBER, inner.needs, inner.names)
        if node.name == "round" and not node.args and inner.shape.family is Family.NUMBER:
            return Part(lambda values: round(run(values)), inner.shape, inner.needs, inner.names)
        family = inner.shape.family
        known = ["default", *(name for name, kind in KINDS.items() if kind.family is family)]
        known += ["round"] if family is Family.NUMBER else []
        known += ["length"] if family in (Family.TEXT, Family.LIST) else []
        raise ExpressionError(f'the filter "{node.name}" is not known here', did_you_mean(node.name, known))

    def _slice(self, node: nodes.Getitem) -> Part:
        inner = self.expression(node.node)
        if inner.shape.family is not Family.TEXT:
            raise ExpressionError(f"no part of {_describe(inner)} can be taken")
        if not isinstance(node.arg, nodes.Slice) or node.arg.step is not None:
            raise ExpressionError("single parts are not read here", "write a range, such as order[-4:]")
        bounds: list[int | None] = []
        for bound in (node.arg.start, node.arg.stop):
            value = None if bound is None else _literal(bound)
            bounds.append(value)
        cut = slice(*bounds)
        run = inner.run
        return Part(lambda values: run(values)[cut], inner.shape, inner.needs, inner.names)


def refused(node: nodes.Node) -> ExpressionError:
    """The error for a node that is not known here."""
    return ExpressionError(_REFUSED.get(type(node), f"{type(node).__name__.lower()} is not allowed here"))


def _literal(node: nodes.Node) -> int:
    negative = isinstance(node, nodes.Neg)
    inner = node.node if isinstance(node, nodes.Neg) else node
    if isinstance(inner, nodes.Const) and type(inner.value) is int:
        return -inner.value if negative else inner.value
    raise ExpressionError("the range of a part must be written in numbers", "such as order[-4:]")


def _is_in(value: Any, members: Sequence[Any]) -> bool:
    return value in members


def _is_not_in(value: Any, members: Sequence[Any]) -> bool:
    return value not in members


def _tidy(number: Decimal) -> Decimal:
    """A quotient to two decimals, which is what can be spoken."""
    return round(number, 2)


def _describe(part: Part) -> str:
    if part.shape.family is Family.NOTHING:
        return "none"
    if part.constant:
        return f'"{part.value}"' if isinstance(part.value, str) else str(part.value)
    if part.shape == _TRUTH:
        return "a condition"
    name = f'"{next(iter(part.names))}" ' if len(part.names) == 1 else ""
    return f"{name}({part.shape.kind})"
