"""A conversation with an agent: it talks and asks, the flow speaks, does and keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.agent_protocol import (
    GREETING,
    AgentCalls,
    AgentFills,
    AgentPrepares,
    AgentSays,
    AgentSums,
    Converse,
    Conversed,
    Dropped,
    NoInput,
    Presumed,
    Said,
    StopConversing,
    Summarise,
    TellAgent,
    ToolDone,
)
from ivr.flow.diff import diff
from ivr.flow.drawing import draw
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    BargeIn,
    Commit,
    Event,
    Failure,
    Finish,
    Heard,
    HungUpEvent,
    Key,
    Listen,
    NothingSaid,
    Outcome,
    PromptDone,
    Replied,
    RequestFailed,
    Say,
    SendRequest,
    SpeechBegan,
    SpokenSoFar,
    StopListening,
    StopSaying,
    Text,
    Tick,
    Transfer,
)
from ivr.flow.rehearsal import rehearse
from ivr.flow.scenarios import ScenarioError, load_scenarios
from ivr.flow.simulator import Simulation
from tests.flow.calls import Call
from tests.flow.test_machine_properties import run, steps

FLOW = """
flow: help
languages: [en, hi]
params: {shop: text, amount: rupees}
result: {order: optional digits, eta: optional minutes}
limits: {call: 10m}
events: {hangup: report, operator: desk}
start: talk
steps:
  talk:
    agent:
      instructions:
        en: "Help callers of {{ shop }}, who owe {{ amount }}. Known: {{ order }}."
        hi: "{{ shop }} के ग्राहकों की मदद करो, {{ amount }}, {{ order }}।"
      slots:
        order: "the number of the order"
        eta: {about: "in how many minutes", required: false}
      tools:
        state:
          about: "How an order stands"
          get: order-status
          parameters: {order: digits, deep: optional yes_no}
        person: {about: "A person is wanted", action: transfer}
        done: {about: "All is said", action: end}
      knowledge: [returns, delivery]
      limits: {turns: 2, time: 2m, cost: 5}
      emotion: calm
    next: thanks
    otherwise: sorry
  thanks: {say: {en: "Order {{ order }}.", hi: "ऑर्डर {{ order }}।"}, next: report}
  sorry: {say: {en: Sorry., hi: क्षमा।}, next: report}
  desk: {transfer: {to: "+911234567890", context: result}, next: report, otherwise: sorry}
  report: {request: {post: report, body: result, background: true}, next: bye}
  bye: {end: normal}
