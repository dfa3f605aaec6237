"""Who calls which contact, and what came of it, as writes that are applied whole or not at all.

That somebody may be called is decided where his row lies: the campaign's row is locked, what is planned is
planned from what stands there, and written in the same transaction. So no two nodes ever have the same
contact, and nobody is called after a campaign was paused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Text, bindparam, cast, func, literal, select, update

from ivr.campaigns.model import Claim, ContactState, State, call_key
from ivr.campaigns.plan import Decision, Standing, Verdict
from ivr.store.campaign_writes import UnknownCampaign, locked, move, one_contact
from ivr.store.records import CallState, StoreError
from ivr.store.schema import calls, campaigns, contacts
from ivr.store.suppressions import suppressed_of

BUSY_ELSEWHERE_S: Final = 30.0
"""How soon somebody is looked at again whom another campaign calls at present."""

_PASSES: Final = 8
"""Times that a claim looks for others in place of those it may not call."""


_WAITING, _CALLING = ContactState.WAITING.value, ContactState.CALLING.value


@dataclass(frozen=True, slots=True)
class Planned:
    """What was decided, and who is to be called for it."""

    decision: Decision
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One look at a campaign: `decide` says what is to be done with it as it stands, and who is to be called
    is claimed for `owner` until the lease is over."""

    campaign_id: str
    decide: Callable[[Standing], Decision]
    owner: str
    now: float
    lease_s: float

    def apply(self, connection: Connection, _: str) -> Planned | StoreError:
        try:
            row = locked(connection, self.campaign_id)
        except UnknownCampaign as error:
            return error
        decision = self.decide(_standing(connection, row))
        if decision.state.value != row.state:
            move(connection, row, decision.state, self.now)
        claims: list[Claim] = []
        for _pass in range(_PASSES):
            missing = decision.take - len(claims)
            found = _due(connection, self.campaign_id, decision.zones, self.now, missing)
            if not found:
                break
            claims += self._claim(connection, found)
        if claims:
            later = decision.paced_from + len(claims) * decision.interval_s
            connection.execute(update(campaigns).where(campaigns.c.id == row.id).values(next_call_at=later))
        return Planned(decision, tuple(claims))

    def _claim(self, connection: Connection, found: Sequence[Row[Any]]) -> list[Claim]:
        """Of contacts that are due those that may be called; the others are put where they belong."""
        numbers = [row.number for row in found]
        off = suppressed_of(connection, numbers)
        called_now = select(contacts.c.number).where(contacts.c.state == _CALLING)
        busy = set(connection.execute(called_now.where(contacts.c.number.in_(numbers))).scalars()) - off
        mine: list[Claim] = []
        changes: list[dict[str, Any]] = []
        for row in found:
            change = {"_contact": row.contact, "state": _WAITING, "due_at": self.now + BUSY_ELSEWHERE_S}
            change |= {"attempts": row.attempts, "owner": None, "lease_until": None, "attempted_at": None}
            change |= {"call_id": row.call_id, "ended_at": row.ended_at}
            if row.number in off:
                change |= {"state": ContactState.SUPPRESSED.value, "ended_at": self.now}
            elif row.number not in busy:
                attempt = row.attempts + 1
                change |= {"state": _CALLING, "attempts": attempt, "due_at": self.now, "owner": self.owner}
                change |= {"lease_until": self.now + self.lease_s, "attempted_at": self.now, "call_id": None}
                params = json.loads(row.params)
                mine.append(Claim(self.campaign_id, row.contact, attempt, row.called, params))
            changes.append(change)
        names = [name for name in changes[0] if name != "_contact"]
        one = (contacts.c.campaign_id == self.campaign_id) & (contacts.c.contact == bindparam("_contact"))
        statement = update(contacts).where(one, contacts.c.state == _WAITING)
        connection.execute(statement.values({name: bindparam(name) for name in names}), changes)
        return mine


def _standing(connection: Connection, row: Row[Any]) -> Standing:
    within = contacts.c.campaign_id == row.id
    calling = select(func.count()).where(within, contacts.c.state == _CALLING)
    earliest: dict[str, float] = {}
    for zone in json.loads(row.zones):
        first = select(contacts.c.due_at).where(
            within, contacts.c.state == _WAITING, contacts.c.timezone == zone
        )
        due = connection.execute(first.order_by(contacts.c.due_at).limit(1)).scalar_one_or_none()
        if due is not None:
            earliest[zone] = due
    number = connection.execute(calling).scalar_one()
    return Standing(State(row.state), number, row.next_call_at, earliest)


