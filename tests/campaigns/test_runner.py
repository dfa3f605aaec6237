"""The runner over a real store, with made lines and a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.api.gateway import BadNumber, CallRequest, NoCapacity, ParamsRefused, UnknownFlow
from ivr.campaigns.hours import ALWAYS, Window
from ivr.campaigns.model import Campaign, ContactState, NewContact, Pace, Retries, Spec, State
from ivr.campaigns.plan import SPARED_S
from ivr.campaigns.runner import LOOK_S, CampaignRunner
from ivr.store import CallState, Ending, NewCall, Store, StoreUnavailable, database_url, new_id
from ivr.store.campaigns import LEASE_S
from tests.campaigns.test_hours import KOLKATA, NEW_YORK, at

NOON = at("2026-12-01 12:00", KOLKATA)
SPEC = Spec(
    "campaign", "exotel", window=Window(), pace=Pace(at_once=10, per_minute=6000), retries=Retries(1, 600.0)
)


class Lines:
    """Stores calls as the desk does; how they end is the test's to say."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.store = store
        self.clock = clock
        self.free, self.lines = 100, 100
        self.asked: list[CallRequest] = []
        self.made: list[tuple[float, str]] = []
        self.live: dict[str, str] = {}
        self.refusal: Exception | None = None
        self.ends_at_once: str | None = None
        self.stuck = False
        self.entered = asyncio.Event()

    def room(self, _: str) -> tuple[int, int]:
        return self.free - len(self.live), self.lines

    async def initiate(self, request: CallRequest) -> str:
        self.asked.append(request)
        if self.stuck:
            self.entered.set()
            await asyncio.Event().wait()
        if self.refusal is not None:
            raise self.refusal
        call = NewCall(
            new_id(), "outbound", self.clock(), called=request.to,
            idempotency_key=request.idempotency_key, fingerprint=request.fingerprint,
        )  # fmt: skip
        created = await self.store.create_call(call)
        if not created.existing:
            self.made.append((self.clock(), request.to))
            self.live[request.to] = created.call_id
            if self.ends_at_once is not None:
                await self.end(request.to, self.ends_at_once)
        return created.call_id

    async def end(self, to: str, cause: str, *, answered: bool = False) -> None:
        call = self.live.pop(to)
        if answered:
            await self.store.advance(call, CallState.ANSWERED, self.clock())
        await self.store.finish_call(call, Ending(self.clock(), cause, "callee"))


class Stage:
    """A store, lines, and runners of one or several nodes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOON
        self.lines = Lines(store, lambda: self.now)
        self.runners: list[CampaignRunner] = []
        self.dead: list[CampaignRunner] = []

    def runner(
        self,
        *,
        alone: bool = True,
        reserve: float = 0.0,
        allowed: Window = ALWAYS,
        keep_days: int | None = None,
    ) -> CampaignRunner:
        made = CampaignRunner(
            self.lines,
            self.store.campaigns,
            allowed,
            reserve,
            alone=alone,
            keep_days=keep_days,
            clock=lambda: self.now,
        )
        self.runners.append(made)
        self.store.on_end(self._ended)
        return made

    def _ended(self, call_id: str) -> None:
        for runner in self.runners:
            runner.ended(call_id)

    def dies(self, runner: CampaignRunner) -> None:
        """Its process is gone: nothing of it happens any more."""
        self.runners.remove(runner)
        self.dead.append(runner)

    async def campaign(self, *numbers: str, spec: Spec = SPEC, zone: str = KOLKATA) -> str:
        id = new_id()
        await self.store.campaigns.create(Campaign(id, "table", State.DRAFT, spec, NOON, "orders"))
        people = [NewContact(number, number, zone, {}) for number in numbers]
        await self.store.campaigns.add_contacts(id, people)
        await self.store.campaigns.move(id, frozenset({State.DRAFT}), State.SCHEDULED, NOON)
        return id

    async def turn(self, *runners: CampaignRunner) -> float:
        """One turn of each, with all that follows from it."""
        waits = [await runner.turn() for runner in runners or self.runners]
        await self.settled()
        return min(waits)

    async def settled(self) -> None:
        for runner in self.runners:
            while work := [*runner._placing, *runner._ends]:
                await asyncio.wait(work)

    async def until(self, end: float) -> None:
        """Lets time go on as the runners ask for it."""
        while self.now < end:
            wait_s = await self.turn()
            woken = [runner for runner in self.runners if runner._wake.is_set()]
            for runner in woken:
                runner._wake.clear()
            self.now = min(end, self.now + (0.01 if woken else max(wait_s, 0.01)))

    async def states(self, id: str) -> list[str]:
        return [each.state.value for each in await self.store.campaigns.contacts(id)]

    async def state(self, id: str) -> State:
        found = await self.store.campaigns.get(id)
        assert found is not None
        return found.state


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    store = await Store.open(database_url(tmp_path))
    stage = Stage(store)
    yield stage
    for runner in (*stage.runners, *stage.dead):
        await runner.close()
    await store.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks unasked: where hours go by, what is planned is all that happens."""
    monkeypatch.setattr("ivr.campaigns.runner.LOOK_S", 1e6)


