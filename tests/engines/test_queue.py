"""The queue of a model: who is served next, with whom, and that nobody waits for ever."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engines.worker.queue import Bounds, ModelQueue, Priority, QueueFull, Want

AGING_S = 1.0


def queue_of(bounds: Bounds | None = None, **wants: Want) -> ModelQueue[str]:
    """A queue in which all of these arose at 0."""
    queue: ModelQueue[str] = ModelQueue(bounds or Bounds())
    for job, want in wants.items():
        queue.open(job)
        queue.put(job, want, 0.0)
    return queue


def served(queue: ModelQueue[str], now: float = 0.0) -> list[str]:
    """All that wait, one batch after the other."""
    order: list[str] = []
    while batch := queue.take(now):
        order += batch
    return order


def test_finals_then_first_audio_then_the_rest_then_partials() -> None:
    wants = {priority.name: Want(priority) for priority in reversed(Priority)}
    assert served(queue_of(**wants)) == [
        "FINAL",
        "PAUSE",
        "FIRST_AUDIO",
        "REST",
        "FIRST_PARTIAL",
        "PARTIAL",
        "BULK",
    ]


def test_among_equals_the_oldest_is_first() -> None:
    queue = queue_of()
    for at, job in enumerate("cab"):
        queue.open(job)
        queue.put(job, Want(Priority.REST), at / 100)
    assert served(queue, 1.0) == ["c", "a", "b"]


def test_a_want_that_becomes_urgent_is_as_old_as_its_urgency() -> None:
    queue = queue_of(Bounds(aging_s=AGING_S), partial=Want(Priority.PARTIAL))
    queue.open("early")
    queue.put("early", Want(Priority.FINAL), 0.1)
    queue.put("partial", Want(Priority.FINAL), 0.2)
    queue.open("late")
    queue.put("late", Want(Priority.FINAL), 0.3)
    assert served(queue, 0.3) == ["early", "partial", "late"]


def test_a_pause_that_is_over_is_a_partial_again_of_its_old_age() -> None:
    queue = queue_of(talks=Want(Priority.PAUSE))
    queue.put("talks", Want(Priority.PARTIAL), 0.5)
    queue.open("new")
    queue.put("new", Want(Priority.PARTIAL), 0.4)
    assert served(queue, 0.5) == ["talks", "new"]
    queue.put("new", Want(Priority.PARTIAL), 0.6)
    queue.put("new", None, 0.7)
    assert queue.take(9.0) == []


def test_equal_shapes_share_a_batch_led_by_the_most_urgent() -> None:
    wants = {
        "partial": Want(Priority.PARTIAL, 4),
        "other": Want(Priority.PAUSE, 9),
        "final": Want(Priority.FINAL, 4),
        "alone": Want(Priority.FIRST_AUDIO),
        "late": Want(Priority.BULK, 4),
    }
    queue = queue_of(Bounds(batch=2), **wants)
    assert [queue.take(0.0) for _ in range(5)] == [["final", "partial"], ["other"], ["alone"], ["late"], []]


def test_the_window_waits_for_others_but_not_for_nobody() -> None:
    bounds = Bounds(batch=2, window_s=0.005)
    queue = queue_of(bounds, one=Want(Priority.FINAL, 4))
    assert queue.wait_s(0.0) == 0.0, "nobody else is there"
    for job in ("silent", "two"):
        queue.open(job)
    assert queue.wait_s(0.001) == pytest.approx(0.004)
    assert queue.take(0.001) == []
    queue.put("two", Want(Priority.FINAL, 4), 0.002)
    assert queue.take(0.002) == ["one", "two"], "the batch is full"
    queue.put("one", Want(Priority.FINAL, 4), 1.0)
    assert queue.take(1.004) == []
    assert queue.take(1.005) == ["one"], "the window is over"
    assert queue.wait_s(2.0) is None


def test_what_is_served_alone_waits_for_nobody() -> None:
    queue = queue_of(Bounds(batch=8, window_s=1.0), one=Want(Priority.FIRST_AUDIO))
    queue.open("silent")
    assert queue.take(0.0) == ["one"]


def test_slots_bound_what_is_under_way() -> None:
    queue = queue_of(Bounds(slots=1), a=Want(Priority.FIRST_AUDIO), b=Want(Priority.FIRST_AUDIO))
    assert queue.take(0.0) == ["a"]
    assert queue.take(0.0) == []
    assert queue.wait_s(0.0) is None
    queue.put("a", Want(Priority.REST), 0.1)
    assert queue.take(60.0) == ["a"], "what is under way goes on, however long the others wait"
    queue.close("a")
    assert queue.take(60.0) == ["b"], "its end, or its cancellation, frees the slot at once"


def test_a_full_queue_says_so() -> None:
    queue = queue_of(Bounds(jobs=2), a=Want(Priority.FINAL), b=Want(Priority.BULK))
    with pytest.raises(QueueFull, match="the queue is full: 2 jobs are open"):
        queue.open("c")
    assert "c" not in queue
    queue.close("b")
    queue.open("c")
    assert len(queue) == 2


@given(st.sampled_from(list(Priority)), st.integers(0, 2**32), st.integers(1, 4))
def test_nobody_starves(priority: Priority, seed: int, batch: int) -> None:
    """However many finals come, and twice as fast as they can be served: a want is passed by none that arose
    `aging_s` times its rank after it, so it is served once those before it are."""
    draw = random.Random(seed)
    queue: ModelQueue[int] = ModelQueue(Bounds(jobs=10_000, batch=batch, aging_s=AGING_S))
    queue.open(-1)
    queue.put(-1, Want(priority, "lonely"), 0.0)
    arrived: list[float] = []
    now = 0.0
    while True:
        for _ in range(2 * batch):
            queue.open(len(arrived))
            queue.put(len(arrived), Want(Priority.FINAL, draw.choice("xy")), now)
            arrived.append(now)
        got = queue.take(now)
        if got == [-1]:
            break
        assert arrived[got[0]] <= priority * AGING_S, "the leader of no batch came later than that"
        now += 0.1


class QueueModel(RuleBasedStateMachine):
    """Any sequence of events against plain bookkeeping."""

    @initialize(
        jobs=st.integers(1, 6),
        slots=st.none() | st.integers(1, 3),
        batch=st.integers(1, 3),
        window_s=st.sampled_from([0.0, 0.2]),
    )
    def begin(self, jobs: int, slots: int | None, batch: int, window_s: float) -> None:
        self.bounds = Bounds(jobs, slots, batch, window_s, AGING_S)
        self.queue: ModelQueue[int] = ModelQueue(self.bounds)
        self.now = 0.0
        self.open: set[int] = set()
        self.wants: dict[int, tuple[Want, float, float]] = {}
        """With when each arose, and when it is due."""
        self.under_way: set[int] = set()

    @rule(job=st.integers(0, 8))
    def opens(self, job: int) -> None:
        if job in self.open:
            return
        if len(self.open) == self.bounds.jobs:
            with pytest.raises(QueueFull):
                self.queue.open(job)
            return
        self.queue.open(job)
        self.open.add(job)

    @rule(
        job=st.integers(0, 8),
        want=st.none() | st.builds(Want, st.sampled_from(list(Priority)), st.sampled_from([None, "x", "y"])),
    )
    def wants_something(self, job: int, want: Want | None) -> None:
        if job not in self.open:
            return
        self.queue.put(job, want, self.now)
        old = self.wants.pop(job, None)
        if want is None:
            return
        since, due = self.now, self.now + want.priority * AGING_S
        if old is not None:
            since = old[1]
            if want.priority >= old[0].priority:
                due = old[2] if want.priority == old[0].priority else since + want.priority * AGING_S
            else:
                due = min(due, old[2])
        self.wants[job] = want, since, due

    @rule(job=st.integers(0, 8))
    def ends(self, job: int) -> None:
        self.queue.close(job)
        self.open.discard(job)
        self.wants.pop(job, None)
        self.under_way.discard(job)

    @rule(seconds=st.sampled_from([0.05, 0.3, 2.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def takes(self) -> None:
        wait_s = self.queue.wait_s(self.now)
        batch = self.queue.take(self.now)
        assert bool(batch) == (wait_s == 0), "wait_s and take agree"
        assert len(set(batch)) == len(batch) <= self.bounds.batch
        assert all(job in self.wants for job in batch), "only who wants something is served"
        shapes = {self.wants[job][0].shape for job in batch}
        assert len(shapes) <= 1
        assert len(batch) <= 1 or None not in shapes
        slots = self.bounds.slots
        if batch:
            free = slots is None or len(self.under_way) < slots
            able = [job for job in self.wants if free or job in self.under_way]
            assert self.wants[batch[0]][2] == min(self.wants[job][2] for job in able)
        for job in batch:
            del self.wants[job]
            self.under_way.add(job)
        assert slots is None or len(self.under_way) <= slots

    @rule()
    def waits_its_time(self) -> None:
        """After the time that the queue says, there is something to do."""
        wait_s = self.queue.wait_s(self.now)
        if wait_s is not None:
            self.now += wait_s + 1e-9
            self.takes()

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "queue"):
            assert len(self.queue) == len(self.open)


TestQueueModel = QueueModel.TestCase
