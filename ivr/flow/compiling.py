"""Conditions and prompt texts compiled once, when a flow is loaded.

The grammar is Jinja2's, what may be done with it is the short list of `ivr.flow.operators`. A value keeps
its type up to the place where it is spoken: `{{ amount }}` is said as rupees, `{{ order }}` digit by digit.
A name that is not declared is an error (strict undefined).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ivr.flow.expressions import (
    Expression,
    ExpressionError,
    Piece,
    Plain,
    Scope,
    Speak,
    Spoken,
    Template,
    Values,
)
from ivr.flow.operators import ExpressionCompiler, Part, narrowing, refused
from ivr.flow.respelling import Respelling
from ivr.flow.types import Family, Value, ValueType

MAX_SOURCE = 4000
"""Longest prompt text, in characters."""

MAX_CONDITION = 500
"""Longest expression, in characters (this also bounds how deep it can nest)."""

MAX_IFS = 10
"""Most {% if %} within each other."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=False)


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
        raise _not_understood(error) from None
    except RecursionError:
        raise ExpressionError("nested too deeply") from None
    part = ExpressionCompiler(scope).expression(tree)
    present, absent = narrowing(tree)
    types = {name: scope[name] for name in part.names}
    return Expression(source, part.shape, part.names, part.needs, present, absent, part.run, types)


_WRITTEN = frozenset(("text", "one_of", "list"))
"""Kinds that are said as they are written: words in them may be respelled."""

