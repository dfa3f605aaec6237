"""A prompt text is cut between sentences with values and those that never change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.model import Flow
from ivr.flow.protocol import Say, Text, pieces_of
from ivr.flow.stretches import fixed_stretches, stretches
from tests.flow.calls import Call


def cut(language: str, *parts: str | None, values: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
    return [(one.text, one.personal) for one in stretches(parts, language, values)]


def test_whole_sentences_are_kept_apart() -> None:
    assert cut(
        "en", "Hello ", None, ". Your order is ready. It is at the counter. It costs ", None, ". Thank you.",
        values=("Dr. Rao", "ten rupees"),
    ) == [
        ("Hello Dr. Rao.", True),
        ("Your order is ready. It is at the counter.", False),
        ("It costs ten rupees.", True),
        ("Thank you.", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "values", "found"),
    [
        (
            ("नमस्ते ", None, "। आपका ऑर्डर तैयार है।"),
            ("शर्मा जी",),
            [("नमस्ते शर्मा जी।", True), ("आपका ऑर्डर तैयार है।", False)],
        ),
        ((None, " Your order is ready."), ("Hello there!",), [("Hello there! Your order is ready.", True)]),
        (("Dear Mr. ", None, ", welcome."), ("Rao",), [("Dear Mr. Rao, welcome.", True)]),
        ((None, ". Bye."), ("",), [(".", True), ("Bye.", False)]),
        ((None, "\nBye."), ("",), [("Bye.", True)]),
        ((None,), ("",), []),
        (("Bye.",), (), [("Bye.", False)]),
    ],
)
def test_nothing_is_cut_within_a_sentence(
    parts: tuple[str | None, ...], values: tuple[str, ...], found: list[tuple[str, bool]]
) -> None:
    assert cut("hi", *parts, values=values) == found


words = st.text("ab .।!\n", max_size=12)


@given(st.lists(st.one_of(words, st.none()), max_size=6).map(tuple), st.lists(words, min_size=6, max_size=6))
def test_no_word_is_lost_and_no_value_is_in_what_never_changes(
    parts: tuple[str | None, ...], values: list[str]
) -> None:
    given_values = iter(values)
    whole = "".join(next(given_values) if part is None else part for part in parts)
    found = stretches(parts, "en", values)
    assert "".join("".join(one.text for one in found).split()) == "".join(whole.split())
    others = stretches(parts, "en", ["X"] * 6)
    fixed = tuple(one.text for one in found if not one.personal)
    assert fixed == tuple(one.text for one in others if not one.personal) == fixed_stretches(parts, "en")


FLOW = """
flow: ready
languages: [en]
params: {vendor: text, late: yes_no}
start: hello
steps:
  hello: {say: hello, next: bye}
  bye: {end: normal}
prompts:
  hello: {en: "Hello {{ vendor }}. Your order is ready. {% if late %}It is late.{% endif %} Thank you."}
"""


@pytest.mark.parametrize("late", [True, False])
def test_what_is_said_is_the_same_words_in_pieces(flow_of: Callable[[str], Flow], late: bool) -> None:
    flow = flow_of(FLOW)
    call = Call(flow, None, vendor="Sharma", late=late)
    call.start()
    (whole,) = call.of(Say)[0].utterances
    assert isinstance(whole, Text)
    pieces = [piece for piece in pieces_of(whole) if isinstance(piece, Text)]
    assert " ".join(piece.text for piece in pieces) == whole.text
    assert whole.personal
    fixed = flow.prompts["hello"].fixed("en")
    assert set(fixed) <= set(pieces)
    assert next(piece.text for piece in pieces if piece.personal) == "Hello Sharma."
    assert all("Sharma" not in text.text for text in fixed)
