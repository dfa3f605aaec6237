"""Drives PJSIP on the event loop: it has no thread of its own, and does its work only when it is asked."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Final

log = logging.getLogger(__name__)

IDLE_S: Final = 0.02
BUSY_S: Final = 0.002
BUSY_FOR_S: Final = 0.1
"""After an event PJSIP is looked after more often for so long: the next one mostly follows at once."""

_AT_ONCE: Final = 64
"""Events that are handled before the loop has its turn."""


class Pump:
    """Between `start` and `stop`; `work` handles one event and tells how many it was, 0 when nothing is left.

    Datagrams and new connections wake it. What comes over an open connection, and PJSIP's timers, are seen by
    looking: every `IDLE_S`, or every `BUSY_S` while something is going on.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        self._work: Final = work
        self._loop: Final = asyncio.get_running_loop()
        self._sockets: tuple[socket.socket, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._busy_until = 0.0
        self._running = False

    def start(self, sockets: Iterable[socket.socket]) -> None:
        """`sockets` are PJSIP's own."""
        self._running = True
        self._sockets = tuple(sockets)
        for one in self._sockets:
            self._loop.add_reader(one, self._turn)
        self._turn()

    def stop(self) -> None:
        self._running = False
        for one in self._sockets:
            self._loop.remove_reader(one)
        if self._timer is not None:
            self._timer.cancel()

    def hurry(self) -> None:
        """PJSIP was asked for something: an answer will come soon."""
        if self._running:
            self._busy_until = self._loop.time() + BUSY_FOR_S
            self._plan()

    def _turn(self) -> None:
        if not self._running:
            return
        handled = 0
        try:
            while handled < _AT_ONCE:
                events = self._work()
                if events <= 0:
                    break
                handled += events
        except Exception:
            log.exception("PJSIP failed in its work")
        if handled:
            self._busy_until = self._loop.time() + BUSY_FOR_S
        self._plan()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        busy = self._loop.time() < self._busy_until
        self._timer = self._loop.call_later(BUSY_S if busy else IDLE_S, self._turn)
