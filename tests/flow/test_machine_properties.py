"""Whatever happens in whatever order, a call stays within its bounds and ends once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.agent_protocol import Dropped, Presumed
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.protocol import (
    AnsweredBy,
    Command,
    Commit,
    EndMessage,
    Enter,
    Event,
    Failure,
    Finish,
    GivenBack,
    GreetingOver,
    HangUp,
    Heard,
    HungUpEvent,
    KeepMessage,
    Key,
    Listen,
    MessageFailed,
    NothingSaid,
    Outcome,
    PromptDone,
    Replied,
    RequestFailed,
    Say,
    SendRequest,
    Signal,
    SpeechBegan,
    SpeechPaused,
    SpokenSoFar,
    StoreConsent,
    TakenOver,
    Tick,
    Transfer,
    Transferred,
    Yield,
)
from tests.flow import calls

VENDOR_ORDER = load_flow(calls.VENDOR_ORDER)
TWO_PARTS = load_flow(calls.TWO_PARTS)
HELPLINE = load_flow(calls.HELPLINE)
CALLBACK = load_flow(calls.CALLBACK)
DELIVERY = load_flow(calls.DELIVERY)
VALUES = VENDOR_ORDER.bind({"vendor": "X", "order": "7", "amount": 10, "language": "en"})

TEXTS = ("yes", "no", "again", "operator", "twenty minutes", "", None, "½", "a" * 3000, "नहीं")
events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from("0123456789*#AZ½").map(Key),
    st.just(SpeechBegan()),
    st.just(SpeechPaused()),
    st.sampled_from((Presumed("yes"), Dropped(), NothingSaid(), SpokenSoFar("say1", "a word"))),
    st.sampled_from(("human", "machine", "unknown")).map(AnsweredBy),  # type: ignore[arg-type]
    st.just(GreetingOver()),
    st.just(MessageFailed("disk full")),
    st.sampled_from(TEXTS).map(Heard),
    st.integers(1, 12).map(lambda n: PromptDone(f"say{n}")),
    st.integers(1, 12).map(lambda n: Replied(f"request{n}", 200, {"order": {"state": "x"}})),
    st.integers(1, 12).map(lambda n: RequestFailed(f"request{n}", "late")),
    st.sampled_from(("done", "busy", "no_answer", "failed")).map(Transferred),  # type: ignore[arg-type]
    st.sampled_from((Signal("found", {"state": "x"}), Signal("found", {"state": None}), Signal("other", {}))),
    st.just(Tick()),
)
rare: st.SearchStrategy[Event] = st.sampled_from(
    (HungUpEvent(), Failure("x"), TakenOver(), GivenBack(), GivenBack())
)
steps = st.lists(st.tuples(st.one_of(events, events, events, rare), st.floats(0.0, 8.0)), max_size=60)


def run(machine: FlowMachine, script: list[tuple[Event, float]]) -> list[tuple[Event | None, list[Command]]]:
    """Plays the script, with a tick whenever the machine is due before, and lets time run out after it."""
    now = 0.0
    log: list[tuple[Event | None, list[Command]]] = [(None, machine.start(now))]
    for event, wait in script:
        target = now + wait
        while machine.due is not None and machine.due <= target:
            now = max(now, machine.due)
            log.append((Tick(), machine.handle(Tick(), now)))
            assert machine.due is None or machine.due > now, (
                "a tick that changes nothing would come again at once"
            )
        now = target
        log.append((event, machine.handle(event, now)))
    for _ in range(400):
        if machine.due is None:
            if machine.finished:
                break
            log.append((HungUpEvent(), machine.handle(HungUpEvent(), now)))  # who took over hangs up
            continue
        now = max(now, machine.due)
        log.append((Tick(), machine.handle(Tick(), now)))
    return log


def check(machine: FlowMachine, log: list[tuple[Event | None, list[Command]]]) -> None:
    commands = [command for _, batch in log for command in batch]
    flow = machine.flow
    assert machine.finished
    assert [c for c in commands if isinstance(c, Finish)] == [commands[-1]], "Finish comes once, last"
    entered = [c for c in commands if isinstance(c, Enter)]
    assert len(entered) <= flow.limits.visits * len(flow.steps)
    for name in flow.steps:
        visits = [c.visit for c in entered if c.step == name]
        assert visits == list(range(1, len(visits) + 1))
        assert len(visits) <= flow.limits.visits
    last = commands[-1]
    assert isinstance(last, Finish)
    assert set(last.result) == set(flow.result), "the result is always complete"
    committed = [c.result for c in commands if isinstance(c, Commit)]
    assert not committed or committed[-1] == last.result
    alone = taken = False
    for event, batch in log:
        alone = alone or isinstance(event, HungUpEvent)
        taken = taken and not isinstance(event, GivenBack | HungUpEvent)
        if taken:
            assert not any(isinstance(c, Say | Listen | Transfer | HangUp | Enter) for c in batch)
        taken = taken or any(isinstance(c, Yield) for c in batch)
        if alone:
            assert not any(isinstance(c, Say | Listen | Transfer | HangUp) for c in batch), "nobody is there"


@given(steps)
def test_the_vendor_order_call_is_always_bounded(script: list[tuple[Event, float]]) -> None:
    machine = FlowMachine(VENDOR_ORDER, VALUES)
    log = run(machine, script)
    check(machine, log)
    hung_up = any(isinstance(event, HungUpEvent) for event, _ in log)
    reports = [c for _, batch in log for c in batch if isinstance(c, SendRequest)]
    assert len(reports) <= (1 if hung_up else 2)


@given(steps)
def test_a_call_with_requests_and_type_ahead_is_always_bounded(script: list[tuple[Event, float]]) -> None:
    machine = FlowMachine(TWO_PARTS, {})
    check(machine, run(machine, script))


@given(steps)
def test_every_message_is_ended_once_before_the_call_is_over(script: list[tuple[Event, float]]) -> None:
    machine = FlowMachine(HELPLINE, {})
    log = run(machine, script)
    check(machine, log)
    begun: list[str] = []
    ended: list[str] = []
    kept = None
    for command in (command for _, batch in log for command in batch):
        if isinstance(command, KeepMessage):
            assert begun == ended, "one at a time"
            begun.append(command.name)
        elif isinstance(command, EndMessage):
            ended.append(command.name)
            kept = command.name if command.kept else kept
    assert begun == ended
    assert len(set(begun)) == len(begun)
    assert machine.result["message"] == kept


@given(steps)
def test_a_call_that_asks_who_answered_is_always_bounded(script: list[tuple[Event, float]]) -> None:
    machine = FlowMachine(CALLBACK, CALLBACK.bind({"shop": "X"}))
    log = run(machine, script)
    check(machine, log)
    commands = [command for _, batch in log for command in batch]
    hung_up = next((n for n, command in enumerate(commands) if isinstance(command, HangUp)), len(commands))
    assert not any(isinstance(c, Say | Listen | HangUp) for c in commands[hung_up + 1 :])
    assert sum(isinstance(c, SendRequest) for c in commands) <= 1


@given(steps)
def test_each_consent_is_answered_once_and_before_anything_else_is_said(
    script: list[tuple[Event, float]],
) -> None:
    machine = FlowMachine(DELIVERY, DELIVERY.bind({"shop": "X", "language": "en"}))
    log = run(machine, script)
    check(machine, log)
    commands = [command for _, batch in log for command in batch]
    for n, command in enumerate(commands):
        if isinstance(command, StoreConsent):
            following = next(c for c in commands[n + 1 :] if isinstance(c, Outcome))
            assert following.step == command.step
            assert command.wording, "nobody agrees to what was not said"
    stored = [c for c in commands if isinstance(c, StoreConsent)]
    assert len({c.step for c in stored}) == len(stored)
    agreed = any(c.granted for c in stored if c.purpose == "opt_in")
    assert machine.result["offers"] is agreed


@given(steps)
def test_looking_ahead_never_changes_the_call(script: list[tuple[Event, float]]) -> None:
    plain, looking = FlowMachine(VENDOR_ORDER, VALUES), FlowMachine(VENDOR_ORDER, VALUES)
    assert plain.start(0.0) == looking.start(0.0)
    now = 0.0
    for event, wait in script:
        now += wait
        looking.lookahead()
        assert plain.handle(event, now) == looking.handle(event, now)
