"""What was said in a conversation is a value of the flow, whichever way the step is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivr.flow.agent_protocol import AgentSays, AgentSums, Conversed
from ivr.flow.model import Flow
from ivr.flow.problems import FlowError
from ivr.flow.protocol import (
    Event,
    Heard,
    HungUpEvent,
    Key,
    PromptDone,
    Say,
    SendRequest,
    SpokenSoFar,
    Tick,
)
from ivr.flow.types import MAX_ITEMS, MAX_TEXT
from ivr.flow.verbs.agent_transcript import Transcript
from tests.flow.calls import Call
from tests.flow.test_agent import FLOW, ID

Build = Callable[[str], Flow]

TOLD = FLOW.replace("result: {", "result: {said: {type: list, default: []}, ").replace(
    "      emotion: calm", "      emotion: calm\n      transcript: said"
)


@pytest.fixture
def call(flow_of: Build) -> Call:
    call = Call(flow_of(TOLD), shop="S", amount=1)
    call.start()
    return call


def said(call: Call) -> list[str]:
    """As the flow's own request tells it, at the end."""
    call.send(HungUpEvent(), 200.0)
    request = next(command for command in call.history if isinstance(command, SendRequest))
    assert request.body is not None
    return list(request.body["said"])


def test_it_holds_what_was_heard_and_said(call: Call) -> None:
    call.send(AgentSays(ID, "Which order?", "m1"), 1.0)
    call.send(PromptDone(call.saying), 2.0)
    call.send(Heard("four eight two"), 4.0)
    call.send(AgentSays(ID, "I see it. It", "m2"), 5.0)
    call.send(PromptDone(call.saying), 6.0)
    call.send(Conversed(ID, "next", {"order": "482"}), 7.0)
    assert said(call) == ["agent: Which order?", "caller: four eight two", "agent: I see it. It"]


def test_what_was_cut_stands_up_to_the_cut_and_what_was_never_spoken_not_at_all(call: Call) -> None:
    call.send(AgentSays(ID, "A long story begins.", "m1"), 1.0)
    call.send(AgentSays(ID, "And goes on.", "m2"), 1.1)
    first = next(command.id for command in call.history if isinstance(command, Say))
    call.send(SpokenSoFar(first, "A long"), 2.0)
    call.send(Heard("stop it"), 2.0)
    call.send(Conversed(ID, "otherwise"), 3.0)
    assert said(call) == ["agent: A long …", "caller: stop it"]


@pytest.mark.parametrize(
    "leaving", [Key("0"), Heard("operator"), HungUpEvent(), Conversed(ID, "operator"), Tick()]
)
def test_it_is_there_whichever_way_the_step_is_left(call: Call, leaving: Event) -> None:
    call.send(Heard("where is my order"), 1.0)
    call.send(leaving, 121.0)
    assert said(call)[0] == "caller: where is my order"


def test_it_is_there_beside_a_summary(flow_of: Build) -> None:
    flow = TOLD.replace("result: {", 'result: {brief: {type: text, default: ""}, ').replace(
        "      transcript: said", "      transcript: said\n      summary: brief"
    )
    call = Call(flow_of(flow), shop="S", amount=1)
    call.start()
    call.send(AgentSays(ID, "A long story.", "m1"), 1.0)
    call.send(SpokenSoFar(call.saying, "A long"), 2.0)
    call.send(Key("0"), 2.0)
    call.send(AgentSums(ID, "He waits."), 3.0)
    assert said(call) == ["agent: A long …"]


def test_it_is_no_longer_than_a_list_of_a_flow() -> None:
    transcript = Transcript()
    for number in range(MAX_ITEMS + 10):
        transcript.caller(f"{number} " + "x" * 2 * MAX_TEXT)
    assert len(transcript.lines) == MAX_ITEMS
    assert transcript.lines[0].startswith("caller: 10 x"), "the newest"
    assert max(map(len, transcript.lines)) == MAX_TEXT


def test_a_value_of_another_type_is_told(flow_of: Build) -> None:
    with pytest.raises(FlowError, match="a transcript is a list"):
        flow_of(FLOW.replace("      emotion: calm", "      emotion: calm\n      transcript: order"))
