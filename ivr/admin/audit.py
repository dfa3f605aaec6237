"""What was done by whom, told to the server's audit log.

Nobody waits for the log: an entry that cannot be delivered now is kept, and tried again until the server is
back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from ivr.admin.gateway import GatewayAway, GatewayClient, GatewayError

log = logging.getLogger(__name__)

MOST: Final = 1000
"""Entries that wait; of more, the oldest are in the dashboard's own log alone."""
PAUSE_S: Final = 5.0


class AuditTrail:
    """Delivers in the order of what happened; runs from `start` to `close`."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._deliver(), name="audit trail")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def note(
        self,
        action: str,
        by: str,
        *,
        target: str = "",
        address: str = "",
        outcome: str = "done",
        **detail: Any,
    ) -> None:
        """`action` as `user.role`; `target` is what it was done to; `outcome` is `done` or `refused`."""
        log.info(
            "%s by %s%s%s",
            action,
            by or "-",
            f" on {target}" if target else "",
            f" from {address}" if address else "",
        )
        entry = {
            "at": datetime.now(UTC).isoformat(),
            "action": action,
            "operator": by,
            "target": target,
            "address": address,
            "outcome": outcome,
            "detail": detail,
        }
        self._waiting.append({name: value for name, value in entry.items() if value not in ("", {})})
        self._more.set()

    async def _deliver(self) -> None:
        while True:
            while self._waiting:
                entry = self._waiting[0]
                try:
                    await self._gateway.send("POST", "/admin/audit", by=entry.get("operator", ""), body=entry)
                except GatewayAway:
                    await asyncio.sleep(PAUSE_S)
                    continue
                except GatewayError as error:
                    log.warning("the audit log refused an entry: %s", error)
                if self._waiting and self._waiting[0] is entry:
                    self._waiting.popleft()
            self._more.clear()
            await self._more.wait()
