"""Deliveries by HTTP: results to the webhook, and background requests of flows to endpoints.

The receiver tells repetitions by `X-Event-Id`. A delivery has arrived when it is answered with 2xx. Each
target has a few tries at a time: a slow receiver is not run over, and holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import httpx

from ivr.config import Endpoint
from ivr.outbox.tries import CLOSE_S, LOOK_S, TRY_S, Failure, Ledger
from ivr.signature import sign
from ivr.store import Delivery, DueDelivery, Store, StoreError

log = logging.getLogger(__name__)

EVENT_ID: Final = "X-Event-Id"
RESULT: Final = "@webhook"
"""The target of results; no endpoint of a flow can have this name."""

PER_TARGET: Final = 4
"""Tries to one target at the same time."""

_PACE_S: Final = 0.1
_ROWS: Final = 32
_ANSWER_BYTES: Final = 64 * 1024


class HttpLane:
    """`wake` is to be set whenever deliveries may have been added."""

    def __init__(
        self, targets: Mapping[str, Endpoint], store: Store, ledger: Ledger, wake: asyncio.Event
    ) -> None:
        self._targets = targets
        self._store = store
        self._ledger = ledger
        self._wake = wake
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._counted_at = 0.0

    async def run(self) -> None:
        """Delivers until it is cancelled; tries under way then have 2 s to end."""
        async with httpx.AsyncClient(follow_redirects=False, timeout=TRY_S) as client:
            try:
                while True:
                    self._wake.clear()
                    try:
                        wait_s = await self._look(client)
                    except StoreError as error:
                        log.error("the outbox waits: %s", error)
                        wait_s = LOOK_S
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await self._wake.wait()
                    # Ends and new deliveries come in swarms; one look serves all that come within this time.
                    await asyncio.sleep(_PACE_S)
            finally:
                await self._land()

    async def _land(self) -> None:
        """Ends the tries under way before the client that they use is closed."""
        tries = list(self._flying.values())
        if not tries:
            return
        await asyncio.wait(tries, timeout=CLOSE_S)
        for task in tries:
            task.cancel()
        await asyncio.wait(tries)

    async def _look(self, client: httpx.AsyncClient) -> float:
        """Starts what can be started; gives the seconds until it is worth looking again unasked."""
        now = time.time()
        # What is in the air when the rows are read may have landed when they are looked at: it is passed
        # over.
        flying = set(self._flying)
        full = [target for target, tries in self._busy.items() if tries >= PER_TARGET]
        started = 0
        due = await self._store.due_deliveries(now, _ROWS + len(flying), carrier="http", except_for=full)
        for each in due:
            target = each.delivery.target
            if each.delivery.id not in flying and self._busy[target] < PER_TARGET:
                self._busy[target] += 1
                self._flying[each.delivery.id] = asyncio.create_task(self._try(client, each))
                started += 1
        if started and now < self._counted_at + LOOK_S:
            return LOOK_S  # the end of each is a reason to look again
        self._counted_at = now
        next_at = await self._ledger.count(now)
        return LOOK_S if next_at is None else min(max(next_at - now, 0.0), LOOK_S)

    async def _try(self, client: httpx.AsyncClient, due: DueDelivery) -> None:
        delivery = due.delivery
        try:
            await self._ledger.settle(due, await self._send(client, delivery))
        finally:
            del self._flying[delivery.id]
            self._busy[delivery.target] -= 1
            self._wake.set()

    async def _send(self, client: httpx.AsyncClient, delivery: Delivery) -> Failure | None:
        """One try."""
        endpoint = self._targets.get(delivery.target)
        if endpoint is None or delivery.method == "PUBLISH":
            return Failure("the configuration has no such endpoint")
        body = delivery.body.encode()
        headers = {**endpoint.headers, EVENT_ID: delivery.id}
        if body:
            headers["Content-Type"] = "application/json"
        if endpoint.secret is not None:
            headers |= sign(endpoint.secret, body)
        try:
            async with (
                asyncio.timeout(TRY_S),
                client.stream(delivery.method, endpoint.url, content=body, headers=headers) as response,
            ):
                await _discard(response)
        except TimeoutError:
            return Failure(f"no answer within {TRY_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Failure(type(error).__name__)
        if response.is_success:
            return None
        return Failure(f"status {response.status_code}", _retry_after(response))


async def _discard(response: httpx.Response) -> None:
    """Reads the answer, so that the connection can serve again; a long one costs the connection."""
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size > _ANSWER_BYTES:
            return


def _retry_after(response: httpx.Response) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); its form as a date is not read."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
