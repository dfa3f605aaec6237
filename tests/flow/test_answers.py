"""Whatever a caller says or types where a value is asked for: it fits and is taken, or it is a no-match. It
is never an exception, and never a value that its type would refuse."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import Event, Finish, Heard, Key, Outcome, PromptDone, Say, SpeechBegan, Tick
from ivr.flow.types import ASKED_NAMES
from ivr.flow.verbs.collect import Collect

LANGUAGES = ("hi", "mr", "en")
TODAY = dt.date(2026, 11, 22)

ASKS = """
flow: asks
languages: [hi, mr, en]
params: {{session: {session}}}
result: {{given: {declared}}}
limits: {{call: 30m, visits: 2}}
start: ask
intents: {{small: {{hi: ["छोटा"], mr: ["लहान"], en: ["little"]}}}}
steps:
  ask:
    collect:
      prompt: ask
      into: given
      keys: {{length: 1..64, end: "#", gap: 2s}}
      speech: {{slot: {kind}}}
      retry: {{wait: 3s, prompts: [ask, ask]}}
      next: took
      otherwise: gave_up
  took: {{end: normal}}
  gave_up: {{end: busy}}
prompts:
  ask: {{hi: "बताइए।", mr: "सांगा.", en: "Tell me."}}
"""


@cache
def asks(kind: str) -> Flow:
    declared = {"one_of": "{one_of: [small, large], optional: true}"}.get(kind, f"optional {kind}")
    # A call speaks one language: where one is asked for, the session has no other value of that type.
    session = "optional text" if kind == "language" else "optional language"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "asks.yaml"
        path.write_text(ASKS.format(kind=kind, declared=declared, session=session), encoding="utf-8")
        return load_flow(path)


WORDS = (
    "हाँ", "नहीं", "नाही", "हो", "yes", "no", "बीस", "वीस", "twenty", "सौ", "शंभर", "hundred",
    "लाख", "करोड़", "crore", "डेढ़", "ढाई", "साढ़े", "पौने", "सवा", "दीड", "half", "minus", "माइनस",
    "point", "दशमलव", "रुपये", "paise", "percent", "मिनट", "घंटा", "hour", "कल", "परसों", "आज",
    "tomorrow", "दिसंबर", "february", "31", "29", "00", "99999999999999999", "बजे", "baje",
    "o'clock", "सुबह", "रात", "noon", "midnight", "double", "triple", "plus", "B for Bombay",
    "ORD-48213", "छोटा", "large", "हिंदी", "मराठी", "English", "दो", "दे दो", "नंबर", "½", "٣",
    "१२", "-", "₹", ".", ",", "/", ":", "\u200d", "\x00", "😀", "k", "२५/१२/२०२६", "24:61", "0",
    "nought", "million", "-0", "1e9", "NaN", "inf",
)  # fmt: skip
said = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.text(max_size=60),
    st.sampled_from(["नौ " * 300, "लाख " * 200, "9" * 400, "double " * 99 + "9", "आधा " * 90, "a" * 5000]),
    st.none(),
)
typed = st.one_of(
    st.text("0123456789*#", max_size=20),
    st.sampled_from(["9" * 17, "9" * 300, "*" * 300, "#" * 300, "0" * 64 + "#", "1*2*3#", "**#", "3102#"]),
    st.text("0123456789*#ABCDx½", max_size=8),
)  # fmt: skip
answers = st.lists(
    st.one_of(said.map(lambda text: ("said", text)), typed.map(lambda keys: ("typed", keys))), max_size=4
)


def events_of(how: str, what: str | None) -> list[Event]:
    return [SpeechBegan(), Heard(what)] if how == "said" else [Key(key) for key in what or ""]


@pytest.mark.parametrize("kind", ASKED_NAMES)
@given(given_answers=answers, language=st.sampled_from(LANGUAGES))
def test_an_answer_is_taken_or_is_a_no_match(
    kind: str, given_answers: list[tuple[str, str | None]], language: str
) -> None:
    flow = asks(kind)
    machine = FlowMachine(flow, flow.bind({}), language, TODAY)
    commands = machine.start(0.0)
    now = 0.0
    for how, what in given_answers:
        for event in events_of(how, what):
            now += 0.01
            commands += machine.handle(event, now)
    while not machine.finished:
        # Nothing more is said: every prompt is heard to its end, then the wait is over.
        last = next(command for command in reversed(commands) if isinstance(command, Say))
        commands += machine.handle(PromptDone(last.id), now)
        now = max(now, machine.due or now)
        commands += machine.handle(Tick(), now)
    finish = commands[-1]
    assert isinstance(finish, Finish)
    assert finish.cause in ("normal", "busy"), "no answer is a failure of the call"
    left = [command for command in commands if isinstance(command, Outcome)]
    assert {outcome.outcome for outcome in left} <= {"next", "otherwise"}
    step = flow.steps["ask"]
    assert isinstance(step, Collect)
    value = machine.values["given"]
    if value is not None:
        assert step.type.accept(value) == value
    if finish.cause == "normal":
        assert value is not None or left[0].via == "not transcribed"
