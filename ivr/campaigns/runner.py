"""Calls the contacts of campaigns: asks the plan, places the calls that it wants, and hears how they ended.

All that must survive is in the store. A claim is taken there first; its call has a key of its own, so that it
is made once however often it is asked for; and how the call went stands in its record. Whatever a dead runner
left is found there by the next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from ivr.api.gateway import CallRefused, CallRequest, NoCapacity, UnknownFlow, UnknownTrunk
from ivr.campaigns.hours import Window
from ivr.campaigns.model import Campaign, Claim, Spec, State
from ivr.campaigns.plan import Decision, Standing, judge, plan
from ivr.config import Config
from ivr.store import IdempotencyConflict, Store, StoreError, new_id
from ivr.store.campaigns import LEASE_S, CampaignBook

log = logging.getLogger(__name__)

LOOK_S: Final = 10.0
"""How soon a running campaign is looked at again in any case: another node's calls may have ended."""

TIDY_S: Final = 3600.0
"""How often campaigns that have been over for long are looked for."""

_SETTLE_S: Final = 0.02
"""Ends of calls come in swarms; one look serves all that come within this time."""

_LATER_S: Final = 5.0
"""How soon a contact is due again whose call could not be stored."""

_ACTIVE: Final = frozenset(state for state in State if state.active)


class Lines(Protocol):
    """What the runner has of the server."""

    async def initiate(self, request: CallRequest) -> str:
        """As `ivr.api.gateway.Gateway.initiate`."""

    def room(self, trunk: str) -> tuple[int, int]:
        """Calls that could be placed over the trunk now, and how many it could have at most."""


