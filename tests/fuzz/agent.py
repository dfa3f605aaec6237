"""A whole user agent under fire: datagrams from its trunk in, and nothing left when they are past."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from media.leg import CallLeg, HungUp
from media.plane import RtpPlane
from media.ports import PortPool
from sip.hop import Address
from sip.timers import Timing
from sip.trunks import Trunk
from sip.udp import UdpTransport
from sip.user_agent import UserAgent
from tests.fuzz.seeds import SEPARATOR

HOST: Final = "127.0.0.1"
FAST: Final = Timing(t1=0.002, t2=0.004, t4=0.002)
"""Every transaction is over within 64 * T1, an eighth of a second."""


class _Complaints(logging.Handler):
    """An exception that was caught and logged is a finding all the same."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


class _Fired:
    """One loop and one user agent for all inputs of the process."""

    def __init__(self) -> None:
        self.complaints = _Complaints()
        logging.getLogger().addHandler(self.complaints)
        self.loop = asyncio.new_event_loop()
        self.tasks: set[asyncio.Task[None]] = set()
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self.plane = RtpPlane(PortPool(0, 0, 0.0, HOST), timeout_s=60.0, address=HOST)
        await self.plane.start()
        self.ua = UserAgent(
            listen=[f"udp:{HOST}:0"],
            advertise=None,
            trunks={"peer": Trunk(allow=(f"{HOST}/32",), refer_to=("+91",), srtp="offered")},
            plane=self.plane,
            admit=lambda: None,
            on_incoming=self._incoming,
            user_agent="fuzzed",
            timing=FAST,
        )
        await self.ua.start()
        self.inlet = UdpTransport(self.ua._endpoint)
        port = int(self.ua.addresses()[0].rpartition(":")[2])
        self.inlet.local = Address(HOST, port)

    def _incoming(self, leg: CallLeg) -> None:
        task = self.loop.create_task(_answer(leg))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def fire(self, data: bytes) -> None:
        for part in data.split(SEPARATOR)[:6]:
            # The discard port: what is answered goes nowhere.
            self.inlet.datagram_received(part, (HOST, 9))
            for _ in range(4):
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Ends what still talks; all must be gone once every transaction has run out."""
        for leg in list(self.ua._legs):
            await leg.hang_up()
        for _ in range(100):
            await asyncio.sleep(0.02)
            load = self.ua.load()
            if not any((load.legs, load.dialogs, load.transactions, load.timers)) and not self.tasks:
                break
        else:
            raise AssertionError(f"left over: {load}, {len(self.tasks)} tasks")
        assert self.plane.streams == 0, "a stream is left"


async def _answer(leg: CallLeg) -> None:
    """Answers, and goes on until the far end leaves."""
    await leg.ring()
    await leg.answer()
    while not isinstance(await leg.next_event(), HungUp):
        pass


_fired: list[_Fired] = []
_SETTLE_EVERY: Final = 50
_count = [0]


def agent(data: bytes) -> None:
    """Datagrams from a trunk to a user agent that answers every call."""
    if not _fired:
        _fired.append(_Fired())
    fired = _fired[0]
    fired.loop.run_until_complete(fired.fire(data))
    _count[0] += 1
    if _count[0] % _SETTLE_EVERY == 0:
        fired.loop.run_until_complete(fired.settle())
    complaints, fired.complaints.found = fired.complaints.found, []
    assert not complaints, complaints[0]


def left(_: Any = None) -> None:
    """Asserts that nothing is left of all that was fired."""
    for fired in _fired:
        fired.loop.run_until_complete(fired.settle())
