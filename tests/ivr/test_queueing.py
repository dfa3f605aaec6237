"""Queues without a telephone: who is rung for whom, and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.queueing import (
    REST_S,
    Agent,
    Command,
    GiveUp,
    Moved,
    Queue,
    Queues,
    Refusal,
    Ring,
    StopRinging,
    Strategy,
    direct,
)

ANU, BALA, CHITRA = Agent("anu"), Agent("bala"), Agent("chitra")
DESK = Queue("desk", (ANU, BALA, CHITRA))


def done(queues: Queues) -> list[Command]:
    """What is to be done, without the places."""
    return [command for command in queues.take() if not isinstance(command, Moved)]


class TestOneCaller:
    def test_the_first_agent_rings_then_the_next(self) -> None:
        queues = Queues()
        queues.join("one", DESK, 60, 0)
        assert done(queues) == [Ring("one", ANU)]
        queues.refused("one", "anu", "busy", 1)
        assert done(queues) == [Ring("one", BALA)]
        queues.refused("one", "bala", "no_answer", 21)
        assert done(queues) == [Ring("one", CHITRA)]

    def test_who_was_busy_is_left_alone_for_a_while_and_then_rings_again(self) -> None:
        queues = Queues()
        queues.join("one", Queue("desk", (ANU,)), 60, 0)
        done(queues)
        queues.refused("one", "anu", "busy", 1)
        assert (done(queues), queues.due) == ([], 1 + REST_S)
        queues.tick(1 + REST_S)
        assert done(queues) == [Ring("one", ANU)]

    def test_all_of_a_round_are_tried_before_the_first_again(self) -> None:
        queues = Queues()
        queues.join("one", DESK, 300, 0)
        for at, agent in ((15, "anu"), (30, "bala"), (45, "chitra"), (60, "anu")):
            assert [command.agent.to for command in done(queues) if isinstance(command, Ring)] == [agent]
            queues.tick(at)
            queues.refused("one", agent, "no_answer", at)

    def test_who_takes_the_call_is_busy_until_it_is_over(self) -> None:
        queues = Queues()
        queues.join("one", Queue("desk", (ANU,)), 60, 0)
        queues.answered("one", "anu")
        queues.connected("one", "anu")
        queues.join("two", Queue("desk", (ANU,)), 60, 5)
        assert Ring("two", ANU) not in done(queues)
        queues.released("anu", 30)
        assert done(queues) == [Ring("two", ANU)]

    def test_after_its_time_nobody_rings_any_more(self) -> None:
        queues = Queues()
        queues.join("one", DESK, 20, 0)
        assert queues.due == 20
        done(queues)
        queues.tick(20)
        assert done(queues) == [StopRinging("one", ANU), GiveUp("one", "no_answer")]
        assert queues.due is None

    def test_nobody_was_ever_free(self) -> None:
        queues = Queues()
        queues.join("one", Queue("desk", (ANU,)), 60, 0)
        queues.connected("one", "anu")
        queues.join("two", Queue("desk", (ANU,)), 20, 0)
        done(queues)
        queues.tick(20)
        assert done(queues) == [GiveUp("two", "busy")]

    def test_an_agent_who_hears_what_it_is_about_is_waited_for(self) -> None:
        queues = Queues()
        queues.join("one", DESK, 20, 0)
        done(queues)
        queues.answered("one", "anu")
        queues.tick(20)
        assert (done(queues), queues.due) == ([], None)
        queues.refused("one", "anu", "no_answer", 25)
        assert done(queues) == [GiveUp("one", "no_answer")]

    def test_who_hangs_up_stops_the_ringing(self) -> None:
        queues = Queues()
        queues.join("one", DESK, 20, 0)
        done(queues)
        queues.leave("one")
        assert (done(queues), queues.due, queues.waiting("desk")) == ([StopRinging("one", ANU)], None, 0)
        queues.leave("one")
        queues.refused("one", "anu", "no_answer", 3)
        queues.answered("one", "anu")
        queues.connected("one", "anu")
        assert done(queues) == []


class TestANumber:
    def test_is_called_once(self) -> None:
        queues = Queues()
        queues.join("one", direct("+911234567890"), 30, 0)
        (ring,) = done(queues)
        assert ring == Ring("one", Agent("+911234567890", ring_s=float("inf"), calls=None))
        queues.refused("one", "+911234567890", "busy", 2)
        assert done(queues) == [GiveUp("one", "busy")]

    def test_has_any_number_of_calls_and_no_rest(self) -> None:
        queues = Queues()
        for caller in ("one", "two"):
            queues.join(caller, direct("+91"), 30, 0)
            assert [type(command) for command in queues.take()] == [Ring]
        queues.refused("one", "+91", "no_answer", 5)
        queues.join("three", direct("+91"), 30, 5)
        assert [type(command) for command in queues.take()] == [GiveUp, Ring]
        queues.connected("two", "+91")
        queues.released("+91", 9)
        assert queues.take() == []


class TestAllAtOnce:
    QUEUE = Queue("desk", (ANU, BALA), Strategy.ALL_AT_ONCE)

    def test_all_ring_and_the_first_has_the_caller(self) -> None:
        queues = Queues()
        queues.join("one", self.QUEUE, 60, 0)
        assert done(queues) == [Ring("one", ANU), Ring("one", BALA)]
        queues.answered("one", "bala")
        assert done(queues) == [StopRinging("one", ANU, elsewhere=True)]
        queues.connected("one", "bala")
        queues.join("two", self.QUEUE, 60, 0)
        assert done(queues) == [Ring("two", ANU)]

    def test_where_the_agent_must_say_so_the_others_ring_until_he_does(self) -> None:
        queues = Queues()
        queues.join("one", self.QUEUE, 60, 0)
        done(queues)
        queues.answered("one", "anu", settles=False)
        queues.answered("one", "bala", settles=False)
        assert done(queues) == []
        queues.connected("one", "bala")
        assert done(queues) == [StopRinging("one", ANU, elsewhere=True)]

    def test_who_becomes_free_rings_too(self) -> None:
        queues = Queues()
        queues.join("one", self.QUEUE, 60, 0)
        queues.connected("one", "anu")
        queues.join("two", self.QUEUE, 60, 1)
        done(queues)
        queues.released("anu", 5)
        assert done(queues) == [Ring("two", ANU)]


def test_the_longest_idle_agent_rings() -> None:
    queue = Queue("desk", (ANU, BALA), Strategy.LONGEST_IDLE)
    queues = Queues()
    for at, expected in ((0, ANU), (10, BALA), (20, ANU), (30, BALA)):
        queues.join(f"at {at}", queue, 60, at)
        assert done(queues) == [Ring(f"at {at}", expected)]
        queues.connected(f"at {at}", expected.to)
        queues.released(expected.to, at + 5)
        done(queues)


def test_first_come_first_served() -> None:
    queues = Queues()
    queue = Queue("desk", (ANU,))
    queues.join("zero", queue, 600, 0)
    queues.connected("zero", "anu")
    queues.take()
    for caller in ("one", "two", "three"):
        queues.join(caller, queue, 600, 0)
    assert queues.take() == [Moved("one", 1), Moved("two", 2), Moved("three", 3)]
    queues.leave("two")
    assert queues.take() == [Moved("three", 2)]
    queues.released("anu", 10)
    assert queues.take() == [Ring("one", ANU)]
    queues.connected("one", "anu")
    assert queues.take() == [Moved("three", 1)]
    assert queues.waiting("desk") == 1


def test_an_agent_of_two_queues_has_one_call_at_a_time() -> None:
    queues = Queues()
    queues.join("one", Queue("sales", (ANU,)), 60, 0)
    queues.join("two", Queue("support", (ANU, BALA)), 60, 0)
    assert done(queues) == [Ring("one", ANU), Ring("two", BALA)]


def test_a_queue_that_is_full_takes_nobody() -> None:
    queues = Queues()
    queue = Queue("desk", (ANU,), most=1)
    queues.join("one", queue, 60, 0)
    queues.take()
    queues.join("two", queue, 60, 0)
    assert queues.take() == [GiveUp("two", "busy")]


Pair = tuple[str, str]
"""A caller, and the address of an agent."""


class Floor:
    """A queue at work; after each deed, calls and rings must add up."""

    AGENTS = (ANU, BALA, Agent("dev", calls=2))

    def __init__(self, strategy: Strategy) -> None:
        self.queue = Queue("desk", self.AGENTS, strategy)
        self.queues = Queues()
        self.now = 0.0
        self.rings: set[Pair] = set()
        self.talks: set[Pair] = set()
        self.here: set[str] = set()

    def settle(self) -> None:
        for command in self.queues.take():
            match command:
                case Ring(caller, agent):
                    assert caller in self.here
                    self.rings.add((caller, agent.to))
                case StopRinging(caller, agent, _):
                    self.rings.remove((caller, agent.to))
                case GiveUp(caller, _):
                    self.here.remove(caller)
                case Moved(caller, place):
                    assert caller in self.here
                    assert 1 <= place <= len(self.here)
        for agent in self.AGENTS:
            assert sum(to == agent.to for _, to in (*self.rings, *self.talks)) <= (agent.calls or 0)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.queues.tick(self.now)
        self.settle()

    def come(self, caller: str) -> None:
        self.here.add(caller)
        self.queues.join(caller, self.queue, 30.0, self.now)
        self.settle()

    def go(self, caller: str) -> None:
        self.here.remove(caller)
        self.queues.leave(caller)
        self.settle()

    def answer(self, pair: Pair, settles: bool) -> None:
        self.queues.answered(*pair, settles=settles)
        self.settle()

    def refuse(self, pair: Pair, outcome: Refusal) -> None:
        self.rings.remove(pair)
        self.queues.refused(*pair, outcome, self.now)
        self.settle()

    def connect(self, pair: Pair) -> None:
        self.rings.remove(pair)
        self.here.remove(pair[0])
        self.talks.add(pair)
        self.queues.connected(*pair)
        self.settle()

    def part(self, pair: Pair) -> None:
        self.talks.remove(pair)
        self.queues.released(pair[1], self.now)
        self.settle()

    def nobody_takes_any_more(self) -> None:
        while self.rings:
            self.refuse(min(self.rings), "no_answer")


@pytest.mark.parametrize("strategy", list(Strategy))
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whatever_happens_calls_and_rings_add_up(strategy: Strategy, data: st.DataObject) -> None:
    """No agent has too many calls, nobody is rung for a caller who is gone, everybody gets an end in time."""
    floor = Floor(strategy)
    for number in range(data.draw(st.integers(1, 25))):
        floor.pass_time(data.draw(st.sampled_from((0.0, 1.0, 7.0, 15.0))))
        deed = data.draw(st.sampled_from(("come", "go", "answer", "refuse", "connect", "part")))
        ringing = sorted(floor.rings)
        if deed == "come":
            floor.come(f"caller {number}")
        elif deed == "go" and floor.here:
            floor.go(data.draw(st.sampled_from(sorted(floor.here))))
        elif deed == "answer" and ringing:
            floor.answer(data.draw(st.sampled_from(ringing)), data.draw(st.booleans()))
        elif deed == "refuse" and ringing:
            outcome: Refusal = data.draw(st.sampled_from(("busy", "no_answer", "failed")))
            floor.refuse(data.draw(st.sampled_from(ringing)), outcome)
        elif deed == "connect" and ringing:
            floor.connect(data.draw(st.sampled_from(ringing)))
        elif deed == "part" and floor.talks:
            floor.part(data.draw(st.sampled_from(sorted(floor.talks))))
    floor.nobody_takes_any_more()
    for _ in range(200):
        if (due := floor.queues.due) is None:
            break
        floor.pass_time(max(0.0, due - floor.now))
        floor.nobody_takes_any_more()
    assert (floor.here, floor.rings, floor.queues.due, floor.queues.waiting("desk")) == (
        set(),
        set(),
        None,
        0,
    )