class CampaignRunner:
    """One for each node. `alone`: no other node has this database, so what stands in it is this one's."""

    def __init__(
        self,
        lines: Lines,
        book: CampaignBook,
        allowed: Window,
        reserve: float,
        *,
        alone: bool,
        keep_days: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lines = lines
        self._book = book
        self._allowed = allowed
        self._reserve = reserve
        self._clock = clock
        self._alone = alone
        self._keep_days = keep_days
        self._tidy_at = 0.0
        self._id: Final = new_id()
        self._wake = asyncio.Event()
        self._placing: dict[asyncio.Task[None], Claim] = {}
        self._calls: dict[str, tuple[Claim, Spec]] = {}
        self._early: set[str] = set()
        self._full_until: dict[str, float] = {}
        self._look_at = 0.0
        self._turn = 0
        self._ends: set[asyncio.Task[None]] = set()
        self._stopping = False
        book.on_change(self._wake.set)

    # --- what the server does with it

    async def run(self) -> None:
        """Calls until it is cancelled."""
        while True:
            self._wake.clear()
            try:
                wait_s = await self.turn()
            except StoreError as error:
                log.error("campaigns wait: %s", error)
                wait_s = LOOK_S
            except Exception:
                log.exception("a look at the campaigns failed")
                wait_s = LOOK_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            await asyncio.sleep(_SETTLE_S)

    def ended(self, call_id: str) -> None:
        """The end of a call is stored (a listener of `Store.on_end`)."""
        if (known := self._calls.pop(call_id, None)) is not None:
            task = asyncio.create_task(self._settle(*known))
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)
        elif self._placing:
            self._early.add(call_id)

    def stop(self) -> None:
        """No more calls from here on; those under way end as they do."""
        self._stopping = True

    async def close(self) -> None:
        """To be called when the calls have ended: what is claimed and was not called is given back."""
        self.stop()
        placing = list(self._placing)
        for task in placing:
            task.cancel()
        await asyncio.gather(*placing, *self._ends, return_exceptions=True)

    # --- a turn

    async def turn(self) -> float:
        """Looks at all campaigns once; gives the seconds until it is worth looking again unasked."""
        now = self._clock()
        if now >= self._look_at:
            await self._look_after(now)
            self._look_at = now + LOOK_S
        if self._keep_days is not None and now >= self._tidy_at:
            await self._tidy(now - self._keep_days * 86_400)
            self._tidy_at = now + TIDY_S
        campaigns = await self._book.active()
        wakes = [self._look_at]
        # None is always the first to get the lines that are left.
        self._turn += 1
        first = self._turn % max(1, len(campaigns))
        wakes += [await self._advance(each) for each in (*campaigns[first:], *campaigns[:first])]
        return max(0.0, min(wakes) - self._clock()) if campaigns or self._calls else LOOK_S

    async def _advance(self, campaign: Campaign) -> float:
        """Lets one campaign go on; gives when it wants to be looked at again."""
        now, spec = self._clock(), campaign.spec
        later = now + LOOK_S
        room = self._room(spec.trunk, now)

        def decide(standing: Standing) -> Decision:
            return plan(spec, standing, room, self._allowed, now)

        planned = await self._book.round(campaign.id, decide, self._id, now)
        if planned.decision.state is not campaign.state:
            log.info("campaign %s is %s", campaign.id, planned.decision.state.value)
        for claim in planned.claims:
            task = asyncio.create_task(self._place(claim, spec))
            self._placing[task] = claim
            task.add_done_callback(self._placed)
        wake_at = planned.decision.wake_at
        return later if wake_at is None else min(later, wake_at)

    def _room(self, trunk: str, now: float) -> int:
        """Calls that campaigns may add over the trunk: a share of its lines is left to others."""
        if self._stopping or self._full_until.get(trunk, 0.0) > now:
            return 0
        free, lines = self._lines.room(trunk)
        # Of a trunk with one line that one may be used.
        kept = min(lines - 1, -int(-lines * self._reserve // 1))
        return free - kept - len(self._placing)

    def _placed(self, task: asyncio.Task[None]) -> None:
        del self._placing[task]
        if not self._placing:
            self._early.clear()

    async def _place(self, claim: Claim, spec: Spec) -> None:
        request = CallRequest(
            to=claim.called,
            flow=spec.flow,
            params=claim.params,
            trunk=spec.trunk,
            caller_id=spec.caller_id,
            language=spec.language,
            screening=spec.screening,
            idempotency_key=claim.key,
        )
        try:
            call_id = await self._initiate(claim, request)
        except asyncio.CancelledError:
            # The server stops: whether the call was stored is seen by who comes next.
            with suppress(StoreError):
                await self._book.give_back(claim, self._clock())
            raise
        if call_id is None:
            return
        with suppress(StoreError):
            await self._book.placed(claim, call_id)
        if call_id in self._early:
            self._early.discard(call_id)
            await self._settle(claim, spec)
        else:
            self._calls[call_id] = (claim, spec)

    async def _initiate(self, claim: Claim, request: CallRequest) -> str | None:
        """The id of the call; None where there is none, and the contact was put where it belongs."""
        now = self._clock()
        try:
            return await self._lines.initiate(request)
        except IdempotencyConflict as error:
            return error.call_id  # made before, when the flow or the contact were others
        except NoCapacity as error:
            self._full_until[request.trunk or ""] = now + error.retry_after_s
            await self._keep(self._book.give_back(claim, now))
        except (UnknownFlow, UnknownTrunk) as error:
            await self._keep(self._book.give_back(claim, now))
            log.error("campaign %s is paused: %s", claim.campaign_id, error)
            await self._keep(self._book.move(claim.campaign_id, _ACTIVE, State.PAUSED, now, str(error)))
        except CallRefused as error:
            log.warning("campaign %s: contact %d: %s", claim.campaign_id, claim.contact, error)
            await self._keep(self._book.fail(claim, _cause(error), now))
        except StoreError as error:
            log.error(
                "campaign %s: contact %d is not called now: %s", claim.campaign_id, claim.contact, error
            )
            await self._keep(self._book.give_back(claim, now + _LATER_S))
        except Exception:
            log.exception("campaign %s: the call of contact %d failed", claim.campaign_id, claim.contact)
            await self._keep(self._book.fail(claim, "failed", now))
        return None

    async def _keep(self, write: Awaitable[object]) -> None:
        """A write whose failure is made good by the next look."""
        try:
            await write
        except StoreError as error:
            log.error("campaigns: %s", error)

    # --- what became of calls

    async def _settle(self, claim: Claim, spec: Spec) -> None:
        """The call of the claim has ended."""
        decide = partial(judge, retries=spec.retries, now=self._clock())
        await self._keep(self._book.settle(claim, decide))
        self._wake.set()

    async def _look_after(self, now: float) -> None:
        """Keeps our claims, and takes over those that nobody holds: of a node that died, or of our own where
        an answer of the store was lost."""
        everything = self._alone and not self._look_at
        found = await self._book.in_the_air(now, None if everything else self._id)
        known = {claim.key for claim in (*self._placing.values(), *self._known())}
        strange = [each for each in found if each.claim.key not in known or each.ended]
        specs: dict[str, Spec] = {}
        adopted = []
        for each in strange:
            claim = each.claim
            if claim.campaign_id not in specs:
                campaign = await self._book.get(claim.campaign_id)
                if campaign is None:
                    continue
                specs[claim.campaign_id] = campaign.spec
            if each.made is None:
                await self._book.give_back(claim, now)
            elif each.ended:
                self._calls.pop(each.made, None)
                await self._settle(claim, specs[claim.campaign_id])
            else:
                adopted.append(claim)
                self._calls[each.made] = (claim, specs[claim.campaign_id])
        if found:
            await self._book.renew(self._id, now + LEASE_S, adopted)

    async def _tidy(self, before: float) -> None:
        """Deletes what has been over for long enough."""
        for campaign_id in await self._book.over_before(before):
            log.info("campaign %s is deleted, as campaigns.keep_days says", campaign_id)
            await self._keep(self._book.drop(campaign_id))

    def _known(self) -> Iterable[Claim]:
        return (claim for claim, _ in self._calls.values())


def campaigns_of(config: Config, lines: Lines, store: Store) -> CampaignRunner:
    """The runner of a server; `run` begins to call."""
    settings = config.campaigns
    runner = CampaignRunner(
        lines,
        store.campaigns,
        settings.hours.window(),
        settings.reserve,
        alone=store.alone,
        keep_days=settings.keep_days,
    )
    store.on_end(runner.ended)
    return runner


def _cause(error: CallRefused) -> str:
    """`BadNumber` as `bad_number`."""
    name = type(error).__name__
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
