"""Contacts of a campaign before they are stored: each is checked as a call would be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ivr.api.campaign_models import ContactRequest
from ivr.api.gateway import BadNumber, CallRequest, Gateway, ParamsRefused
from ivr.campaigns.model import Campaign, NewContact, Spec
from ivr.campaigns.table import Fault, Row
from ivr.store.campaigns import CampaignBook

SHOWN: Final = 1000
"""Mistakes of a table that are told."""

_AT_ONCE: Final = 20
"""Rows that are checked before live calls have their turn."""

_STORED: Final = 500
"""Rows in one transaction: calls wait for the store no longer than for this."""

T = TypeVar("T")


@dataclass(slots=True)
class Checked:
    """Contacts that can be called, with the lines that they stand on, and what is wrong with the others."""

    good: dict[str, tuple[int, NewContact]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    count: int = 0

    def refuse(self, *faults: Fault) -> None:
        """A row that cannot be used, for one reason or several."""
        self.count += 1
        self.faults += faults[: max(0, SHOWN - len(self.faults))]


def rows_of(contacts: Iterable[ContactRequest]) -> Iterator[Row]:
    """Those of a request: their lines are their places in it."""
    for place, each in enumerate(contacts, 1):
        yield Row(place, each.to, each.timezone, each.params)


async def check(rows: Iterable[Row | Fault], spec: Spec, gateway: Gateway) -> Checked:
    """Live calls have their turn in between. Raises `UnknownFlow`, `UnknownTrunk`."""
    found = Checked()
    async for each in in_turns(rows):
        if isinstance(each, Fault):
            found.refuse(each)
            continue
        request = CallRequest(each.to, spec.flow, each.params, spec.trunk, spec.caller_id, spec.language)
        try:
            number = gateway.check(request) or each.to
        except BadNumber as error:
            found.refuse(Fault(each.line, "to", error.reason))
        except ParamsRefused as error:
            found.refuse(*(Fault(each.line, name, why) for name, why in error.fields.items()))
        else:
            if number in found.good:
                first = found.good[number][0]
                found.refuse(Fault(each.line, "to", f"is the number of line {first}"))
                continue
            contact = NewContact(each.to, number, each.timezone or spec.timezone, each.params)
            found.good[number] = (each.line, contact)
    return found


async def in_turns(rows: Iterable[T]) -> AsyncIterator[T]:
    """The same, and everybody else has his turn now and then."""
    for place, row in enumerate(rows, 1):
        yield row
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)


async def leave_out_known(found: Checked, campaign: Campaign, book: CampaignBook) -> None:
    """What the campaign has already is a mistake like any other."""
    for numbers in in_parts(list(found.good), _STORED):
        for number in await book.among(campaign.id, numbers):
            line, _ = found.good.pop(number)
            found.refuse(Fault(line, "to", "is a number that the campaign has already"))
    found.faults.sort(key=lambda fault: fault.line)


async def store(found: Checked, campaign: Campaign, book: CampaignBook) -> tuple[int, int]:
    """How many will be called, and how many are suppressed."""
    added = suppressed = 0
    for part in in_parts([contact for _, contact in found.good.values()], _STORED):
        done = await book.add_contacts(campaign.id, part)
        added += done.waiting
        suppressed += done.suppressed
    return added, suppressed


def in_parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
