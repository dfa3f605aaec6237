"""Conditions and prompt texts: the grammar is Jinja2's, what may be done with it is a short list.

Jinja2 parses; its tree is turned into plain closures here, and only the nodes listed below are known. So
there is no attribute, call, loop, macro or import to escape through, the types of both sides of an operator
are checked when the flow is loaded, and a value keeps its type up to the place where it is spoken: `{{
amount }}` is said as rupees, `{{ order }}` digit by digit. A name that is not declared is an error when the
flow is loaded (strict undefined).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ivr.flow.problems import did_you_mean
from ivr.flow.types import KINDS, MAX_NUMBER, Family, Value, ValueType

MAX_SOURCE = 4000
"""Longest prompt text, in characters."""

MAX_CONDITION = 500
"""Longest expression, in characters (this also bounds how deep it can nest)."""

MAX_SPOKEN = 6000
"""Longest rendered prompt, in characters; what is beyond is cut off."""

Values = Mapping[str, Value]
Scope = Mapping[str, ValueType]
Speak = Callable[[Value, str], str]
"""Turns a value of a kind into words; the language is already chosen."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=False)


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
    """A compiled expression. `needs` are the names that must hold a value when it is evaluated; `names` are
    all."""

    source: str
    shape: Shape
    names: frozenset[str]
    needs: frozenset[str]
    present: frozenset[str]
    absent: frozenset[str]
    run: Callable[[Values], Any]

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
    """A compiled prompt text of one language."""

    source: str
    names: frozenset[str]
    needs: frozenset[str]
    pieces: tuple[str | Callable[[Values, Speak], str], ...]

    def render(self, values: Values, speak: Speak) -> str:
        """The text with every value in words; raises `EvaluationError`."""
        try:
            parts = [piece if isinstance(piece, str) else piece(values, speak) for piece in self.pieces]
        except (ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise EvaluationError(f"{self.source[:60]}: {error}") from error
        return " ".join("".join(parts)[:MAX_SPOKEN].split())


@dataclass(frozen=True, slots=True)
class _Part:
    """A compiled node: how to compute it, what it is, and which names it must find filled."""

    run: Callable[[Values], Any]
    shape: Shape
    needs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    constant: bool = False
    options: tuple[str, ...] = ()
    value: Any = None


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
}


