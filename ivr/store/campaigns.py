"""Campaigns and their contacts, as the rest of the server sees them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Select, func, select
from sqlalchemy.engine import RowMapping

from ivr.campaigns.model import Campaign, Claim, ContactState, NewContact, Spec, State
from ivr.campaigns.plan import Decision, Standing, Verdict
from ivr.store.campaign_claims import (
    Fail,
    GiveBack,
    Placed,
    Planned,
    Renew,
    Round,
    Settle,
    claim_of,
    orphans,
)
from ivr.store.campaign_writes import AddContacts, Added, DropCampaign, EraseContact, Move, PutCampaign
from ivr.store.parts import Perform, Reading
from ivr.store.schema import calls, campaigns, contacts

_SPEC: Final = TypeAdapter(Spec)
_PAGE: Final = 500
_VALUES: Final = 20
"""Values of a result that are counted apart; a text that everybody says otherwise is no figure."""

LEASE_S: Final = 60.0
"""How long a claim holds when nobody hears of its owner."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact as stored. `called` and `params` are empty once it is erased."""

    contact: int
    called: str
    number: str
    timezone: str
    params: Mapping[str, Any]
    state: ContactState
    due_at: float
    attempts: int
    attempted_at: float | None
    ended_at: float | None
    call_id: str | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class ContactResult:
    """A contact with how his last call went."""

    contact: Contact
    answered_at: float | None
    call_ended_at: float | None
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a campaign is: contacts by state, by the cause of their last call, how many were called more
    than once, and for each value of the flow's results how many calls ended with it."""

    states: Mapping[ContactState, int] = field(default_factory=dict)
    causes: Mapping[str, int] = field(default_factory=dict)
    retried: int = 0
    results: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InTheAir:
    """A claim that stands in the store; `made` is the id of its call, where there is one."""

    claim: Claim
    made: str | None
    ended: bool