def _due(
    connection: Connection, campaign_id: str, zones: Sequence[str], now: float, limit: int
) -> list[Row[Any]]:
    found: list[Row[Any]] = []
    for zone in zones:
        if len(found) >= limit:
            break
        query = select(contacts).where(
            contacts.c.campaign_id == campaign_id,
            contacts.c.state == _WAITING,
            contacts.c.timezone == zone,
            contacts.c.due_at <= now,
        )
        query = query.order_by(contacts.c.due_at, contacts.c.contact).limit(limit - len(found))
        found += connection.execute(query).all()
    return found


@dataclass(frozen=True, slots=True)
class Placed:
    """The call of a claim is stored: its record says from now on how it went."""

    claim: Claim
    call_id: str

    def apply(self, connection: Connection, _: str) -> None:
        connection.execute(_claimed(self.claim).values(call_id=self.call_id))


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A claim whose call was not made: the contact waits as if nothing had been."""

    claim: Claim
    due_at: float

    def apply(self, connection: Connection, _: str) -> None:
        waiting = {"state": _WAITING, "attempts": self.claim.attempt - 1, "due_at": self.due_at}
        free = {"owner": None, "lease_until": None, "attempted_at": None}
        still = contacts.c.call_id.is_(None)
        connection.execute(_claimed(self.claim).where(still).values(**waiting, **free))


@dataclass(frozen=True, slots=True)
class Fail:
    """A claim whose call can never be made, for the reason `cause`."""

    claim: Claim
    cause: str
    at: float

    def apply(self, connection: Connection, _: str) -> None:
        values = {"state": ContactState.UNREACHED.value, "cause": self.cause, "ended_at": self.at}
        connection.execute(_claimed(self.claim).values(**values, owner=None, lease_until=None))


@dataclass(frozen=True, slots=True)
class Settle:
    """The call of a claim may have ended: `judge` (cause, answered, calls, of which spared) says what becomes
    of the contact. Gives the verdict; None where the call lives, or there is none."""

    claim: Claim
    judge: Callable[[str, bool, int, int], Verdict]

    def apply(self, connection: Connection, _: str) -> Verdict | None:
        claim = self.claim
        query = select(calls.c.id, calls.c.state, calls.c.cause, calls.c.answered_at, calls.c.ended_at)
        call = connection.execute(query.where(calls.c.idempotency_key == claim.key)).one_or_none()
        if call is None or call.state != CallState.ENDED.value:
            return None
        one = one_contact(claim.campaign_id, claim.contact)
        spared = connection.execute(select(contacts.c.spared).where(one)).scalar_one_or_none()
        if spared is None:
            return None
        verdict = self.judge(call.cause, call.answered_at is not None, claim.attempt, spared)
        values = {"state": verdict.state.value, "due_at": verdict.due_at, "cause": call.cause}
        values |= {"spared": spared + verdict.spared, "ended_at": call.ended_at, "call_id": call.id}
        connection.execute(_claimed(claim).values(**values, owner=None, lease_until=None))
        return verdict


@dataclass(frozen=True, slots=True)
class Renew:
    """The claims of an owner are his for another while; with `adopted` those as well."""

    owner: str
    until: float
    adopted: Sequence[Claim] = ()

    def apply(self, connection: Connection, _: str) -> None:
        for claim in self.adopted:
            connection.execute(_claimed(claim).values(owner=self.owner))
        mine = update(contacts).where(contacts.c.state == _CALLING, contacts.c.owner == self.owner)
        connection.execute(mine.values(lease_until=self.until))


def _claimed(claim: Claim) -> Any:
    """An update of the contact, as long as it is the claim's."""
    one = one_contact(claim.campaign_id, claim.contact)
    return update(contacts).where(one, contacts.c.state == _CALLING, contacts.c.attempts == claim.attempt)


def orphans(now: float, owner: str | None) -> Select[Any]:
    """Contacts that are called: those of the owner, and those whose lease is over (all of them without an
    owner), each with the call of its attempt."""
    key = _key_of()
    query = select(contacts, calls.c.id.label("made"), calls.c.state.label("call_state"))
    query = query.outerjoin(calls, calls.c.idempotency_key == key).where(contacts.c.state == _CALLING)
    if owner is None:
        return query
    return query.where((contacts.c.owner == owner) | (contacts.c.lease_until < now))


def _key_of() -> Any:
    """The idempotency key of a contact's last call, as SQL."""
    number, attempt = cast(contacts.c.contact, Text), cast(contacts.c.attempts, Text)
    head = literal(call_key("", 0, 0).partition(":")[0] + ":")
    return head + contacts.c.campaign_id + ":" + number + ":" + attempt


def claim_of(row: Any) -> Claim:
    return Claim(
        row["campaign_id"], row["contact"], row["attempts"], row["called"], json.loads(row["params"])
    )
