"""What people do to campaigns and their contacts, as writes that are applied whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ivr.campaigns.model import (
    Campaign,
    ContactState,
    NewContact,
    State,
    contact_of,
)
from ivr.store.records import StoreError
from ivr.store.schema import campaigns, contacts
from ivr.store.suppressions import suppressed_of

MOST_ZONES: Final = 64
PIECE: Final = 2000
"""Contacts that are deleted in one transaction: calls wait for the store no longer than for this."""

_WAITING, _CALLING = ContactState.WAITING.value, ContactState.CALLING.value
_OPEN: Final = (_WAITING, _CALLING, ContactState.SUPPRESSED.value)
ERASED: Final = "erased"


class UnknownCampaign(StoreError):
    """No campaign has this id."""


class WrongState(StoreError):
    """The campaign is not in a state in which this can be done."""

    def __init__(self, state: State, text: str) -> None:
        super().__init__(text)
        self.state = state


@dataclass(frozen=True, slots=True)
class Added:
    """How many contacts were new; `twice` are the numbers that the campaign had already."""

    waiting: int
    suppressed: int
    twice: frozenset[str]


def locked(connection: Connection, campaign_id: str) -> Row[Any]:
    query = select(campaigns).where(campaigns.c.id == campaign_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownCampaign("no campaign has this id")
    return row


def one_contact(campaign_id: str, contact: int) -> Any:
    return (contacts.c.campaign_id == campaign_id) & (contacts.c.contact == contact)


@dataclass(frozen=True, slots=True)
class PutCampaign:
    campaign: Campaign
    spec: str

    def apply(self, connection: Connection, dialect: str) -> None:
        made = self.campaign
        make = postgresql.insert if dialect == "postgresql" else sqlite.insert
        row = {
            "id": made.id,
            "name": made.name,
            "state": made.state.value,
            "spec": self.spec,
            "created_at": made.created_at,
            "created_by": made.created_by,
            "reason": "",
            "next_call_at": 0.0,
            "zones": "[]",
            "contacts": 0,
        }
        connection.execute(make(campaigns).values(row).on_conflict_do_nothing())


@dataclass(frozen=True, slots=True)
class AddContacts:
    """Contacts of one campaign; those on the suppression list are added as such."""

    campaign_id: str
    added: Sequence[NewContact]

    def apply(self, connection: Connection, _: str) -> Added | StoreError:
        try:
            row = locked(connection, self.campaign_id)
        except UnknownCampaign as error:
            return error
        if State(row.state).over:
            return WrongState(State(row.state), f"the campaign is {row.state}")
        numbers = [each.number for each in self.added]
        within = contacts.c.campaign_id == self.campaign_id
        there = select(contacts.c.number).where(within, contacts.c.number.in_(numbers))
        twice = frozenset(connection.execute(there).scalars())
        kept_off = suppressed_of(connection, numbers)
        zones = dict.fromkeys(json.loads(row.zones))
        fresh: dict[str, dict[str, Any]] = {}
        for each in self.added:
            if each.number in twice or each.number in fresh:
                continue
            zones.setdefault(each.timezone)
            state = ContactState.SUPPRESSED if each.number in kept_off else ContactState.WAITING
            fresh[each.number] = {
                "campaign_id": self.campaign_id,
                "contact": row.contacts + len(fresh) + 1,
                "number": each.number,
                "called": each.called,
                "timezone": each.timezone,
                "params": json.dumps(each.params, ensure_ascii=False, separators=(",", ":")),
                "state": state.value,
                "due_at": 0.0,
                "attempts": 0,
                "spared": 0,
            }
        if len(zones) > MOST_ZONES:
            return StoreError(f"a campaign may have {MOST_ZONES} time zones")
        if fresh:
            connection.execute(insert(contacts), list(fresh.values()))
            values = {"contacts": row.contacts + len(fresh), "zones": json.dumps(list(zones))}
            connection.execute(update(campaigns).where(campaigns.c.id == self.campaign_id).values(**values))
        off = sum(number in kept_off for number in fresh)
        return Added(len(fresh) - off, off, twice)


@dataclass(frozen=True, slots=True)
class Move:
    """A campaign goes from one of the states `of` to another. A `reason` says why the server did it."""

    campaign_id: str
    of: frozenset[State]
    to: State
    at: float
    reason: str = ""

    def apply(self, connection: Connection, _: str) -> StoreError | None:
        try:
            row = locked(connection, self.campaign_id)
        except UnknownCampaign as error:
            return error
        state = State(row.state)
        if state is self.to and self.to not in self.of:
            return None
        if state not in self.of:
            return WrongState(state, f"the campaign is {state.value}")
        if self.to.active and not row.contacts:
            return WrongState(state, "the campaign has no contacts: nobody would be called")
        move(connection, row, self.to, self.at, self.reason)
        return None


def move(connection: Connection, row: Row[Any], to: State, at: float, reason: str = "") -> None:
    values: dict[str, Any] = {"state": to.value, "reason": reason}
    if to is State.RUNNING and row.started_at is None:
        values["started_at"] = at
    if to.over:
        values["ended_at"] = at
    connection.execute(update(campaigns).where(campaigns.c.id == row.id).values(**values))


@dataclass(frozen=True, slots=True)
class DropCampaign:
    """Deletes a part of the contacts of a campaign that is not active, and after the last of them the
    campaign. Gives whether all of it is gone."""

    campaign_id: str

    def apply(self, connection: Connection, _: str) -> bool | StoreError:
        try:
            row = locked(connection, self.campaign_id)
        except UnknownCampaign as error:
            return error
        within = contacts.c.campaign_id == self.campaign_id
        live = select(func.count()).where(within, contacts.c.state == _CALLING)
        if State(row.state).active or State(row.state) is State.PAUSED:
            return WrongState(State(row.state), f"the campaign is {row.state}: cancel it first")
        if connection.execute(live).scalar_one():
            return WrongState(State(row.state), "calls of the campaign are under way")
        first = connection.execute(select(func.min(contacts.c.contact)).where(within)).scalar_one()
        if first is not None:
            if not State(row.state).over:
                move(connection, row, State.CANCELLED, row.created_at)  # nobody starts what is left of it
            connection.execute(delete(contacts).where(within, contacts.c.contact < first + PIECE))
            return False
        connection.execute(delete(campaigns).where(campaigns.c.id == self.campaign_id))
        return True


@dataclass(frozen=True, slots=True)
class EraseContact:
    """Deletes who a contact is; he is not called any more. Gives whether there was one; refused while he is
    called."""

    campaign_id: str
    contact: int

    def apply(self, connection: Connection, _: str) -> bool | StoreError:
        query = select(contacts.c.state).where(one_contact(self.campaign_id, self.contact))
        state = connection.execute(query).scalar_one_or_none()
        if state == _CALLING:
            return WrongState(State.RUNNING, "the contact is called at present")
        if state is not None:
            erase_contact(connection, self.campaign_id, self.contact)
        return state is not None


def erase_contact(connection: Connection, campaign_id: str, contact: int) -> None:
    nobody = {"called": ERASED, "number": f"{ERASED}:{contact}", "params": "{}"}
    one = one_contact(campaign_id, contact)
    connection.execute(update(contacts).where(one).values(**nobody))
    # A call of his that lives has a record of its own; nobody asks how it went.
    open_ = update(contacts).where(one, contacts.c.state.in_(_OPEN))
    connection.execute(open_.values(state=ContactState.ERASED.value, owner=None, lease_until=None))


def erase_contact_of_call(connection: Connection, idempotency_key: str | None) -> None:
    """Whoever was called for a campaign is erased there with his call."""
    if (found := contact_of(idempotency_key)) is not None:
        erase_contact(connection, *found)