class CampaignBook:
    """Reads by connections of its own, writes with all other writes of the store."""

    def __init__(self, reading: Reading, perform: Perform) -> None:
        self._reading = reading
        self._perform = perform
        self._on_change: Callable[[], None] = lambda: None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Has `listener` called whenever there may be somebody to call."""
        self._on_change = listener

    # --- campaigns

    async def create(self, campaign: Campaign) -> None:
        await self._perform(PutCampaign(campaign, _SPEC.dump_json(campaign.spec).decode()))

    async def get(self, campaign_id: str) -> Campaign | None:
        found = await self._all(select(campaigns).where(campaigns.c.id == campaign_id))
        return _campaign(found[0]) if found else None

    async def page(
        self, *, state: State | None = None, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[Campaign], str | None]:
        """Newest first, with the cursor of the page behind. Raises ValueError for one of another list."""
        query = select(campaigns).order_by(campaigns.c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(campaigns.c.state == state.value)
        if cursor is not None:
            query = query.where(campaigns.c.id < _read_cursor(cursor))
        found = [_campaign(row) for row in await self._all(query)]
        return found[:limit], _cursor(found[limit - 1].id) if len(found) > limit else None

    async def active(self) -> list[Campaign]:
        """Those that the runner has to look at, oldest first."""
        states = [state.value for state in State if state.active]
        query = select(campaigns).where(campaigns.c.state.in_(states)).order_by(campaigns.c.id)
        return [_campaign(row) for row in await self._all(query)]

    async def move(
        self, campaign_id: str, of: frozenset[State], to: State, at: float, reason: str = ""
    ) -> None:
        """Raises `UnknownCampaign`, `WrongState`."""
        await self._perform(Move(campaign_id, of, to, at, reason))
        self._on_change()

    async def drop(self, campaign_id: str) -> None:
        """Deletes the campaign and its contacts; their calls stay. Raises `UnknownCampaign`, `WrongState`."""
        while not await self._perform(DropCampaign(campaign_id)):
            pass

    async def over_before(self, at: float) -> Sequence[str]:
        """Campaigns that were over then."""
        query = select(campaigns.c.id).where(campaigns.c.ended_at < at)
        return [row["id"] for row in await self._all(query)]

    async def figures(self, ids: Sequence[str]) -> dict[str, Figures]:
        """Contacts by state and cause of each of the campaigns; no results."""
        columns = (contacts.c.campaign_id, contacts.c.state, contacts.c.cause)
        query = select(*columns, func.count().label("count")).where(contacts.c.campaign_id.in_(ids))
        states: dict[str, dict[ContactState, int]] = {each: {} for each in ids}
        causes: dict[str, dict[str, int]] = {each: {} for each in ids}
        for row in await self._all(query.group_by(*columns)):
            id, state = row["campaign_id"], ContactState(row["state"])
            states[id][state] = states[id].get(state, 0) + row["count"]
            if row["cause"] is not None:
                causes[id][row["cause"]] = causes[id].get(row["cause"], 0) + row["count"]
        return {each: Figures(states[each], causes[each]) for each in ids}

    async def all_figures(self, campaign_id: str) -> Figures:
        """With the results of the calls that were answered."""
        counted = (await self.figures([campaign_id]))[campaign_id]
        within = contacts.c.campaign_id == campaign_id
        retried = select(func.count().label("count")).where(within, contacts.c.attempts > 1)
        joined = select(calls.c.result, func.count().label("count")).join(
            contacts, contacts.c.call_id == calls.c.id
        )
        answered = joined.where(within, contacts.c.state == ContactState.ANSWERED.value)
        results: dict[str, dict[str, int]] = {}
        for row in await self._all(answered.group_by(calls.c.result)):
            for name, value in json.loads(row["result"] or "{}").items():
                counts = results.setdefault(name, {})
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                if text in counts or len(counts) < _VALUES:
                    counts[text] = counts.get(text, 0) + row["count"]
        number = (await self._all(retried))[0]["count"]
        return Figures(counted.states, counted.causes, number, results)

    # --- contacts

    async def add_contacts(self, campaign_id: str, added: Sequence[NewContact]) -> Added:
        """Adds some hundred; raises `UnknownCampaign`, `WrongState` once the campaign is over, and
        `StoreError` for too many time zones."""
        done: Added = await self._perform(AddContacts(campaign_id, added))
        self._on_change()
        return done

    async def among(self, campaign_id: str, numbers: Sequence[str]) -> frozenset[str]:
        """Those of some hundred numbers that the campaign has already."""
        within = contacts.c.campaign_id == campaign_id
        query = select(contacts.c.number).where(within, contacts.c.number.in_(numbers))
        return frozenset(row["number"] for row in await self._all(query))

    async def contacts(
        self, campaign_id: str, *, state: ContactState | None = None, after: int = 0, limit: int = 50
    ) -> list[Contact]:
        """In the order in which they were added, those with a number over `after`."""
        query = select(contacts).where(contacts.c.campaign_id == campaign_id, contacts.c.contact > after)
        if state is not None:
            query = query.where(contacts.c.state == state.value)
        return [_contact(row) for row in await self._all(query.order_by(contacts.c.contact).limit(limit))]

    async def erase_contact(self, campaign_id: str, contact: int) -> bool:
        """Deletes number and parameters of a contact, who is not called any more; False when there is none.
        Raises `WrongState` while he is called."""
        erased: bool = await self._perform(EraseContact(campaign_id, contact))
        return erased

    async def results(self, campaign_id: str) -> AsyncIterator[Sequence[ContactResult]]:
        """All contacts with the results of their calls, page by page."""
        after = 0
        while True:
            query = select(contacts, calls.c.answered_at, calls.c.ended_at.label("over_at"), calls.c.result)
            query = query.outerjoin(calls, calls.c.id == contacts.c.call_id)
            query = query.where(contacts.c.campaign_id == campaign_id, contacts.c.contact > after)
            found = await self._all(query.order_by(contacts.c.contact).limit(_PAGE))
            if not found:
                return
            after = found[-1]["contact"]
            yield [
                ContactResult(
                    _contact(row), row["answered_at"], row["over_at"], json.loads(row["result"] or "{}")
                )
                for row in found
            ]

    # --- calling

    async def round(
        self, campaign_id: str, decide: Callable[[Standing], Decision], owner: str, now: float
    ) -> Planned:
        planned: Planned = await self._perform(Round(campaign_id, decide, owner, now, LEASE_S))
        return planned

    async def placed(self, claim: Claim, call_id: str) -> None:
        await self._perform(Placed(claim, call_id))

    async def give_back(self, claim: Claim, due_at: float) -> None:
        await self._perform(GiveBack(claim, due_at))

    async def fail(self, claim: Claim, cause: str, at: float) -> None:
        await self._perform(Fail(claim, cause, at))

    async def settle(self, claim: Claim, judge: Callable[[str, bool, int, int], Verdict]) -> Verdict | None:
        verdict: Verdict | None = await self._perform(Settle(claim, judge))
        return verdict

    async def renew(self, owner: str, until: float, adopted: Sequence[Claim] = ()) -> None:
        await self._perform(Renew(owner, until, adopted))

    async def in_the_air(self, now: float, owner: str | None) -> list[InTheAir]:
        """Claims of the owner, and those that nobody holds any more; without an owner all."""
        return [
            InTheAir(claim_of(row), row["made"], row["call_state"] == "ended")
            for row in await self._all(orphans(now, owner))
        ]

    async def _all(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._reading() as connection:
            rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
        return rows


def _campaign(row: RowMapping) -> Campaign:
    return Campaign(
        id=row["id"],
        name=row["name"],
        state=State(row["state"]),
        spec=_SPEC.validate_json(row["spec"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
    )


def _contact(row: RowMapping) -> Contact:
    return Contact(
        contact=row["contact"],
        called=row["called"],
        number=row["number"],
        timezone=row["timezone"],
        params=json.loads(row["params"]),
        state=ContactState(row["state"]),
        due_at=row["due_at"],
        attempts=row["attempts"],
        attempted_at=row["attempted_at"],
        ended_at=row["ended_at"],
        call_id=row["call_id"],
        cause=row["cause"],
    )


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode((cursor + "=" * (-len(cursor) % 4)).encode("ascii")).decode()
    except ValueError as error:
        raise ValueError("not a cursor of this list") from error