async def test_everybody_is_called_and_it_is_done(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911", "+912", "+913")
    await stage.turn(runner)
    assert await stage.state(id) is State.RUNNING
    assert sorted(stage.lines.live) == ["+911", "+912", "+913"]
    for number, cause in (("+911", "normal"), ("+912", "rejected"), ("+913", "normal")):
        await stage.lines.end(number, cause, answered=cause == "normal")
    await stage.settled()
    await stage.turn(runner)
    assert await stage.states(id) == ["answered", "unreached", "answered"]
    assert await stage.state(id) is State.DONE
    request = stage.lines.asked[0]
    assert (request.flow, request.trunk) == ("campaign", "exotel")
    assert request.idempotency_key == f"campaign:{id}:1:1"


async def test_the_pace_is_kept_whoever_wakes_it(stage: Stage) -> None:
    runner = stage.runner()
    spec = replace(SPEC, pace=Pace(at_once=100, per_minute=120))
    await stage.campaign(*(f"+91{n}" for n in range(100, 130)), spec=spec)
    for _ in range(5):
        await stage.turn(runner)
    await stage.until(NOON + 10)
    begun = [round((when - NOON) / 0.5) for when, _ in stage.lines.made]
    # Two a second, and at the beginning the two of a second at once.
    assert begun == [0, *range(len(begun) - 1)]
    assert len(begun) in (20, 21, 22)


@pytest.mark.usefixtures("patient")
async def test_who_was_busy_is_called_again_after_the_pause(stage: Stage) -> None:
    stage.runner()
    id = await stage.campaign("+911")
    stage.lines.ends_at_once = "busy"
    await stage.until(NOON + 3600)
    assert [when - NOON for when, _ in stage.lines.made] == [0.0, pytest.approx(600.0, abs=0.1)]
    assert await stage.states(id) == ["unreached"]
    assert await stage.state(id) is State.DONE


@pytest.mark.usefixtures("patient")
async def test_the_night_is_slept_through(stage: Stage) -> None:
    stage.runner(allowed=Window())
    stage.now = at("2026-12-01 20:55", KOLKATA)
    here = await stage.campaign("+911", spec=replace(SPEC, window=ALWAYS))
    there = await stage.campaign("+12025550100", spec=replace(SPEC, window=ALWAYS), zone=NEW_YORK)
    stage.lines.ends_at_once = "no_answer"
    await stage.until(at("2026-12-02 09:30", KOLKATA))
    begun = [(round(when - NOON), to) for when, to in sorted(stage.lines.made)]
    assert begun == [
        (round(at(when, KOLKATA) - NOON), to)
        for when, to in (
            ("2026-12-01 20:55", "+12025550100"),
            ("2026-12-01 20:55", "+911"),
            ("2026-12-01 21:05", "+12025550100"),
            ("2026-12-02 09:00", "+911"),
        )
    ], "it was half past ten in New York"
    assert await stage.states(here) == await stage.states(there) == ["unreached"]


async def test_a_share_of_the_lines_is_left_to_others(stage: Stage) -> None:
    runner = stage.runner(reserve=0.2)
    await stage.campaign(*(f"+91{n}" for n in range(100, 120)), spec=replace(SPEC, pace=Pace(50, 60_000)))
    stage.lines.lines, stage.lines.free = 10, 10
    await stage.turn(runner)
    assert len(stage.lines.live) == 8
    await stage.lines.end("+91100", "normal", answered=True)
    stage.now += 5
    await stage.turn(runner)
    assert len(stage.lines.live) == 8


async def test_the_only_line_of_a_trunk_may_be_used(stage: Stage) -> None:
    runner = stage.runner(reserve=0.5)
    await stage.campaign("+911", "+912")
    stage.lines.lines, stage.lines.free = 1, 1
    await stage.turn(runner)
    assert list(stage.lines.live) == ["+911"]


async def test_a_trunk_that_is_full_is_left_alone_for_as_long_as_it_says(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911", "+912")
    stage.lines.refusal = NoCapacity(30)
    await stage.turn(runner)
    asked = len(stage.lines.asked)
    assert await stage.states(id) == ["waiting", "waiting"]
    stage.lines.refusal = None
    await stage.until(NOON + 29)
    assert len(stage.lines.asked) == asked
    await stage.until(NOON + 35)
    assert sorted(stage.lines.live) == ["+911", "+912"]
    keys = {request.idempotency_key for request in stage.lines.asked[asked:]}
    assert keys == {f"campaign:{id}:1:1", f"campaign:{id}:2:1"}, "what was not made does not count"


@pytest.mark.usefixtures("patient")
async def test_a_call_that_found_no_line_does_not_count(stage: Stage) -> None:
    stage.runner()
    id = await stage.campaign("+911")
    stage.lines.ends_at_once = "no_capacity"
    await stage.until(NOON + SPARED_S + 1)
    stage.lines.ends_at_once = "busy"
    await stage.until(NOON + 7200)
    assert len(stage.lines.made) == 4, "two that did not count, one, and one more"
    assert await stage.states(id) == ["unreached"]


@pytest.mark.parametrize(
    ("refusal", "cause"), [(BadNumber("no"), "bad_number"), (ParamsRefused({"a": "no"}), "params_refused")]
)
async def test_who_cannot_be_called_is_told_by_the_cause(
    stage: Stage, refusal: Exception, cause: str
) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911")
    stage.lines.refusal = refusal
    await stage.turn(runner)
    (contact,) = await stage.store.campaigns.contacts(id)
    assert (contact.state, contact.cause) == (ContactState.UNREACHED, cause)


async def test_without_its_flow_it_pauses_and_says_so(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911")
    stage.lines.refusal = UnknownFlow("campaign")
    await stage.turn(runner)
    found = await stage.store.campaigns.get(id)
    assert found is not None
    assert (found.state, found.reason) == (State.PAUSED, "there is no flow 'campaign'")
    assert await stage.states(id) == ["waiting"]
    stage.lines.refusal = None
    await stage.store.campaigns.move(id, frozenset({State.PAUSED}), State.RUNNING, NOON)
    stage.now += 1
    await stage.turn(runner)
    assert list(stage.lines.live) == ["+911"]


async def test_paused_calls_end_as_they_do_and_no_others_begin(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911", "+912", spec=replace(SPEC, pace=Pace(1, 6000)))
    await stage.turn(runner)
    await stage.store.campaigns.move(id, frozenset({State.RUNNING}), State.PAUSED, NOON)
    await stage.lines.end("+911", "normal", answered=True)
    await stage.until(NOON + 60)
    assert await stage.states(id) == ["answered", "waiting"]
    assert await stage.state(id) is State.PAUSED


async def test_a_store_that_is_slow_costs_no_contact(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911")
    stage.lines.refusal = StoreUnavailable("slow")
    await stage.turn(runner)
    assert await stage.states(id) == ["waiting"]
    stage.lines.refusal = None
    await stage.until(NOON + 6)
    assert list(stage.lines.live) == ["+911"]


async def test_a_crash_between_the_claim_and_the_call(stage: Stage) -> None:
    """The contact is called by the next runner, with the same key."""
    dead = stage.runner()
    id = await stage.campaign("+911")
    stage.lines.stuck = True
    await dead.turn()
    await stage.lines.entered.wait()
    stage.dies(dead)
    assert await stage.states(id) == ["calling"]
    stage.lines.stuck = False
    await stage.turn(stage.runner())
    assert stage.lines.made == [(NOON, "+911")]
    assert stage.lines.asked[-1].idempotency_key == f"campaign:{id}:1:1"


@pytest.mark.usefixtures("patient")
async def test_a_crash_between_the_call_and_its_note(stage: Stage) -> None:
    """The call was made: it is not made again, and its end is the contact's."""
    dead = stage.runner()
    id = await stage.campaign("+911")
    await stage.turn(dead)
    stage.dies(dead)
    await stage.store.recover(NOON + 5)
    stage.now = NOON + 10
    await stage.turn(stage.runner())
    assert len(stage.lines.made) == 1
    assert await stage.states(id) == ["waiting"], "it had not been answered: he is called again, later"
    stage.lines.live.clear()
    await stage.until(NOON + 3600)
    assert [to for _, to in stage.lines.made] == ["+911", "+911"]
    assert stage.lines.asked[-1].idempotency_key == f"campaign:{id}:1:2"


async def test_who_had_answered_before_a_crash_is_not_called_again(stage: Stage) -> None:
    dead = stage.runner()
    id = await stage.campaign("+911")
    await stage.turn(dead)
    await stage.store.advance(stage.lines.live["+911"], CallState.ANSWERED, NOON + 2)
    stage.dies(dead)
    await stage.store.recover(NOON + 5)
    await stage.turn(stage.runner())
    assert await stage.states(id) == ["answered"]


async def test_two_nodes_call_nobody_twice_and_one_that_dies_leaves_its_share(stage: Stage) -> None:
    one, other = stage.runner(alone=False), stage.runner(alone=False)
    numbers = [f"+91{n}" for n in range(100, 120)]
    id = await stage.campaign(*numbers, spec=replace(SPEC, pace=Pace(50, 60_000)))
    stage.lines.free = 10
    await asyncio.gather(one.turn(), other.turn())
    await stage.settled()
    stage.lines.free = 100
    stage.now += 5
    await asyncio.gather(one.turn(), other.turn())
    await stage.settled()
    assert sorted(to for _, to in stage.lines.made) == numbers
    stage.dies(one)
    mine = {claim.called for claim, _ in one._calls.values()}
    for number in numbers:
        await stage.lines.end(number, "normal", answered=True)
    await stage.settled()
    assert (await stage.states(id)).count("calling") == len(mine)
    await stage.until(NOON + LEASE_S + LOOK_S + 6)
    assert set(await stage.states(id)) == {"answered"}
    assert len(stage.lines.made) == len(numbers)


async def test_a_node_that_stops_gives_back_what_it_has_not_called(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911", "+912", spec=replace(SPEC, pace=Pace(1, 6000)))
    stage.lines.stuck = True
    await runner.turn()
    await stage.lines.entered.wait()
    await runner.close()
    assert await stage.states(id) == ["waiting", "waiting"]
    await runner.turn()
    assert await stage.states(id) == ["waiting", "waiting"], "it has stopped"


async def test_a_call_that_ends_before_it_is_noted(stage: Stage) -> None:
    runner = stage.runner()
    id = await stage.campaign("+911")
    stage.lines.ends_at_once = "rejected"
    await stage.turn(runner)
    assert await stage.states(id) == ["unreached"]


async def test_what_has_been_over_for_long_enough_is_deleted(stage: Stage) -> None:
    runner = stage.runner(keep_days=30)
    old, open_ = await stage.campaign("+911"), await stage.campaign("+912", spec=replace(SPEC, starts_at=2e9))
    await stage.store.campaigns.move(old, frozenset({State.SCHEDULED}), State.CANCELLED, NOON)
    stage.now = NOON + 30 * 86_400
    await stage.turn(runner)
    assert await stage.state(old) is State.CANCELLED
    stage.now += 3601
    await stage.turn(runner)
    assert await stage.store.campaigns.get(old) is None
    assert await stage.state(open_) is State.SCHEDULED


async def test_a_look_that_fails_is_not_the_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.campaigns.runner.LOOK_S", 0.01)
    runner = stage.runner()
    await stage.campaign("+911")
    active, failures = stage.store.campaigns.active, [ValueError("a bug"), StoreUnavailable("slow")]

    async def fails_twice() -> list[Campaign]:
        if failures:
            raise failures.pop()
        return await active()

    monkeypatch.setattr(stage.store.campaigns, "active", fails_twice)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(30):
            while not stage.lines.live:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_runs_by_itself_and_wakes_for_what_happens(stage: Stage) -> None:
    runner = stage.runner()
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(30):
            id = await stage.campaign("+911")  # the change wakes it
            while not stage.lines.live:
                await asyncio.sleep(0.01)
            await stage.lines.end("+911", "normal", answered=True)
            while await stage.state(id) is not State.DONE:
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