"""

Build = Callable[[str], Flow]


@pytest.fixture
def call(flow_of: Build) -> Call:
    call = Call(flow_of(FLOW), shop="Sharma", amount=1250.5)
    call.start()
    return call


ID = "agent1"


def told(call: Call) -> list[Any]:
    """What the agent was told last."""
    return [command.news for command in call.of(TellAgent)]


def begun(call: Call) -> Converse:
    return next(command for command in call.history if isinstance(command, Converse))


class TestBeginning:
    def test_it_gets_all_that_it_needs_with_values_as_data(self, call: Call) -> None:
        begin = begun(call)
        assert begin.id == ID
        assert begin.instructions == "Help callers of Sharma, who owe 1250.5. Known: ."
        assert begin.language == "en"
        assert [(s.name, s.about, s.required) for s in begin.slots] == [
            ("order", "the number of the order", True),
            ("eta", "in how many minutes", False),
        ]
        assert begin.slots[1].schema == {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
        assert [(tool.name, tool.action) for tool in begin.tools] == [
            ("state", ""),
            ("person", "transfer"),
            ("done", "end"),
        ]
        assert begin.tools[0].parameters["required"] == ["order"]
        assert begin.tools[0].parameters["properties"]["order"]["pattern"] == "^[0-9]{1,64}$"
        assert begin.knowledge == ("returns", "delivery")
        assert (begin.bounds.turns, begin.bounds.time_s, begin.bounds.cost) == (2, 120.0, 5.0)
        assert begin.emotion == "calm"
        assert begin.known == {}

    def test_speech_of_any_kind_is_listened_for(self, call: Call) -> None:
        assert call.of(Listen)[0].speech.phrases == ()

    def test_keys_typed_ahead_are_told(self, flow_of: Build) -> None:
        ahead = FLOW.replace("start: talk", "start: look").replace(
            "steps:\n", "steps:\n  look: {request: {get: x}, next: talk, otherwise: talk}\n", 1
        )
        call = Call(flow_of(ahead), shop="Sharma", amount=1)
        call.start()
        call.send(Key("4"), 0.5)
        call.send(Replied("request1", 200), 1.0)
        assert told(call) == [Key("4")]


class TestTalking:
    def test_what_it_says_is_spoken_and_it_learns_when_it_was_heard(self, call: Call) -> None:
        call.send(AgentSays(ID, "Hello,  which\norder?", "m1"), 1.0)
        (say,) = call.of(Say)
        reply = Text("Hello, which order?", "en", personal=True, purpose="reply", emotion="calm")
        assert say.utterances == (reply,)
        assert say.barge_in is BargeIn.ANY
        call.send(PromptDone(say.id), 3.0)
        assert told(call) == [Said("m1")]

    def test_sentences_follow_each_other(self, call: Call) -> None:
        call.send(AgentSays(ID, "One.", "m1"), 1.0)
        call.send(AgentSays(ID, "Two.", "m2"), 1.1)
        ids = [command.id for command in call.history if isinstance(command, Say)]
        assert len(set(ids)) == 2
        assert call.of(StopSaying) == []
        call.send(PromptDone(ids[0]), 2.0)
        assert told(call) == [Said("m1")]
        call.send(PromptDone(ids[1]), 3.0)
        assert told(call) == [Said("m2")]

    def test_words_of_the_caller_cut_it_and_are_told(self, call: Call) -> None:
        call.send(AgentSays(ID, "A long story.", "m1"), 1.0)
        call.send(AgentSays(ID, "And longer.", "m2"), 1.0)
        call.send(SpeechBegan(), 2.0)
        assert call.of(StopSaying)
        assert told(call) == [Said("m1", cut=True), Said("m2", cut=True), SpeechBegan()]
        call.send(Heard("four eight two", 0.8), 3.0)
        assert told(call) == [Heard("four eight two", 0.8)]

    def test_it_learns_how_much_of_what_was_cut_had_been_heard(self, call: Call) -> None:
        for mark in ("m1", "m2", "m3"):
            call.send(AgentSays(ID, "A long story.", mark), 1.0)
        first, second, _ = [command.id for command in call.history if isinstance(command, Say)]
        call.send(PromptDone(first), 2.0)
        assert call.send(SpokenSoFar(second, "A long"), 3.0) == []
        call.send(SpeechBegan(), 3.0)
        assert told(call) == [
            Said("m2", cut=True, heard="A long"),
            Said("m3", cut=True, heard=""),
            SpeechBegan(),
        ]

    def test_what_the_caller_may_have_said_is_told_and_dropped_when_he_goes_on(self, call: Call) -> None:
        call.send(SpeechBegan(), 2.0)
        assert told(call) == [SpeechBegan()]
        call.send(Presumed("four eight"), 3.0)
        assert told(call) == [Presumed("four eight")]
        call.send(Dropped(), 3.5)
        assert told(call) == [Dropped()]
        assert call.send(Dropped(), 3.6) == []
        call.send(Presumed("four eight two"), 4.0)
        call.send(Heard("four eight two"), 4.5)
        assert told(call) == [Heard("four eight two")]
        assert call.send(Dropped(), 5.0) == []

    @pytest.mark.parametrize(
        "over",
        [
            Dropped(),
            NothingSaid(),
            AgentPrepares(ID),
            AgentSays(ID, "No.", "m1"),
            Conversed(ID, "otherwise"),
            HungUpEvent(),
        ],
        ids=lambda event: type(event).__name__,
    )
    def test_what_it_prepares_may_be_needed_next_until_it_is_over(self, call: Call, over: Event) -> None:
        usual = call.machine.lookahead()
        call.send(SpeechBegan(), 2.0)
        call.send(Presumed("four eight"), 3.0)
        assert call.send(AgentPrepares(ID, "I am  sorry.", "sorry", 0.7), 3.1) == []
        coming, *rest = call.machine.lookahead()
        assert isinstance(coming, Text)
        assert (coming.text, coming.emotion, coming.intensity) == ("I am sorry.", "sorry", 0.7)
        assert rest == list(usual)
        call.send(AgentPrepares("agent9", "Hello."), 3.2)
        assert call.machine.lookahead()[0] == coming, "what another conversation sends is ignored"
        call.send(over, 3.5)
        assert coming not in call.machine.lookahead()

    def test_what_it_prepared_is_what_it_says(self, call: Call) -> None:
        call.send(AgentPrepares(ID, "I am sorry.", "sorry", 0.7), 3.1)
        (coming, *_) = call.machine.lookahead()
        call.send(AgentSays(ID, "I am sorry.", "m1", "sorry", 0.7), 3.5)
        assert call.of(Say)[0].utterances == (coming,)

    def test_a_silent_caller_is_told_once(self, call: Call) -> None:
        call.send(AgentSays(ID, "Which order?", "m1"), 1.0)
        call.send(PromptDone(call.saying), 3.0)
        assert call.machine.due == 11.0
        call.send(SpeechBegan(), 10.9)
        call.send(NothingSaid(), 12.0)
        assert told(call) == [NothingSaid()]
        call.send(Tick(), 20.0)
        assert told(call) == [NoInput(8.0)]
        assert call.send(Tick(), 40.0) == []

    def test_a_key_cuts_it_and_is_told(self, call: Call) -> None:
        call.send(AgentSays(ID, "A long story.", "m1"), 1.0)
        call.send(Key("5"), 2.0)
        assert told(call) == [Said("m1", cut=True), Key("5")]

    def test_nothing_to_say_is_said_at_once(self, call: Call) -> None:
        call.send(AgentSays(ID, " ", "m1"), 1.0)
        assert call.of(Say) == []
        assert told(call) == [Said("m1")]

    def test_words_that_must_be_heard_are_not_cut(self, flow_of: Build) -> None:
        call = Call(flow_of(FLOW.replace("emotion: calm", "barge_in: none")), shop="S", amount=1)
        call.start()
        call.send(AgentSays(ID, "Listen.", "m1"), 1.0)
        assert call.of(StopListening)
        assert call.send(Key("5"), 1.5) == []
        call.send(PromptDone(call.saying), 2.0)
        assert call.of(Listen)

    def test_what_another_conversation_sends_is_ignored(self, call: Call) -> None:
        assert call.send(AgentSays("agent9", "Hello."), 1.0) == []


class TestSlots:
    def test_what_fits_is_committed_at_once(self, call: Call) -> None:
        call.send(AgentFills(ID, {"order": "482", "eta": "soon", "other": 1}), 1.0)
        assert call.of(Commit)[0].result == {"order": "482", "eta": None}

    def test_next_needs_every_slot_that_is_required(self, call: Call) -> None:
        call.send(Conversed(ID, "next", {"eta": 20}), 1.0)
        assert call.of(Outcome)[0] == Outcome("talk", "otherwise", "sorry", "missing: order")
        assert call.machine.result == {"order": None, "eta": 20}

    def test_next(self, call: Call) -> None:
        call.send(AgentFills(ID, {"order": "482"}), 1.0)
        commands = call.send(Conversed(ID, "next", {"eta": 20}, "all is known"), 2.0)
        assert StopConversing(ID) in commands
        assert call.of(Outcome)[0] == Outcome("talk", "next", "thanks", "all is known")
        assert call.said == "Order four eight two."
        kinds = [type(command) for command in commands]
        assert kinds.index(Commit) < kinds.index(Say)


class TestTools:
    def test_a_request_is_the_flows(self, call: Call) -> None:
        call.send(AgentCalls(ID, "c1", "state", {"order": "482"}), 1.0)
        (request,) = call.of(SendRequest)
        assert (request.endpoint, request.method) == ("order-status", "GET")
        assert request.body == {"order": "482", "deep": None}
        call.send(Replied(request.id, 200, {"state": "ready"}), 2.0)
        assert told(call) == [ToolDone("c1", {"state": "ready"})]

    def test_why_there_is_no_answer(self, call: Call) -> None:
        call.send(AgentCalls(ID, "c1", "state", {"order": "482"}), 1.0)
        call.send(RequestFailed(call.of(SendRequest)[0].id, "status 500", 500), 2.0)
        assert told(call) == [ToolDone("c1", error="status 500")]

    def test_an_answer_that_never_comes(self, call: Call) -> None:
        call.send(AgentCalls(ID, "c1", "state", {"order": "482"}), 1.0)
        late = call.of(SendRequest)[0].id
        call.tick()
        assert call.at == 5.0
        assert told(call) == [ToolDone("c1", error="no answer in time")]
        assert call.send(Replied(late, 200), 6.0) == []

    @pytest.mark.parametrize(
        ("tool", "arguments", "error"),
        [
            ("state", {}, "order is missing"),
            ("state", {"order": 482}, "order must be digits in quotes (a number would lose leading zeros)"),
            ("state", {"order": "482", "sql": "x"}, "sql is no parameter of state"),
            ("shell", {"run": "rm"}, "there is no tool shell"),
        ],
    )
    def test_what_does_not_fit_is_not_done(
        self, call: Call, tool: str, arguments: dict[str, Any], error: str
    ) -> None:
        call.send(AgentCalls(ID, "c1", tool, arguments), 1.0)
        assert call.of(SendRequest) == []
        assert told(call) == [ToolDone("c1", error=error)]

    def test_not_too_many_at_once(self, call: Call) -> None:
        for number in range(9):
            call.send(AgentCalls(ID, f"c{number}", "state", {"order": "482"}), 1.0)
        assert told(call) == [ToolDone("c8", error="too many tools are in use")]

    def test_actions_leave(self, call: Call) -> None:
        call.send(AgentCalls(ID, "c1", "person", {}), 1.0)
        assert call.of(Outcome)[0] == Outcome("talk", "operator", "desk", "person")
        assert call.of(Transfer)

    def test_the_end(self, call: Call) -> None:
        call.send(AgentFills(ID, {"order": "482"}), 1.0)
        call.send(AgentCalls(ID, "c1", "done", {}), 2.0)
        assert call.of(Outcome)[0] == Outcome("talk", "next", "thanks", "done")


class TestBounds:
    def test_turns(self, call: Call) -> None:
        for at in (1.0, 2.0):
            call.send(Heard("well"), at)
            assert told(call) == [Heard("well")]
        call.send(Heard("well"), 3.0)
        assert call.of(Outcome)[0].via == "turns"
        assert call.of(StopConversing)

    def test_time(self, call: Call) -> None:
        assert call.machine.due == 120.0
        call.tick()
        assert call.of(Outcome)[0] == Outcome("talk", "otherwise", "sorry", "time")

    def test_no_agent(self, call: Call) -> None:
        call.send(Conversed(ID, "otherwise", {}, "no agent"), 0.0)
        assert call.of(Outcome)[0] == Outcome("talk", "otherwise", "sorry", "no agent")

    def test_words_that_nobody_can_transcribe(self, call: Call) -> None:
        call.send(Heard(None), 1.0)
        assert call.of(Outcome)[0].via == "not transcribed"

    @pytest.mark.parametrize("event", [Key("0"), Heard("operator")])
    def test_a_person_can_always_be_had(self, call: Call, event: Event) -> None:
        call.send(event, 1.0)
        assert call.of(Outcome)[0].outcome == "operator"

    def test_an_operator_of_its_own_comes_first(self, flow_of: Build) -> None:
        own = FLOW.replace(
            "    otherwise: sorry\n  thanks", "    otherwise: sorry\n    operator: sorry\n  thanks"
        )
        call = Call(flow_of(own), shop="S", amount=1)
        call.start()
        call.send(Conversed(ID, "operator"), 1.0)
        assert call.of(Outcome)[0] == Outcome("talk", "operator", "sorry", "operator")

    def test_a_hang_up_ends_it(self, call: Call) -> None:
        call.send(AgentFills(ID, {"order": "482"}), 1.0)
        commands = call.send(HungUpEvent(), 2.0)
        assert commands[0] == StopConversing(ID)
        assert call.of(SendRequest)[0].body == {"order": "482", "eta": None}
        assert call.machine.finished
        assert call.send(AgentSays(ID, "Are you there?"), 3.0) == []

    def test_a_failure_ends_it(self, call: Call) -> None:
        assert StopConversing(ID) in call.send(Failure("no voice"), 1.0)


class TestSummary:
    @pytest.fixture
    def call(self, flow_of: Build) -> Call:
        flow = FLOW.replace("result: {", 'result: {brief: {type: text, default: ""}, ').replace(
            "      emotion: calm", "      emotion: calm\n      reads_out: [phone]\n      summary: brief"
        )
        call = Call(flow_of(flow), shop="S", amount=1)
        call.start()
        return call

    def test_it_is_told_that_one_is_wanted(self, call: Call) -> None:
        assert begun(call).summary
        assert begun(call).reads_out == ("phone",)

    def test_before_the_agent_leaves_it_gives_one(self, call: Call) -> None:
        call.send(AgentSums(ID, "He  waits for order 482."), 1.0)
        call.send(AgentCalls(ID, "c1", "person", {}), 1.0)
        assert call.of(Outcome)[0].outcome == "operator"
        assert call.machine.result["brief"] == "He waits for order 482."

    @pytest.mark.parametrize("event", [Key("0"), Heard("operator")])
    def test_the_flow_waits_a_little_for_it(self, call: Call, event: Event) -> None:
        call.send(AgentSays(ID, "A long story.", "m1"), 1.0)
        commands = call.send(event, 2.0)
        assert told(call)[-1] == Summarise()
        assert call.of(Outcome) == []
        assert any(isinstance(command, StopSaying) for command in commands)
        call.send(AgentSays(ID, "No more."), 2.5)
        assert call.of(Say) == []
        call.send(AgentSums(ID, "He wants a person."), 3.0)
        assert call.of(Outcome)[0].outcome == "operator"
        assert call.machine.result["brief"] == "He wants a person."

    def test_and_not_longer(self, call: Call) -> None:
        call.send(Key("0"), 2.0)
        call.tick()
        assert call.at == 4.5
        assert call.of(Outcome)[0].outcome == "operator"
        assert call.machine.result["brief"] == ""

    def test_nor_after_a_hang_up(self, call: Call) -> None:
        call.send(Key("0"), 2.0)
        commands = call.send(HungUpEvent(), 2.1)
        assert commands[0] == StopConversing(ID)


def test_a_greeting_is_the_flows_own_prompt(flow_of: Build) -> None:
    greeting = '      greeting: {en: "Welcome to {{ shop }}.", hi: "{{ shop }} में स्वागत है।"}\n      slots:\n'
    call = Call(flow_of(FLOW.replace("      slots:\n", greeting, 1)), shop="Sharma", amount=1)
    call.start()
    assert begun(call).greeting == "Welcome to Sharma."
    assert call.of(Say) == [], "nobody may be there to answer"
    call.send(AgentSays(ID, "Welcome to Sharma.", GREETING), 0.1)
    (say,) = call.of(Say)
    assert [u.text for u in say.utterances if isinstance(u, Text)] == ["Welcome to Sharma."]
    call.send(PromptDone(say.id), 1.0)
    assert told(call) == [Said(GREETING)]


def test_it_speaks_as_it_feels(call: Call) -> None:
    call.send(AgentSays(ID, "I am sorry.", "m1", "sorry", 0.7), 1.0)
    (say,) = call.of(Say)
    assert say.utterances == (
        Text("I am sorry.", "en", True, purpose="reply", emotion="sorry", intensity=0.7),
    )


def test_the_caller_may_change_the_language_where_it_is_a_slot(flow_of: Build) -> None:
    flow = FLOW.replace("result: {", "result: {tongue: {type: language, default: en}, ").replace(
        '        order: "the', '        tongue: "what he speaks"\n        order: "the'
    )
    call = Call(flow_of(flow), shop="S", amount=1)
    call.start()
    assert begun(call).language_slot == "tongue"
    call.send(AgentFills(ID, {"tongue": "hi"}), 1.0)
    call.send(AgentSays(ID, "ठीक है।"), 1.0)
    (say,) = call.of(Say)
    assert [text.language for text in say.utterances if isinstance(text, Text)] == ["hi"]


AGENT_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(AgentSays, st.just(ID), st.sampled_from(["Hello.", "", "x" * 9000]), st.just("m")),
    st.builds(
        AgentFills,
        st.just(ID),
        st.dictionaries(
            st.sampled_from(["order", "eta", "z"]), st.none() | st.text(max_size=3) | st.integers()
        ),
    ),
    st.builds(AgentPrepares, st.just(ID), st.sampled_from(["He", "", "x" * 9000])),
    st.builds(AgentSums, st.just(ID), st.sampled_from(["He waits.", ""])),
    st.builds(
        AgentCalls, st.just(ID), st.just("c"), st.sampled_from(["state", "x"]), st.just({"order": "1"})
    ),
    st.builds(
        Conversed, st.just(ID), st.sampled_from(["next", "otherwise", "operator"]), st.just({"order": "7"})
    ),
)
"""What an agent may send, in whatever order."""


def _help() -> Flow:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "help.yaml"
        path.write_text(FLOW, encoding="utf-8")
        return load_flow(path)


HELP = _help()


@given(st.lists(st.tuples(AGENT_EVENTS, st.floats(0.0, 8.0)), max_size=20), steps)
def test_whatever_the_agent_does_the_call_ends_once(
    agent: list[tuple[Event, float]], others: list[tuple[Event, float]]
) -> None:
    machine = FlowMachine(HELP, HELP.bind({"shop": "S", "amount": 1}))
    mixed = [event for pair in zip(agent, others, strict=False) for event in pair]
    log = run(machine, [*mixed, *others[len(agent) :]])
    commands = [command for _, batch in log for command in batch]
    assert machine.finished
    assert [c for c in commands if isinstance(c, Finish)] == [commands[-1]]
    begun = [c.id for c in commands if isinstance(c, Converse)]
    ended = [c.id for c in commands if isinstance(c, StopConversing)]
    assert begun == ended, "each conversation ends, once"


SCENARIOS = """
flow: help
with: {shop: Sharma, amount: 20}
scenarios:
  - name: it finds out the order
    steps: [{says: "where is my order"}, {agent: {slots: {order: "482", eta: 20}}}, {hears: "order 4 8 2"}]
    result: {order: "482", eta: 20}
  - name: it gives up
    steps: [{agent: otherwise}, {hears: sorry}]
  - name: a person is wanted
    steps: [{agent: {outcome: operator, slots: {eta: 5}}}, {transfer: done}]
    result: {eta: 5}
