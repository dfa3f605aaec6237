"""A whole user agent under fire: datagrams from its trunk in, and nothing left when they are past.

The trunk has everything on. Calls that come in ring, are heard early, answered and held; a call goes out
where responses are among the messages. So that messages find their call, branches, Call-IDs and tags of the
seeds are replaced by those of the moment.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from itertools import count
from typing import Any, Final

import sip.provisional
from media.leg import CallLeg, HungUp
from media.plane import RtpPlane
from media.ports import PortPool
from sip.client_transactions import InviteClient
from sip.hop import Address
from sip.stack import OutboundCall, TrunkBusy
from sip.timers import Timing
from sip.trunks import Trunk
from sip.udp import UdpTransport
from sip.user_agent import UserAgent
from tests.fuzz.seeds import SEPARATOR

TRUNK: Final = Trunk(
    allow=("127.0.0.1/32",),
    refer_to=("+91", "sip:*"),
    srtp="offered",
    session_expires_s=90,
    refresher="us",
    users={"200": "secret"},
    codecs=("G722", "PCMA", "PCMU"),
    asserted_identity=True,
    privacy=True,
)
_BRANCH: Final = b"z9hG4bK776"
_CALL: Final = b"a84b4c76e66710"
_TAGS: Final = ((b"0.1>;tag=1\r\n", b"0.1>;tag=%b\r\n"), (b";to-tag=1;", b";to-tag=%b;"))
"""Where the seeds name a dialog of ours, and how our tag is put there."""

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
        vars(sip.provisional)["MAX_FIRST"] = 1  # so that a PRACK can name our response
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
            trunks={"peer": TRUNK},
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
        self._start_task(_answer(leg))

    def _start_task(self, work: Any) -> None:
        task: asyncio.Task[None] = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def fire(self, data: bytes) -> None:
        parts = data.split(SEPARATOR)[:6]
        if any(part.startswith(b"SIP/2.0") for part in parts) and self.ua.wait_s("peer") is None:
            self._start_task(_call(self.ua))
            await asyncio.sleep(0.001)
        call = b"%x" % next(_numbers)
        for part in parts:
            # The discard port: what is answered goes nowhere.
            self.inlet.datagram_received(self._fitted(part, call), (HOST, 9))
            for _ in range(6):
                await asyncio.sleep(0)

    def _fitted(self, part: bytes, call: bytes) -> bytes:
        """The message as one of a call that is up."""
        if part.startswith(b"SIP/2.0"):
            for client in self.ua._endpoint._handlers:
                if isinstance(client, InviteClient) and (branch := client.request.via.branch):
                    return part.replace(_BRANCH, branch.encode())
            return part
        alone = part.startswith((b"INVITE", b"ACK", b"CANCEL"))
        part = part.replace(_BRANCH, _BRANCH + (call if alone else b"%x" % next(_numbers)))
        part = part.replace(_CALL, _CALL + call)
        for key in reversed(self.ua._dialogs._by_id):
            for old, new in _TAGS:
                part = part.replace(old, new % key.local_tag.encode())
            break
        return part

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
    """Rings, is heard, answers, holds, and goes on until the far end leaves."""
    await leg.ring()
    await leg.progress()
    await leg.answer()
    leg.send_digits("5")
    await leg.hold(True)
    await leg.hold(False)
    while not isinstance(await leg.next_event(), HungUp):
        pass


async def _call(ua: UserAgent) -> None:
    """Calls the discard port, and goes on until whoever answered leaves."""
    with suppress(TrunkBusy):
        leg = await ua.call(OutboundCall(f"sip:9@{HOST}:9", "peer", caller_id="200", ring_s=1.0))
        while not isinstance(await leg.next_event(), HungUp):
            pass


_numbers = count(1)
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
