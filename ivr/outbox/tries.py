"""What becomes of a try: delivered, tried again later, or given up.

Everything is in the store before it is sent and until it has arrived, so nothing is lost by a crash here or
a fault there; the receiver may get a delivery twice. One that fails is tried ever more rarely, for a day.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import Final

from ivr.metrics import Metrics
from ivr.store import Carrier, DueDelivery, Settle, Store, StoreError

log = logging.getLogger(__name__)

TRY_S: Final = 10.0
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 3600.0
LIFETIME_S: Final = 86_400.0

LOOK_S: Final = 5.0
"""How often it is looked for deliveries without a reason."""

CLOSE_S: Final = 2.0
"""How long tries under way may go on when the server stops."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed, and for how long the receiver wants to be left alone."""

    reason: str
    retry_after_s: float | None = None


def pause_s(attempts: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next try after so many failed ones: doubling from 2 s to an hour, less up to a half
    by chance, so that deliveries that failed together do not come back together. What the receiver asks for
    is granted, up to an hour."""
    longest = min(FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 20), LONGEST_PAUSE_S)
    pause = longest * random.uniform(0.5, 1.0)
    return max(pause, min(retry_after_s or 0.0, LONGEST_PAUSE_S))


class Ledger:
    """Settles the tries of one carrier in the store, and counts them."""

    def __init__(self, carrier: Carrier, store: Store, metrics: Metrics) -> None:
        self._carrier: Carrier = carrier
        self._store = store
        self._metrics = metrics

    async def settle(self, due: DueDelivery, failure: Failure | None) -> bool:
        """Stores what became of a try; False where that cannot be: the delivery is tried again."""
        try:
            await self._store.settle_delivery(self._settled(due, failure))
        except StoreError as error:
            log.error("delivery %s: what became of it is not stored: %s", due.delivery.id, error)
            return False
        return True

    async def count(self, now: float) -> float | None:
        """Shows how many deliveries wait, and gives when the next becomes due after `now`."""
        waiting, next_at = await self._store.waiting_deliveries(now, self._carrier)
        self._metrics.outbox_waiting(self._carrier, waiting)
        return next_at

    def _settled(self, due: DueDelivery, failure: Failure | None) -> Settle:
        delivery, attempts, now = due.delivery, due.attempts + 1, time.time()
        if failure is None:
            self._metrics.delivery_tried(self._carrier, "delivered")
            return Settle(delivery.id, attempts, None, now, None)
        next_at = now + pause_s(attempts, failure.retry_after_s)
        what = f"delivery {delivery.id} to {delivery.target}"
        if next_at > delivery.created_at + LIFETIME_S:
            self._metrics.delivery_tried(self._carrier, "given_up")
            log.error("%s is given up: %s", what, failure.reason)
            return Settle(delivery.id, attempts, None, None, failure.reason)
        self._metrics.delivery_tried(self._carrier, "failed")
        log.warning("%s failed (%s); next try in %.0f s", what, failure.reason, next_at - now)
        return Settle(delivery.id, attempts, next_at, None, failure.reason)