_SIMPLE = re.compile(r"\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}")
_SINGLE = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
_RESERVED = frozenset(
    ("true", "false", "none", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is")
)


def compile_text(source: str, scope: Scope, plain: Plain, respell: Respelling | None = None) -> Template:
    """Compiles a prompt text; raises `ExpressionError`. `plain` puts its fixed parts into words, `respell`
    is how words in its values are said."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"longer than {MAX_SOURCE} characters")
    compiler = _TextCompiler(scope, plain, respell)
    body = compiler.simple(source) or compiler.body(_parse_text(source).body)
    types = {name: scope[name] for name in body.names}
    return Template(source, body.names, body.needs, body.pieces, plain, types, respell)


class Compiler:
    """Compiles against the names of one flow, and knows what it has compiled: of a flow that is read again
    nearly all is as it was."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.condition = lru_cache(maxsize=1024)(self._condition)
        self.text = lru_cache(maxsize=2048)(self._text)

    def _condition(self, source: str) -> Expression:
        return compile_condition(source, self._scope)

    def _text(self, source: str, plain: Plain, respell: Respelling | None) -> Template:
        return compile_text(source, self._scope, plain, respell)


@lru_cache(maxsize=1024)
def compiler_of(types: tuple[tuple[str, ValueType], ...]) -> Compiler:
    """The compiler for names of these types."""
    return Compiler(dict(types))


def is_simple(source: str) -> bool:
    """Whether a text speaks of names alone: it costs next to nothing to compile."""
    parts = _SIMPLE.split(source)
    bare = not any(sign in part for part in parts[0::2] for sign in ("{%", "{{", "{#"))
    return bare and not _RESERVED.intersection(parts[1::2])


def _parse_text(source: str) -> nodes.Template:
    try:
        return _ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        raise _not_understood(error) from None
    except RecursionError:
        raise ExpressionError("nested too deeply") from None


def _not_understood(error: TemplateSyntaxError) -> ExpressionError:
    """The parser's words are for programmers; what authors leave out is told in plain ones."""
    said = error.message or ""
    if "end of print statement" in said:
        return ExpressionError("{{ is not closed", "end it with }}")
    if "The innermost block that needs to be closed is 'if'" in said:
        return ExpressionError("{% if %} is not closed", "end it with {% endif %}")
    if "end of template" in said:
        return ExpressionError("something is missing at the end", 'such as "amount > 1000"')
    return ExpressionError(f"not understood: {said}")


@dataclass(frozen=True, slots=True)
class _Body:
    """A part of a text: what it is made of, the names it may speak of, and those that must hold a value."""

    pieces: tuple[Piece, ...]
    names: frozenset[str]
    needs: frozenset[str]


class _TextCompiler:
    """Turns a text, or the tree of one, into pieces."""

    def __init__(self, scope: Scope, plain: Plain, respell: Respelling | None) -> None:
        self._expressions = ExpressionCompiler(scope)
        self._scope = scope
        self._plain = plain
        self._respell = respell
        self._depth = 0

    def simple(self, source: str) -> _Body | None:
        """A text of names alone, as most are, needs no tree; None when there is more in it."""
        if not is_simple(source):
            return None
        parts = _SIMPLE.split(source)
        found = parts[1::2]
        pieces: list[Piece] = []
        for number, part in enumerate(parts):
            if number % 2:
                pieces.append(_spoken_name(part, self._expressions.name(part).shape.kind, self._respell))
            elif part:
                pieces.append(self._fixed(part))
        names = frozenset(found)
        return _Body(tuple(pieces), names, names)

    def body(self, body: list[nodes.Node]) -> _Body:
        pieces: list[Piece] = []
        names: set[str] = set()
        needs: set[str] = set()
        for node in body:
            if isinstance(node, nodes.Output):
                for child in node.nodes:
                    if isinstance(child, nodes.TemplateData):
                        pieces.append(self._fixed(child.data))
                        continue
                    part = self._value(child)
                    pieces.append(_spoken(part, self._respell))
                    names |= part.names
                    needs |= part.needs
            elif isinstance(node, nodes.If):
                if self._depth >= MAX_IFS:
                    raise ExpressionError("nested too deeply", "write a prompt for each case, and branch")
                self._depth += 1
                chosen, inner = self._if(node)
                self._depth -= 1
                pieces.append(chosen)
                names |= inner.names
                needs |= inner.needs
            else:
                raise refused(node)
        return _Body(tuple(pieces), frozenset(names), frozenset(needs))

    def _value(self, node: nodes.Node) -> Part:
        part = self._expressions.expression(node)
        if part.shape.family is Family.TRUTH and part.shape.kind != "yes_no":
            raise ExpressionError("a condition cannot be spoken", "write {% if ... %}...{% endif %}")
        return part

    def _if(self, node: nodes.If) -> tuple[Spoken, _Body]:
        cases: list[tuple[Part, _Body]] = []
        known: frozenset[str] = frozenset()
        names: frozenset[str] = frozenset()
        needs: frozenset[str] = frozenset()
        for branch in (node, *node.elif_):
            test = self._expressions.expression(branch.test)
            present, absent = narrowing(branch.test)
            body = self.body(branch.body)
            cases.append((test, body))
            names |= test.names | body.names
            needs |= (test.needs | (body.needs - present)) - known
            known |= absent
        last = self.body(node.else_)
        names |= last.names
        needs |= last.needs - known

        def chosen(values: Values, speak: Speak) -> str:
            body = next((body for test, body in cases if test.run(values)), last)
            return "".join(p if isinstance(p, str) else p(values, speak) for p in body.pieces)

        return chosen, _Body((), names, needs)

    def _fixed(self, text: str) -> str:
        """The fixed part of a text in words, with the white space at its ends kept."""
        core = text.strip()
        if not core:
            return " "
        single = _SINGLE.search(core) if "{" in core else None
        if single is not None and single[1] in self._scope:
            raise ExpressionError(f"{single[0]} would be said as it stands", f"write {{{{ {single[1]} }}}}")
        return text[: len(text) - len(text.lstrip())] + self._plain(core) + text[len(text.rstrip()) :]


@dataclass(frozen=True, slots=True)
class SpokenName:
    """A value as it is, the part of most texts: nothing of it needs compiling."""

    name: str
    kind: str
    respell: Respelling | None = None

    def __call__(self, values: Values, speak: Speak) -> str:
        return _in_words(values[self.name], self.kind, self.respell, speak)


_spoken_name = lru_cache(maxsize=4096)(SpokenName)
"""Most texts speak of the same few names."""


def _spoken(part: Part, respell: Respelling | None) -> Spoken:
    run, kind = part.run, part.shape.kind

    def piece(values: Values, speak: Speak) -> str:
        return _in_words(run(values), kind, respell, speak)

    return piece


def _in_words(value: Value, kind: str, respell: Respelling | None, speak: Speak) -> str:
    if value is None:
        return ""
    if respell is not None and kind in _WRITTEN:
        value = tuple(map(respell, value)) if isinstance(value, tuple) else respell(str(value))
    return speak(value, kind)
