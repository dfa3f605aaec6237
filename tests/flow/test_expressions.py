"""Conditions and texts: what they compute, what they refuse, and what they need."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.compiling import MAX_CONDITION, MAX_SOURCE, compile_condition, compile_text
from ivr.flow.expressions import EvaluationError, ExpressionError
from ivr.flow.types import Value, ValueType

SCOPE = {
    "vendor": ValueType("text"),
    "order": ValueType("digits"),
    "amount": ValueType("rupees"),
    "eta": ValueType("minutes", optional=True),
    "tries": ValueType("count"),
    "day": ValueType("date"),
    "other_day": ValueType("date"),
    "decision": ValueType("one_of", ("accepted", "rejected")),
}
VALUES: dict[str, Value] = {
    "vendor": "Sharma",
    "order": "48213",
    "amount": Decimal("1250.50"),
    "eta": None,
    "tries": 2,
    "day": dt.date(2026, 12, 31),
    "other_day": dt.date(2027, 1, 1),
    "decision": "accepted",
}


def speak(value: Value, kind: str) -> str:
    return f"<{kind} {value}>"


def text(source: str, **values: Any) -> str:
    return compile_text(source, SCOPE, str).render({**VALUES, **values}, speak)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("5 <= tries <= 240", False),
        ("1 <= tries < 3", True),
        ("amount > 1250", True),
        ("amount * 2 == 2501", True),
        ("amount / 2 > 625.2", True),
        ("tries % 2 == 0 and tries // 2 == 1", True),
        ("not (tries == 2)", False),
        ("-tries + 3 == 1", True),
        ("decision == 'accepted'", True),
        ("decision != 'accepted'", False),
        ("decision in ['accepted', 'rejected']", True),
        ("decision not in ['rejected']", True),
        ("eta is none", True),
        ("eta is not none", False),
        ("eta is defined and eta > 5", False),
        ("eta is none or eta > 5", True),
        ("eta | default(30) >= 30", True),
        ("order | length == 5", True),
        ("order[-3:] == '213'", True),
        ("day < other_day", True),
        ("vendor ~ order == 'Sharma48213'", True),
        ("(10 if tries > 1 else 20) == 10", True),
        ("amount | round == 1250", True),
        ("true and not false", True),
    ],
)
def test_conditions(source: str, wanted: bool) -> None:
    assert compile_condition(source, SCOPE).holds(VALUES) is wanted


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("vendor.upper()", "functions cannot be called"),
        ("vendor.__class__", "attributes"),
        ("vendor['__class__']", "single parts are not read"),
        ("order[0]", "single parts are not read"),
        ("order[::2]", "single parts are not read"),
        ("order[tries:]", "must be written in numbers"),
        ("range(10)", "functions cannot be called"),
        ("2 ** 64", "powers"),
        ("99999999999999 > 1", "too large"),
        ("{'a': 1}", "mappings"),
        ("[1, 2]", "a list may only stand after in"),
        ("vendor | attr('x')", 'the filter "attr" is not known'),
        ("vendor | map", 'the filter "map" is not known'),
        ("tries is odd", 'the test "is odd" is not known'),
        ("vendor > 5", '"vendor" (text) cannot be compared with 5'),
        ("day > 5", '"day" (date) cannot be compared with 5'),
        ("decision == 'acepted'", '"acepted" is not one of accepted, rejected'),
        ("decision in vendor", '"in" wants a list'),
        ("eta == none", "none cannot be compared"),
        ("vendor + order", "+ adds numbers"),
        ("vendor * 3", '"vendor" (text) cannot be computed with'),
        ("day + 1", '"day" (date) cannot be computed with'),
        ("vendor ~ tries", "~ joins texts"),
        ("vendor | rupees", "cannot be said as rupees"),
        ("1 if tries > 1", "if without else"),
        ("vendor if tries > 1 else 2", "both sides must be of one type"),
        ("etta > 1", '"etta" is not declared'),
        ("tries >", "something is missing at the end"),
        ("tries 5", "not understood from 5 on"),
        ("(" * 400 + "1" + ")" * 90, "not understood"),
        ("1 + " * 200 + "1", f"longer than {MAX_CONDITION}"),
    ],
)
def test_refused_conditions(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(source, SCOPE)
    assert message in str(caught.value) or "nested too deeply" in str(caught.value)


@pytest.mark.parametrize("source", ["tries / 0 > 1", "eta > 5", "eta + 1 == 2", "tries % 0 == 1"])
def test_what_cannot_be_evaluated_is_one_kind_of_error(source: str) -> None:
    with pytest.raises(EvaluationError):
        compile_condition(source, SCOPE).holds(VALUES)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("Hello {{ vendor }}.", "Hello <text Sharma>."),
        ("{{ order }}", "<digits 48213>"),
        ("{{ amount }} in {{ tries }}", "<rupees 1250.50> in <count 2>"),
        ("{{ amount * 2 }}", "<rupees 2501.00>"),
        ("{{ tries + 1 }}", "<count 3>"),
        ("{{ amount / amount }}", "<count 1.00>"),
        ("{{ order[-4:] }}", "<digits 8213>"),
        ("{{ order | text }}", "<text 48213>"),
        ("{{ tries | minutes }}", "<minutes 2>"),
        ("{{ eta }}", ""),
        ("{{ eta | default(30) }}", "<minutes 30>"),
        ("{{ 'Dear' if tries > 1 else vendor }}", "<text Dear>"),
        ("{% if eta is none %}soon{% elif eta > 5 %}{{ eta }}{% else %}now{% endif %}", "soon"),
        ("a{# note #}b", "ab"),
        ("  many\n   spaces  {{ tries }}  ", "many spaces <count 2>"),
        ("{{ day }}", "<date 2026-12-31>"),
        ("no braces { here }", "no braces { here }"),
    ],
)
def test_texts(source: str, wanted: str) -> None:
    assert text(source) == wanted


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for x in [1] %}{{ x }}{% endfor %}", "loops are not allowed"),
        ("{% macro a() %}{% endmacro %}", "macros are not allowed"),
        ("{% import 'x' as y %}", "imports are not allowed"),
        ("{% from 'x' import y %}", "imports are not allowed"),
        ("{% include 'x' %}", "includes are not allowed"),
        ("{% extends 'x' %}", "templates cannot extend"),
        ("{% set x = 1 %}", "set is a step"),
        ("{% raw %}{{ x }}", "not understood"),
        ("{{ self }}", '"self" is not declared'),
        ("{{ cycler }}", '"cycler" is not declared'),
        ("{{ tries > 1 }}", "a condition cannot be spoken"),
        ("{{ vendor", "{{ is not closed"),
        ("{{ vendor | replace('a', 'b') }}", 'the filter "replace" is not known'),
        ("x" * (MAX_SOURCE + 1), f"longer than {MAX_SOURCE}"),
        ("{% if tries %}" * 200 + "{% endif %}" * 100, "{% if %} is not closed"),
        ("Hello {vendor}.", "{vendor} would be said as it stands"),
    ],
)
def test_refused_texts(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_text(source, SCOPE, str)
    assert message in str(caught.value) or "nested too deeply" in str(caught.value)


def test_the_fixed_part_is_put_into_words_once_and_the_spaces_around_it_stay() -> None:
    asked: list[str] = []

    def plain(fixed: str) -> str:
        asked.append(fixed)
        return fixed.replace("1", "one")

    template = compile_text("Press 1 for {{ vendor }} now", SCOPE, plain)
    assert asked == ["Press 1 for", "now"]
    assert template.render(VALUES, speak) == "Press one for <text Sharma> now"
    assert asked == ["Press 1 for", "now"]


def test_a_text_that_grows_without_end_is_cut() -> None:
    template = compile_text("{{ vendor }}" * 30, SCOPE, str)
    assert len(template.render({"vendor": "x" * 500}, speak)) == 6000


@pytest.mark.parametrize(
    ("source", "needs", "present", "absent"),
    [
        ("eta > 5", {"eta"}, set(), set()),
        ("eta is none", set(), set(), {"eta"}),
        ("eta is not none", set(), {"eta"}, set()),
        ("eta is not none and eta > 5", set(), {"eta"}, set()),
        ("eta is none or eta > 5", set(), set(), {"eta"}),
        ("eta | default(tries) > 5", {"tries"}, set(), set()),
        ("eta if eta is not none else tries", {"tries"}, set(), set()),
    ],
)
def test_which_values_must_be_there(
    source: str, needs: set[str], present: set[str], absent: set[str]
) -> None:
    compiled = compile_condition(source, SCOPE)
    assert (set(compiled.needs), set(compiled.present), set(compiled.absent)) == (needs, present, absent)


def test_a_value_spoken_only_where_it_is_there_is_not_needed() -> None:
    template = compile_text("{% if eta is not none %}{{ eta }}{% else %}{{ tries }}{% endif %}", SCOPE, str)
    assert template.needs == {"tries"}
    assert template.names == {"eta", "tries"}


@given(st.text(alphabet="etavndor 01.5()[]{}%|~+-*/<>='\"_:,isnoteadg", max_size=60))
def test_any_source_is_compiled_or_refused_and_never_anything_else(source: str) -> None:
    for make in (lambda: compile_condition(source, SCOPE), lambda: compile_text(source, SCOPE, str)):
        try:
            made = make()
        except ExpressionError:
            continue
        try:
            made.render(VALUES, speak) if hasattr(made, "render") else made(VALUES)
        except EvaluationError:
            continue


@pytest.mark.parametrize(
    ("source", "figures"),
    [
        ("{{ amount }}", True),
        ("{{ order }}, {{ day }}.", True),
        ("{{ eta }}", True),
        ("Your order is {{ amount }}.", False),
        ("{{ amount }} रुपये", False),
        ("{{ vendor }}", False),
        ("{{ amount }} {{ vendor }}", False),
        ("1234", False),
        ("Hello", False),
    ],
)
def test_a_text_that_is_nothing_but_figures_is_known(source: str, figures: bool) -> None:
    assert compile_text(source, SCOPE, str).figures is figures
