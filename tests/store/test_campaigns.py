"""Campaigns in the store: who may be called, whose call it is, and what is left when somebody is erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ivr.campaigns.hours import ALWAYS
from ivr.campaigns.model import (
    Campaign,
    Claim,
    ContactState,
    NewContact,
    Pace,
    Retries,
    Spec,
    State,
)
from ivr.campaigns.plan import Decision, Standing, judge, plan
from ivr.screening import OnMachine, Screening
from ivr.store import CallState, Ending, NewCall, Store, StoreError, database_url, new_id
from ivr.store.campaign_claims import BUSY_ELSEWHERE_S
from ivr.store.campaign_writes import MOST_ZONES, UnknownCampaign, WrongState
from ivr.store.campaigns import LEASE_S

NOW = 1_800_000_000.0
SPEC = Spec("campaign", "exotel", window=ALWAYS, pace=Pace(at_once=10, per_minute=6000))
DRAFT, RUNNING = frozenset({State.DRAFT}), frozenset({State.RUNNING})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(database_url(tmp_path))
    yield store
    await store.close()


def contact(number: str, zone: str = "Asia/Kolkata") -> NewContact:
    return NewContact(number, number, zone, {"guest": "आशा"})


async def campaign(store: Store, *numbers: str, spec: Spec = SPEC, started: bool = True) -> str:
    made = Campaign(new_id(), "table", State.DRAFT, spec, NOW, "orders")
    await store.campaigns.create(made)
    if numbers:
        await store.campaigns.add_contacts(made.id, [contact(number) for number in numbers])
    if started:
        await store.campaigns.move(made.id, DRAFT, State.RUNNING, NOW)
    return made.id


async def claimed(
    store: Store, id: str, *, now: float = NOW, room: int = 100, owner: str = "node-a", spec: Spec = SPEC
) -> tuple[Claim, ...]:
    def decide(standing: Standing) -> Decision:
        return plan(spec, standing, room, ALWAYS, now)

    return (await store.campaigns.round(id, decide, owner, now)).claims


async def called(store: Store, claim: Claim, cause: str | None = None, *, answered: bool = False) -> str:
    """The call of a claim, with its end where there is a cause."""
    call = NewCall(new_id(), "outbound", NOW, called=claim.called, idempotency_key=claim.key)
    await store.create_call(call)
    await store.campaigns.placed(claim, call.id)
    if answered:
        await store.advance(call.id, CallState.ANSWERED, NOW + 5)
    if cause is not None:
        await store.finish_call(call.id, Ending(NOW + 10, cause, "callee", {"answer": "coming"}))
    return call.id


after = partial(judge, retries=Retries(times=1, after_s=600), now=NOW + 10)


async def states(store: Store, id: str) -> list[str]:
    return [each.state.value for each in await store.campaigns.contacts(id)]


async def test_a_campaign_comes_back_as_it_was_put(store: Store) -> None:
    spec = replace(
        SPEC, screening=Screening(OnMachine.WAIT_FOR_BEEP), ends_at=NOW + 1, retries=Retries(times=0)
    )
    id = await campaign(store, "+911", spec=spec, started=False)
    found = await store.campaigns.get(id)
    assert found == Campaign(id, "table", State.DRAFT, spec, NOW, "orders")
    assert await store.campaigns.get("x") is None
    assert await store.campaigns.active() == []
    await store.campaigns.move(id, DRAFT, State.RUNNING, NOW + 1)
    (active,) = await store.campaigns.active()
    assert (active.state, active.started_at) == (State.RUNNING, NOW + 1)


async def test_campaigns_are_listed_newest_first(store: Store) -> None:
    ids = sorted([await campaign(store, started=False) for _ in range(5)])  # made in one millisecond, maybe
    first, cursor = await store.campaigns.page(limit=3)
    rest, end = await store.campaigns.page(limit=3, cursor=cursor)
    assert [each.id for each in [*first, *rest]] == ids[::-1]
    assert end is None
    with pytest.raises(ValueError, match="not a cursor"):
        await store.campaigns.page(cursor="§")


async def test_nobody_is_in_a_campaign_twice(store: Store) -> None:
    id = await campaign(store, "+911", "+912", started=False)
    added = await store.campaigns.add_contacts(id, [contact(number) for number in ("+912", "+913", "+913")])
    assert (added.waiting, added.suppressed, added.twice) == (1, 0, {"+912"})
    assert [each.contact for each in await store.campaigns.contacts(id)] == [1, 2, 3]


async def test_each_contact_is_claimed_once_and_those_after_it_next(store: Store) -> None:
    id = await campaign(store, *(f"+91{n}" for n in range(10, 15)))
    first = await claimed(store, id, room=2)
    second = await claimed(store, id, room=9, now=NOW + 1, owner="node-b")
    assert [claim.contact for claim in first + second] == [1, 2, 3, 4, 5]
    assert {claim.attempt for claim in first + second} == {1}
    assert first[0].key == f"campaign:{id}:1:1"
    assert await claimed(store, id, now=NOW + 2) == ()


async def test_many_nodes_at_a_time_share_without_doubling(store: Store) -> None:
    id = await campaign(store, *(f"+91{n}" for n in range(100, 150)))
    spec = replace(SPEC, pace=Pace(at_once=30, per_minute=6000))
    rounds = await asyncio.gather(
        *(claimed(store, id, room=4, owner=f"node-{n}", now=NOW + n, spec=spec) for n in range(20))
    )
    contacts = [claim.contact for claims in rounds for claim in claims]
    assert len(contacts) == len(set(contacts)) == 30, "what may be called at once is counted over all nodes"


async def test_the_pace_holds_over_all_nodes(store: Store) -> None:
    id = await campaign(store, *(f"+91{n}" for n in range(100, 150)))
    slow = replace(SPEC, pace=Pace(at_once=30, per_minute=60))
    begun = [
        len(await claimed(store, id, now=NOW + tick / 10, owner=f"node-{tick % 3}", spec=slow))
        for tick in range(50)
    ]
    assert sum(begun) == 5


async def test_nobody_is_claimed_once_it_is_paused(store: Store) -> None:
    id = await campaign(store, "+911", "+912")
    await store.campaigns.move(id, RUNNING, State.PAUSED, NOW, "there is no flow")
    assert await claimed(store, id) == ()
    found = await store.campaigns.get(id)
    assert found is not None
    assert (found.state, found.reason) == (State.PAUSED, "there is no flow")


async def test_what_a_state_does_not_allow_is_refused(store: Store) -> None:
    id = await campaign(store, started=False)
    with pytest.raises(WrongState, match="no contacts"):
        await store.campaigns.move(id, DRAFT, State.RUNNING, NOW)
    await store.campaigns.move(id, DRAFT, State.CANCELLED, NOW)
    await store.campaigns.move(id, DRAFT, State.CANCELLED, NOW)  # what is so already is no mistake
    for move in (
        store.campaigns.move(id, DRAFT, State.RUNNING, NOW),
        store.campaigns.add_contacts(id, [contact("+911")]),
    ):
        with pytest.raises(WrongState, match="cancelled"):
            await move
    for move in (
        store.campaigns.move("x", DRAFT, State.RUNNING, NOW),
        store.campaigns.add_contacts("x", [contact("+911")]),
        store.campaigns.drop("x"),
    ):
        with pytest.raises(UnknownCampaign):
            await move


async def test_too_many_time_zones_are_refused_whole(store: Store) -> None:
    id = await campaign(store, started=False)
    with pytest.raises(StoreError, match="64 time zones"):
        await store.campaigns.add_contacts(
            id, [contact(f"+91{n}", f"zone/{n}") for n in range(MOST_ZONES + 1)]
        )
    assert await store.campaigns.contacts(id) == []


async def test_who_asked_not_to_be_called_is_not(store: Store) -> None:
    assert await store.suppressions.add(["+912", "+919", "+912"], NOW, "api:orders") == 2
    id = await campaign(store, "+911", "+912", "+913")
    assert await states(store, id) == ["waiting", "suppressed", "waiting"]
    await store.suppressions.add(["+911"], NOW, "call:1")
    (claim,) = await claimed(store, id, room=1)
    assert claim.called == "+913", "he said so after the upload"
    assert await states(store, id) == ["suppressed", "suppressed", "calling"]


async def test_the_suppression_list(store: Store) -> None:
    await store.suppressions.add(["+912", "+911", "+913"], NOW, "api:orders")
    assert await store.suppressions.add(["+911"], NOW + 9, "call:7") == 0
    first = await store.suppressions.get("+911")
    assert first is not None
    assert (first.at, first.source) == (NOW, "api:orders")
    page = await store.suppressions.page(limit=2)
    assert [each.number for each in page] == ["+911", "+912"]
    assert [each.number for each in await store.suppressions.page(after="+912")] == ["+913"]
    assert await store.suppressions.remove("+911")
    assert not await store.suppressions.remove("+911")
    assert await store.suppressions.get("+911") is None


async def test_two_campaigns_do_not_call_somebody_at_the_same_time(store: Store) -> None:
    one, other = await campaign(store, "+911"), await campaign(store, "+911", "+912")
    (claim,) = await claimed(store, one)
    assert [each.called for each in await claimed(store, other)] == ["+912"]
    await called(store, claim, "normal", answered=True)
    await store.campaigns.settle(claim, after)
    assert await claimed(store, other, now=NOW + 1) == ()
    assert [each.called for each in await claimed(store, other, now=NOW + BUSY_ELSEWHERE_S)] == ["+911"]


async def test_who_was_busy_is_called_again_and_who_answered_is_not(store: Store) -> None:
    id = await campaign(store, "+911", "+912")
    busy, there = await claimed(store, id)
    await called(store, busy, "busy")
    await called(store, there, "normal", answered=True)
    for claim in (busy, there):
        assert await store.campaigns.settle(claim, after) is not None
    assert await states(store, id) == ["waiting", "answered"]
    assert await claimed(store, id, now=NOW + 600) == ()
    (again,) = await claimed(store, id, now=NOW + 610)
    assert (again.contact, again.attempt) == (1, 2)
    await called(store, again, "busy")
    await store.campaigns.settle(again, after)
    assert await states(store, id) == ["unreached", "answered"]
    figures = await store.campaigns.all_figures(id)
    assert figures.states == {ContactState.UNREACHED: 1, ContactState.ANSWERED: 1}
    assert figures.causes == {"busy": 1, "normal": 1}
    assert (figures.retried, figures.results) == (1, {"answer": {"coming": 1}})
    assert await claimed(store, id, now=NOW + 9999) == ()
    done = await store.campaigns.get(id)
    assert done is not None
    assert (done.state, done.ended_at) == (State.DONE, NOW + 9999)


async def test_a_call_that_lives_settles_nothing_and_one_that_was_settled_stays_so(store: Store) -> None:
    id = await campaign(store, "+911")
    (claim,) = await claimed(store, id)
    assert await store.campaigns.settle(claim, after) is None, "there is no call yet"
    call = await called(store, claim)
    assert await store.campaigns.settle(claim, after) is None
    await store.finish_call(call, Ending(NOW + 10, "busy", "callee"))
    await store.campaigns.settle(claim, after)
    (again,) = await claimed(store, id, now=NOW + 700)
    await store.campaigns.settle(claim, after)
    assert await states(store, id) == ["calling"], "the end of the first call is none of the second"
    await store.campaigns.give_back(claim, NOW)
    assert await states(store, id) == ["calling"]
    await store.campaigns.give_back(again, NOW + 5)
    (kept,) = await store.campaigns.contacts(id)
    assert (kept.state, kept.attempts, kept.due_at) == (ContactState.WAITING, 1, NOW + 5)


async def test_what_a_dead_node_held_is_seen_when_its_lease_is_over(store: Store) -> None:
    id = await campaign(store, "+911", "+912", "+913")
    unmade, live, ended = await claimed(store, id, owner="dead")
    live_call, ended_call = await called(store, live), await called(store, ended, "no_answer")
    assert await store.campaigns.in_the_air(NOW + LEASE_S, "node-b") == []
    found = await store.campaigns.in_the_air(NOW + LEASE_S + 1, "node-b")
    assert [(each.claim, each.made, each.ended) for each in found] == [
        (unmade, None, False), (live, live_call, False), (ended, ended_call, True),
    ]  # fmt: skip
    assert await store.campaigns.in_the_air(NOW, None) == found, "a node that is alone need not wait"
    await store.campaigns.renew("node-b", NOW + 1000, [live])
    assert [each.claim for each in await store.campaigns.in_the_air(NOW + 500, "node-c")] == [unmade, ended]


async def test_a_call_that_cannot_be_made_is_told_by_its_cause(store: Store) -> None:
    id = await campaign(store, "+911")
    (claim,) = await claimed(store, id)
    await store.campaigns.fail(claim, "bad_number", NOW + 1)
    (found,) = await store.campaigns.contacts(id)
    assert (found.state, found.cause, found.ended_at) == (ContactState.UNREACHED, "bad_number", NOW + 1)


async def test_who_is_erased_with_his_call_is_erased_in_the_campaign(store: Store) -> None:
    id = await campaign(store, "+911", "+912")
    first, second = await claimed(store, id)
    call = await called(store, first, "busy")
    await store.campaigns.settle(first, after)
    await store.erase_call(call, NOW + 20)
    erased, other = await store.campaigns.contacts(id)
    assert (erased.called, erased.params, erased.state) == ("erased", {}, ContactState.ERASED)
    assert "911" not in erased.number
    assert other.called == "+912"
    await store.campaigns.give_back(second, NOW)
    assert [claim.contact for claim in await claimed(store, id, now=NOW + 9999)] == [2], (
        "he is not called again"
    )


async def test_a_contact_is_erased_unless_he_is_called(store: Store) -> None:
    id = await campaign(store, "+911", "+912")
    await claimed(store, id, room=1)
    with pytest.raises(WrongState, match="called at present"):
        await store.campaigns.erase_contact(id, 1)
    assert await store.campaigns.erase_contact(id, 2)
    assert await states(store, id) == ["calling", "erased"]
    assert not await store.campaigns.erase_contact(id, 3)


async def test_a_campaign_that_is_over_can_be_deleted_with_its_contacts(store: Store) -> None:
    id = await campaign(store, "+911")
    (claim,) = await claimed(store, id)
    with pytest.raises(WrongState, match="cancel it first"):
        await store.campaigns.drop(id)
    await store.campaigns.move(id, RUNNING, State.CANCELLED, NOW)
    with pytest.raises(WrongState, match="under way"):
        await store.campaigns.drop(id)
    call = await called(store, claim, "normal", answered=True)
    await store.campaigns.settle(claim, after)
    await store.campaigns.drop(id)
    assert await store.campaigns.get(id) is None
    assert await store.campaigns.contacts(id) == []
    assert await store.get_call(call) is not None


async def test_a_large_campaign_is_deleted_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.store.campaign_writes.PIECE", 3)
    id = await campaign(store, *(f"+91{n}" for n in range(10, 20)), started=False)
    assert await store.campaigns.over_before(NOW + 9999) == []
    await store.campaigns.move(id, DRAFT, State.CANCELLED, NOW)
    assert await store.campaigns.over_before(NOW) == []
    assert await store.campaigns.over_before(NOW + 1) == [id]
    await store.campaigns.drop(id)
    assert await store.campaigns.get(id) is None
    assert await store.campaigns.contacts(id) == []


async def test_results_come_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.store.campaigns._PAGE", 2)
    id = await campaign(store, "+911", "+912", "+913")
    claims = await claimed(store, id)
    await called(store, claims[1], "normal", answered=True)
    await store.campaigns.settle(claims[1], after)
    pages = [page async for page in store.campaigns.results(id)]
    assert [len(page) for page in pages] == [2, 1]
    assert pages[0][1].result == {"answer": "coming"}
    assert pages[0][1].answered_at == NOW + 5
    assert pages[1][0].result == {}


async def test_a_value_that_everybody_says_otherwise_is_no_figure(store: Store) -> None:
    id = await campaign(store, *(f"+91{n}" for n in range(10, 40)), spec=SPEC)
    for claim in await claimed(store, id, spec=replace(SPEC, pace=Pace(50, 60_000))):
        call = NewCall(new_id(), "outbound", NOW, idempotency_key=claim.key)
        await store.create_call(call)
        result = {"name": f"n{claim.contact}", "came": claim.contact % 2 == 0}
        await store.finish_call(call.id, Ending(NOW, "normal", "us", result))
        await store.campaigns.settle(claim, lambda *_: judge("normal", True, 1, 0, Retries(), NOW))
    results = (await store.campaigns.all_figures(id)).results
    assert results["came"] == {"true": 15, "false": 15}
    assert len(results["name"]) == 20
