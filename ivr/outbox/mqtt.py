"""Deliveries by MQTT: events of flows and results of calls, to topics of one broker.

Events go out in the order of their making, a window of them at a time, and each is settled when the broker
has acknowledged it. After a loss of the connection it goes on with the oldest that is not: what arrives for
the first time arrives in order, and what was under way may come twice. Only an event that the broker refuses
is set aside and tried later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from ivr.metrics import Metrics
from ivr.outbox.broker import BrokerLost, Connection, Connector
from ivr.outbox.tries import CLOSE_S, LOOK_S, TRY_S, Failure, Ledger
from ivr.store import Delivery, DueDelivery, Store, StoreError
from ivr.topics import Topic

log = logging.getLogger(__name__)

WINDOW: Final = 10
"""Events under way at a time: no more than the most careful brokers take (Receive Maximum)."""

BATCH: Final = 100
"""Events that are read, and settled, together."""

FIRST_RETURN_S: Final = 1.0
LONGEST_RETURN_S: Final = 60.0
"""Pauses between tries to connect, doubling, less up to a half by chance."""

STEADY_S: Final = 30.0
"""A connection that lasted so long was a good one."""

SUSPECT: Final = 3
"""After so many losses in a row the event that was alone under way at each is taken for their cause."""


_Outcome = tuple[DueDelivery, Failure | None]


class MqttLane:
    """`wake` is to be set whenever deliveries may have been added. Without a `connector` (no broker in the
    configuration) what an earlier run left is tried in vain for a day, as with an endpoint that is gone."""

    def __init__(
        self,
        connector: Connector | None,
        topics: Mapping[str, Topic],
        store: Store,
        ledger: Ledger,
        metrics: Metrics,
        wake: asyncio.Event,
    ) -> None:
        self._connector = connector
        self._topics = topics
        self._store = store
        self._ledger = ledger
        self._metrics = metrics
        self._wake = wake
        self._careful = 0
        """How many events are to go out one at a time, because one of them may have cost a connection."""
        self._strikes = 0
        """Connections lost with the same single event under way."""
        self._counted_at = 0.0
        self._closing = False

    async def run(self) -> None:
        """Delivers until it is cancelled; what is under way then has 2 s to be acknowledged."""
        if self._connector is None:
            await self._deliver(None)
            return
        tries = 0
        while True:
            began = time.monotonic()
            try:
                async with self._connector.connected() as connection:
                    log.info("broker %s: connected", self._connector.address)
                    self._metrics.broker_up(True)
                    began = time.monotonic()
                    await self._deliver_until_lost(connection)
            except BrokerLost as error:
                tries = 1 if time.monotonic() - began > STEADY_S else tries + 1
                # A broker that is away for hours is told of once, and when it is back.
                level = logging.WARNING if tries == 1 else logging.DEBUG
                log.log(level, "broker %s: %s; events are kept", self._connector.address, error)
            finally:
                self._metrics.broker_up(False)
            await self._rest(_return_s(tries))

    async def _rest(self, seconds: float) -> None:
        """Until the next try to connect; how much waits is shown meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            with suppress(StoreError):
                await self._ledger.count(time.time())
            await asyncio.sleep(min(left, LOOK_S))

    async def _deliver_until_lost(self, connection: Connection) -> None:
        """Raises `BrokerLost`."""
        delivering = asyncio.create_task(self._deliver(connection))
        lost = asyncio.create_task(connection.lost())
        try:
            await asyncio.wait((delivering, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            delivering.cancel()
            lost.cancel()
            await asyncio.wait((delivering, lost))
        if not delivering.cancelled() and (error := delivering.exception()) is not None:
            raise error
        raise lost.result()

    async def _deliver(self, connection: Connection | None) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = await self._look(connection)
            except StoreError as error:
                log.error("the outbox waits: %s", error)
                wait_s = LOOK_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _look(self, connection: Connection | None) -> float:
        """Sends what is due; gives the seconds until it is worth looking again unasked."""
        now, room = time.time(), 1 if self._careful else BATCH
        due = await self._store.due_deliveries(now, room, carrier="mqtt")
        if due:
            await self._send(connection, due)
        if not due or now > self._counted_at + LOOK_S:
            self._counted_at = now
            next_at = await self._ledger.count(now)
        if due:
            return 0.0
        return LOOK_S if next_at is None else min(max(next_at - now, 0.0), LOOK_S)

    async def _send(self, connection: Connection | None, due: Sequence[DueDelivery]) -> None:
        """Raises `BrokerLost`. Cut off, it waits a moment for what is just being acknowledged."""
        batch = asyncio.create_task(self._batch(connection, due))
        try:
            await asyncio.shield(batch)
        except asyncio.CancelledError:
            self._closing = True
            await asyncio.wait((batch,), timeout=CLOSE_S)
            batch.cancel()
            raise

    async def _batch(self, connection: Connection | None, due: Sequence[DueDelivery]) -> None:
        """One window after the other; what became of them is stored together."""
        settled: list[_Outcome] = []
        lost: BrokerLost | None = None
        for first in range(0, len(due), WINDOW):
            lost = await self._window(connection, due[first : first + WINDOW], settled)
            if lost is not None or self._closing:
                break
        stored = await asyncio.gather(*(self._ledger.settle(each, failure) for each, failure in settled))
        if lost is not None:
            raise lost
        if not all(stored):
            raise StoreError("what became of events is not stored")

    async def _window(
        self, connection: Connection | None, due: Sequence[DueDelivery], settled: list[_Outcome]
    ) -> BrokerLost | None:
        """Adds what became of each to `settled`; gives the loss of the connection."""
        outcomes = await asyncio.gather(
            *(self._publish(connection, each.delivery) for each in due), return_exceptions=True
        )
        lost: BrokerLost | None = None
        taken: list[_Outcome] = []
        for each, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, BrokerLost):
                lost = outcome
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                taken.append((each, outcome))
        if taken:
            self._strikes = 0
            self._careful = max(self._careful - len(taken), 0)
        elif lost is not None:
            taken = self._blamed(due, lost)
        settled += taken
        return lost

    def _blamed(self, due: Sequence[DueDelivery], lost: BrokerLost) -> list[_Outcome]:
        """What is taken for the cause of a loss: it must not keep all others from the broker."""
        if len(due) > 1:
            self._careful = len(due)
            return []
        self._strikes += 1
        if not lost.blames and self._strikes < SUSPECT:
            return []
        self._strikes = 0
        return [(due[0], Failure(f"it cost the connection: {lost}"))]

    async def _publish(self, connection: Connection | None, delivery: Delivery) -> Failure | None:
        if connection is None:
            return Failure("the configuration has no broker")
        topic = self._topics.get(delivery.target)
        if topic is None:
            return Failure("the configuration has no such topic")
        payload = delivery.body.encode(errors="replace")
        refused = await connection.publish(topic.of(json.loads(delivery.body)), payload, TRY_S)
        return None if refused is None else Failure(refused)


def _return_s(tries: int) -> float:
    """Seconds until the next try to connect, after so many in vain."""
    longest = min(FIRST_RETURN_S * 2.0 ** min(tries - 1, 20), LONGEST_RETURN_S)
    return longest * random.uniform(0.5, 1.0)