def compile_condition(source: str, scope: Scope) -> Expression:
    """Compiles a condition or value expression; raises `ExpressionError`."""
    if len(source) > MAX_CONDITION:
        raise ExpressionError(f"longer than {MAX_CONDITION} characters")
    try:
        parser = Parser(_ENVIRONMENT, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise ExpressionError(f"not understood from {parser.stream.current.value!r} on")
    except TemplateSyntaxError as error:
        raise ExpressionError(f"not understood: {error.message}") from None
    except RecursionError:
        raise ExpressionError("nested too deeply") from None
    part = _Compiler(scope).expression(tree)
    present, absent = _narrowing(tree)
    return Expression(source, part.shape, part.names, part.needs, present, absent, part.run)


def _narrowing(tree: nodes.Node) -> tuple[frozenset[str], frozenset[str]]:
    """Names that surely hold a value when the condition holds, and those that surely do when it does not."""
    empty: frozenset[str] = frozenset()
    if isinstance(tree, nodes.Test) and isinstance(tree.node, nodes.Name):
        name = frozenset((tree.node.name,))
        return {"none": (empty, name), "defined": (name, empty)}.get(tree.name, (empty, empty))
    if isinstance(tree, nodes.Not):
        present, absent = _narrowing(tree.node)
        return absent, present
    if isinstance(tree, nodes.And):
        return _narrowing(tree.left)[0] | _narrowing(tree.right)[0], empty
    if isinstance(tree, nodes.Or):
        return empty, _narrowing(tree.left)[1] | _narrowing(tree.right)[1]
    return empty, empty


_SIMPLE = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}")
_RESERVED = frozenset(
    ("true", "false", "none", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is")
)


def compile_text(source: str, scope: Scope, plain: Callable[[str], str]) -> Template:
    """Compiles a prompt text; `plain` puts the fixed parts into words. Raises `ExpressionError`."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"longer than {MAX_SOURCE} characters")
    compiler = _Compiler(scope)
    parts = _SIMPLE.split(source)
    fixed, found = parts[0::2], parts[1::2]
    if any("{%" in part or "{{" in part or "{#" in part for part in fixed) or _RESERVED.intersection(found):
        return _compile_tree(source, compiler, plain)
    pieces: list[str | Callable[[Values, Speak], str]] = []
    for number, part in enumerate(parts):
        if number % 2:
            pieces.append(_spoken(compiler.name(part)))
        elif part:
            pieces.append(_words(part, plain))
    names = frozenset(found)
    return Template(source, names, names, tuple(pieces))


def _compile_tree(source: str, compiler: _Compiler, plain: Callable[[str], str]) -> Template:
    try:
        tree = _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        raise ExpressionError(f"not understood: {error.message}") from None
    except RecursionError:
        raise ExpressionError("nested too deeply") from None
    body = compiler.body(tree.body, plain)
    return Template(source, body.names, body.needs, body.pieces)


def _words(text: str, plain: Callable[[str], str]) -> str:
    """The fixed part of a text in words, with the white space at its ends kept."""
    core = text.strip()
    if not core:
        return " "
    start = text[: len(text) - len(text.lstrip())]
    return start + plain(core) + text[len(text.rstrip()) :]


def _spoken(part: _Part) -> Callable[[Values, Speak], str]:
    run, kind = part.run, part.shape.kind

    def piece(values: Values, speak: Speak) -> str:
        value = run(values)
        if value is None:
            return ""
        if isinstance(value, bool):
            raise TypeError("yes or no cannot be spoken")
        return speak(value, kind)

    return piece


@dataclass(frozen=True, slots=True)
class _Body:
    pieces: tuple[str | Callable[[Values, Speak], str], ...]
    names: frozenset[str]
    needs: frozenset[str]


class _Compiler:
    """Turns Jinja2's tree into closures, node by node."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    # --- texts

    def body(self, body: list[nodes.Node], plain: Callable[[str], str]) -> _Body:
        pieces: list[str | Callable[[Values, Speak], str]] = []
        names: set[str] = set()
        needs: set[str] = set()
        for node in body:
            if isinstance(node, nodes.Output):
                for child in node.nodes:
                    if isinstance(child, nodes.TemplateData):
                        pieces.append(_words(child.data, plain))
                        continue
                    part = self.expression(child)
                    if part.shape.family is Family.TRUTH:
                        raise ExpressionError(
                            "yes or no cannot be spoken", "write {% if ... %}...{% endif %}"
                        )
                    pieces.append(_spoken(part))
                    names |= part.names
                    needs |= part.needs
            elif isinstance(node, nodes.If):
                piece, inner = self._if(node, plain)
                pieces.append(piece)
                names |= inner.names
                needs |= inner.needs
            else:
                raise self._refused(node)
        return _Body(tuple(pieces), frozenset(names), frozenset(needs))

    def _if(
        self, node: nodes.If, plain: Callable[[str], str]
    ) -> tuple[Callable[[Values, Speak], str], _Body]:
        cases: list[tuple[_Part, _Body]] = []
        known: frozenset[str] = frozenset()
        names: frozenset[str] = frozenset()
        needs: frozenset[str] = frozenset()
        for branch in (node, *node.elif_):
            test = self.expression(branch.test)
            present, absent = _narrowing(branch.test)
            body = self.body(branch.body, plain)
            cases.append((test, body))
            names |= test.names | body.names
            needs |= (test.needs | (body.needs - present)) - known
            known |= absent
        last = self.body(node.else_, plain)
        names |= last.names
        needs |= last.needs - known

        def piece(values: Values, speak: Speak) -> str:
            for test, body in cases:
                if test.run(values):
                    chosen = body
                    break
            else:
                chosen = last
            return "".join(p if isinstance(p, str) else p(values, speak) for p in chosen.pieces)

        return piece, _Body((), names, needs)

    # --- expressions

    def expression(self, node: nodes.Node) -> _Part:
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
            return _Part(lambda values: not run(values), _TRUTH, inner.needs, inner.names)
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
        raise self._refused(node)

    def name(self, name: str) -> _Part:
        declared = self._scope.get(name)
        if declared is None:
            raise ExpressionError(
                f'"{name}" is not declared',
                did_you_mean(name, self._scope) or "declare it in params, result or variables",
            )
        one = frozenset((name,))
        shape = Shape(declared.family, declared.kind)
        return _Part(operator.itemgetter(name), shape, one, one, options=declared.options)

    def _constant(self, value: Any) -> _Part:
        if value is None:
            return _Part(lambda _: None, _NOTHING, constant=True)
        if isinstance(value, bool):
            return _Part(lambda _: value, _TRUTH, constant=True, value=value)
        if isinstance(value, int | float):
            number = value if isinstance(value, int) else Decimal(str(value))
            if not -MAX_NUMBER < number < MAX_NUMBER:
                raise ExpressionError("the number is too large")
            return _Part(lambda _: number, _NUMBER, constant=True, value=number)
        if isinstance(value, str):
            return _Part(lambda _: value, _TEXT, constant=True, value=value)
        raise ExpressionError("only numbers and texts may stand here")

    def _compare(self, node: nodes.Compare) -> _Part:
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
            return _Part(lambda values: compare(start(values), other(values)), _TRUTH, needs, names)

        def chain(values: Values) -> bool:
            value = start(values)
            for compare, other in steps:
                following = other(values)
                if not compare(value, following):
                    return False
                value = following
            return True

        return _Part(chain, _TRUTH, needs, names)

    def _members(self, left: _Part, node: nodes.Node) -> _Part:
        if not isinstance(node, nodes.List | nodes.Tuple):
            raise ExpressionError('"in" wants a list', "write: x in ['a', 'b']")
        parts = [self.expression(item) for item in node.items]
        for part in parts:
            self._comparable(left, part, equality=True)
        runs = [part.run for part in parts]
        needs = frozenset[str]().union(*(part.needs for part in parts))
        names = frozenset[str]().union(*(part.names for part in parts))
        return _Part(lambda values: [run(values) for run in runs], _NOTHING, needs, names)

    def _comparable(self, left: _Part, right: _Part, *, equality: bool) -> None:
        families = (left.shape.family, right.shape.family)
        if Family.NOTHING in families:
            raise ExpressionError("none cannot be compared", 'write "is none" or "is not none"')
        if families[0] is not families[1]:
            raise ExpressionError(f"{_describe(left)} cannot be compared with {_describe(right)}")
        for one, other in ((left, right), (right, left)):
            if equality and one.options and other.constant and other.value not in one.options:
                raise ExpressionError(
                    f'"{other.value}" is not one of {", ".join(one.options)}',
                    did_you_mean(str(other.value), one.options),
                )

    def _junction(self, node: nodes.And | nodes.Or) -> _Part:
        left, right = self.expression(node.left), self.expression(node.right)
        present, absent = _narrowing(node.left)
        known = present if isinstance(node, nodes.And) else absent
        needs = left.needs | (right.needs - known)
        names = left.names | right.names
        a, b = left.run, right.run
        if isinstance(node, nodes.And):
            return _Part(lambda values: bool(a(values) and b(values)), _TRUTH, needs, names)
        return _Part(lambda values: bool(a(values) or b(values)), _TRUTH, needs, names)

    def _sign(self, node: nodes.Neg | nodes.Pos) -> _Part:
        inner = self.expression(node.node)
        self._number(inner)
        run = inner.run
        if isinstance(node, nodes.Pos):
            return inner
        return _Part(lambda values: -run(values), inner.shape, inner.needs, inner.names, inner.constant)

    def _arithmetic(self, node: nodes.BinExpr) -> _Part:
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
        return _Part(
            lambda values: compute(a(values), b(values)),
            shape,
            left.needs | right.needs,
            left.names | right.names,
        )

    def _number(self, part: _Part) -> None:
        if part.shape.family is not Family.NUMBER:
            raise ExpressionError(f"{_describe(part)} cannot be computed with")

    def _concat(self, node: nodes.Concat) -> _Part:
        parts = [self.expression(child) for child in node.nodes]
        for part in parts:
            if part.shape.family is not Family.TEXT:
                raise ExpressionError(f"~ joins texts, not {_describe(part)}")
        runs = [part.run for part in parts]
        needs = frozenset[str]().union(*(part.needs for part in parts))
        names = frozenset[str]().union(*(part.names for part in parts))
        return _Part(lambda values: "".join(run(values) for run in runs), _TEXT, needs, names)

    def _choice(self, node: nodes.CondExpr) -> _Part:
        if node.expr2 is None:
            raise ExpressionError("if without else", "write: a if condition else b")
        test, yes, no = self.expression(node.test), self.expression(node.expr1), self.expression(node.expr2)
        if yes.shape.family is not no.shape.family:
            raise ExpressionError(f"{_describe(yes)} or {_describe(no)}: both sides must be of one type")
        present, absent = _narrowing(node.test)
        t, a, b = test.run, yes.run, no.run
        shape = yes.shape if not yes.constant else no.shape
        needs = test.needs | (yes.needs - present) | (no.needs - absent)
        return _Part(
            lambda values: a(values) if t(values) else b(values),
            shape,
            needs,
            test.names | yes.names | no.names,
        )

    def _test(self, node: nodes.Test) -> _Part:
        if node.name not in ("none", "defined") or not isinstance(node.node, nodes.Name):
            raise ExpressionError(
                f'the test "is {node.name}" is not known', 'known are "is none" and "is defined"'
            )
        part = self.name(node.node.name)
        run, wanted = part.run, node.name == "none"
        return _Part(lambda values: (run(values) is None) is wanted, _TRUTH, frozenset(), part.names)

    def _filter(self, node: nodes.Filter) -> _Part:
        if node.node is None:
            raise ExpressionError("filter blocks are not allowed here")
        inner = self.expression(node.node)
        run = inner.run
        if node.name in KINDS and not node.args:
            wanted = KINDS[node.name]
            if wanted.family is not inner.shape.family:
                raise ExpressionError(f"{_describe(inner)} cannot be said as {node.name}")
            return _Part(
                run, Shape(wanted.family, node.name), inner.needs, inner.names, options=inner.options
            )
        if node.name == "default" and len(node.args) == 1:
            other = self.expression(node.args[0])
            if other.shape.family is not inner.shape.family:
                raise ExpressionError(f"{_describe(inner)} cannot default to {_describe(other)}")
            fallback = other.run
            return _Part(
                lambda values: fallback(values) if (value := run(values)) is None else value,
                inner.shape,
                other.needs,
                inner.names | other.names,
            )
        if node.name == "length" and not node.args and inner.shape.family is Family.TEXT:
            return _Part(lambda values: len(run(values)), _NUMBER, inner.needs, inner.names)
        if node.name == "round" and not node.args and inner.shape.family is Family.NUMBER:
            return _Part(lambda values: round(run(values)), inner.shape, inner.needs, inner.names)
        known = ("default", "length", "round", *KINDS)
        raise ExpressionError(f'the filter "{node.name}" is not known here', did_you_mean(node.name, known))

    def _slice(self, node: nodes.Getitem) -> _Part:
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
        return _Part(lambda values: run(values)[cut], inner.shape, inner.needs, inner.names)

    def _refused(self, node: nodes.Node) -> ExpressionError:
        return ExpressionError(_REFUSED.get(type(node), f"{type(node).__name__.lower()} is not allowed here"))


def _literal(node: nodes.Node) -> int:
    negative = isinstance(node, nodes.Neg)
    inner = node.node if isinstance(node, nodes.Neg) else node
    if isinstance(inner, nodes.Const) and type(inner.value) is int:
        return -inner.value if negative else inner.value
    raise ExpressionError("the range of a part must be written in numbers", "such as order[-4:]")


def _is_in(value: Any, members: list[Any]) -> bool:
    return value in members


def _is_not_in(value: Any, members: list[Any]) -> bool:
    return value not in members


def _tidy(number: Decimal) -> Decimal:
    """A quotient to two decimals, which is what can be spoken."""
    return round(number, 2)


def _describe(part: _Part) -> str:
    if part.shape.family is Family.NOTHING:
        return "none"
    if part.constant:
        return f'"{part.value}"' if isinstance(part.value, str) else str(part.value)
    if part.shape.family is Family.TRUTH:
        return "a condition"
    name = f'"{next(iter(part.names))}" ' if len(part.names) == 1 else ""
    return f"{name}({part.shape.kind})"