"""


def test_scenarios_say_how_it_goes(tmp_path: Path) -> None:
    (tmp_path / "help.yaml").write_text(FLOW, encoding="utf-8")
    path = tmp_path / "help.scenarios.yaml"
    path.write_text(SCENARIOS, encoding="utf-8")
    file = load_scenarios(path)
    assert [rehearse(file.flow, scenario) for scenario in file.scenarios] == [None] * 3
    path.write_text(SCENARIOS.replace("agent: otherwise", "agent: done"), encoding="utf-8")
    with pytest.raises(ScenarioError, match='agent "done" is not known'):
        load_scenarios(path)


def test_the_simulator_plays_the_agent(flow_of: Build) -> None:
    flow = flow_of(FLOW)
    call = Simulation(flow, flow.bind({"shop": "Sharma", "amount": 20}))
    assert "    an agent talks, to find out order, eta" in call.begin()
    assert call.feed("/agent maybe") == [
        "(a conversation ends with next, otherwise, operator, and slots as a JSON object)"
    ]
    lines = call.feed('/agent next {"order": "482"}')
    assert '        order = "482"' in lines
    assert "server: Order four eight two." in lines


def test_what_changes_for_callers_is_told(flow_of: Build) -> None:
    before = flow_of(FLOW)
    changed = FLOW.replace("turns: 2", "turns: 3").replace(", required: false", "").replace("Help", "Serve")
    after = flow_of(changed.replace('        done: {about: "All is said", action: end}\n', ""))
    tools = "state: order-status, person: transfer"
    told = [str(change) for change in diff(before, after)]
    assert told[0].startswith("step talk: instructions en: was Help callers of {{ shop }}, who owe")
    assert told[1:] == [
        "step talk: finds out: was order, eta (not required), now order, eta",
        f"step talk: may use: was {tools}, done: end, now {tools}",
        "step talk: most turns: was 2, now 3",
    ]


def test_it_is_drawn_with_what_it_finds_out(flow_of: Build) -> None:
    box = draw(flow_of(FLOW)).boxes[0]
    assert (box.title, box.subtitle, box.text) == ("talk", "agent", "order, eta (not required)")
