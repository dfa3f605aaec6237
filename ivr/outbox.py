"""Delivers what calls owe to the world: results to the webhook, and background requests of flows to
endpoints.

Everything is in the store before it is sent and until it has arrived, so nothing is lost by a crash here or
a fault there; the receiver may get a delivery twice and tells repetitions by `X-Event-Id`. A delivery is
tried until it is answered with 2xx, ever more rarely, for a day.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import httpx

from ivr.api.models import CallEnded, report
from ivr.config import Endpoint, Webhook
from ivr.metrics import Metrics
from ivr.signature import sign
from ivr.store import CallRecord, Delivery, DueDelivery, Settle, Store, StoreError, new_id

log = logging.getLogger(__name__)

EVENT_ID: Final = "X-Event-Id"
RESULT: Final = "@webhook"
"""The target of results; no endpoint of a flow can have this name."""

TRY_S: Final = 10.0
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 3600.0
LIFETIME_S: Final = 86_400.0
PER_TARGET: Final = 4
"""Tries to one target at the same time: a slow receiver is not run over, and holds up no other."""

_LOOK_S: Final = 5.0
_PACE_S: Final = 0.1
_ROWS: Final = 32
_CLOSE_S: Final = 2.0
_ANSWER_BYTES: Final = 64 * 1024


def pause_s(attempts: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next try after so many failed ones: doubling from 2 s to an hour, less up to a half
    by chance, so that deliveries that failed together do not come back together. What the receiver asks for
    is granted, up to an
    hour."""
    longest = min(FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 20), LONGEST_PAUSE_S)
    pause = longest * random.uniform(0.5, 1.0)
    return max(pause, min(retry_after_s or 0.0, LONGEST_PAUSE_S))


class Outbox:
    """`announce` is to be given to `Store.open`, `start` to be called with the store once calls are
    recovered.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], webhook: Webhook | None, metrics: Metrics) -> None:
        self._targets = dict(endpoints)
        if webhook is not None:
            self._targets[RESULT] = Endpoint(url=webhook.url, secret=webhook.secret)
        self._metrics = metrics
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._counted_at = 0.0
        self._wake = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def announce(self, record: CallRecord) -> Sequence[Delivery]:
        """The result of a call that has ended, as its API shape without the events; none without a
        webhook.
        """
        if RESULT not in self._targets:
            return ()
        body = CallEnded(call=report(record)).model_dump_json()
        return (Delivery(new_id(), record.id, RESULT, body, time.time()),)

    async def start(self, store: Store) -> None:
        """Begins to deliver, first what an earlier run left."""
        self._sending = asyncio.create_task(self._run(store), name="outbox")

    async def close(self) -> None:
        """Gives tries under way 2 s to end; what is left stays in the store."""
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending

    async def _run(self, store: Store) -> None:
        store.on_deliveries(self._wake.set)
        async with httpx.AsyncClient(follow_redirects=False, timeout=TRY_S) as client:
            try:
                while True:
                    self._wake.clear()
                    try:
                        wait_s = await self._look(store, client)
                    except StoreError as error:
                        log.error("the outbox waits: %s", error)
                        wait_s = _LOOK_S
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
        await asyncio.wait(tries, timeout=_CLOSE_S)
        for task in tries:
            task.cancel()
        await asyncio.wait(tries)

    async def _look(self, store: Store, client: httpx.AsyncClient) -> float:
        """Starts what can be started; gives the seconds until it is worth looking again unasked."""
        now = time.time()
        # What is in the air when the rows are read may have landed when they are looked at: it is passed
        # over.
        flying = set(self._flying)
        full = [target for target, tries in self._busy.items() if tries >= PER_TARGET]
        started = 0
        for each in await store.due_deliveries(now, _ROWS + len(flying), except_for=full):
            target = each.delivery.target
            if each.delivery.id not in flying and self._busy[target] < PER_TARGET:
                self._busy[target] += 1
                self._flying[each.delivery.id] = asyncio.create_task(self._try(store, client, each))
                started += 1
        if started and now < self._counted_at + _LOOK_S:
            return _LOOK_S  # the end of each is a reason to look again
        self._counted_at = now
        waiting, next_at = await store.waiting_deliveries(now)
        self._metrics.outbox_waiting(waiting)
        return _LOOK_S if next_at is None else min(max(next_at - now, 0.0), _LOOK_S)

    async def _try(self, store: Store, client: httpx.AsyncClient, due: DueDelivery) -> None:
        delivery = due.delivery
        try:
            error, retry_after_s = await self._send(client, delivery)
            await store.settle_delivery(self._settle(due, error, retry_after_s))
        except StoreError as error_of_store:
            log.error("delivery %s: what became of it is not stored: %s", delivery.id, error_of_store)
        finally:
            del self._flying[delivery.id]
            self._busy[delivery.target] -= 1
            self._wake.set()

    def _settle(self, due: DueDelivery, error: str | None, retry_after_s: float | None) -> Settle:
        delivery, attempts, now = due.delivery, due.attempts + 1, time.time()
        if error is None:
            self._metrics.delivery_tried("delivered")
            return Settle(delivery.id, attempts, None, now, None)
        next_at = now + pause_s(attempts, retry_after_s)
        if next_at > delivery.created_at + LIFETIME_S:
            self._metrics.delivery_tried("given_up")
            log.error("delivery %s to %s is given up: %s", delivery.id, delivery.target, error)
            return Settle(delivery.id, attempts, None, None, error)
        self._metrics.delivery_tried("failed")
        log.warning(
            "delivery %s to %s failed (%s); next try in %.0f s",
            delivery.id,
            delivery.target,
            error,
            next_at - now,
        )
        return Settle(delivery.id, attempts, next_at, None, error)

    async def _send(self, client: httpx.AsyncClient, delivery: Delivery) -> tuple[str | None, float | None]:
        """One try. Gives what went wrong, if anything, and for how long the receiver wants to be left
        alone.
        """
        endpoint = self._targets.get(delivery.target)
        if endpoint is None:
            return "the configuration has no such endpoint", None
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
            return f"no answer within {TRY_S:g} s", None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__, None
        if response.is_success:
            return None, None
        return f"status {response.status_code}", _retry_after(response)


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
