"""The load generator, a process of its own: `python -m ivr.bench.generator PLAN`, where PLAN is JSON.

It prints `steady` when all calls are up and `ending` before they hang up, so that its parent measures the
server in between, then what it measured as one line of JSON. One thread, one timer: every 2 ms the sockets
are read and a tenth of the calls send their packet. How late that is is measured too: a generator that
cannot keep up proves nothing.
"""

from __future__ import annotations

import gc
import json
import resource
import secrets
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from ivr.bench import sip
from ivr.bench.caller import Caller
from ivr.bench.flow import MOST_KEYS
from ivr.bench.line import ANSWER_WITHIN, FRAME, SECOND, Line, State
from ivr.bench.srtp import Cipher
from ivr.bench.stats import Samples
from media.ports import PortPool

SLOTS: Final = 10
SLOT: Final = FRAME // SLOTS

_SO_TIMESTAMPNS: Final = 35  # Linux; the socket module does not name it
_TIMESPEC: Final = struct.Struct("qq")
_ANCILLARY: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_DATAGRAM: Final = 4096
_SIP_BUFFER: Final = 4 * 1024 * 1024
_SETTLE: Final = SECOND


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` calls a second are set up until there are `calls`; then all go on for `seconds`, pressing keys.

    With `stay_s` each call lasts so long instead, hears one prompt and presses nothing: calls come and go at
    the rate. With `srtp` the media are encrypted.
    """

    host: str
    port: int
    number: str
    calls: int
    seconds: float
    rate: float
    stay_s: float | None = None
    srtp: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What one line is made of; `index` is its own among all."""

    offer: sip.Offer
    rtp: socket.socket
    send_sip: Callable[[bytes], None]
    index: int
    cipher: Cipher | None


class Generator:
    def __init__(self, plan: Plan, samples: Samples, new_line: Callable[[Place], Line]) -> None:
        """What is common to all lines is measured in `samples`."""
        self._plan = plan
        self._samples = samples
        self._buffer = bytearray(_DATAGRAM)
        self._poll = select.epoll()
        self._sip = _stamped(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SIP_BUFFER)
        self._sip.connect((plan.host, plan.port))
        self._sip.setblocking(False)
        self._poll.register(self._sip.fileno(), select.EPOLLIN)
        host, port = self._sip.getsockname()
        ports = PortPool(0, 0, 0.0, host)
        self._callers: list[Line] = []
        self._by_id: dict[str, Line] = {}
        self._by_socket: dict[int, tuple[socket.socket, Line]] = {}
        self._pairs = [ports.acquire(0.0) for _ in range(plan.calls)]
        for index, pair in enumerate(self._pairs):
            cipher = Cipher() if plan.srtp else None
            offer = sip.Offer(
                f"sip:{plan.number}@{plan.host}:{plan.port}",
                host,
                port,
                f"{secrets.token_hex(8)}@{host}",
                None if cipher is None else cipher.offered,
            )
            caller = new_line(Place(offer, _stamped(pair.rtp), self._send, index, cipher))
            self._callers.append(caller)
            self._by_id[offer.call_id] = caller
            self._by_socket[pair.rtp.fileno()] = (pair.rtp, caller)
            self._poll.register(pair.rtp.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Ends when every call is over."""
        plan = self._plan
        began = time.monotonic_ns()
        placed = began + int(plan.calls / plan.rate * SECOND)
        if plan.stay_s is None:
            up = placed + _SETTLE
            end = leave = up + int(plan.seconds * SECOND)
        else:  # as many leave as come
            up, end = began + int(plan.stay_s * SECOND), placed
            leave = placed + int(plan.stay_s * SECOND)
        last = leave + ANSWER_WITHIN
        steady = ending = False
        started, left, slot, due = 0, 0, 0, began
        while True:
            now = time.monotonic_ns()
            if now < due:
                time.sleep((due - now) / SECOND)
                now = time.monotonic_ns()
            self._samples.lateness.append(now - due)
            self._read(now)
            while started < plan.calls and now >= began + int(started / plan.rate * SECOND):
                self._callers[started].call(now)
                started += 1
            for caller in self._callers[slot % SLOTS :: SLOTS]:
                caller.tick(now)
            if not steady and now >= up:
                steady = True
                print("steady", flush=True)
            if not ending and now >= end:
                ending = True
                print("ending", flush=True)
            while left < started and now >= self._leaves(left, began, leave):
                self._callers[left].leave(now)
                left += 1
            if now >= last or (ending and all(c.state is State.OVER for c in self._callers)):
                return
            slot += 1
            due += SLOT

    def _leaves(self, index: int, began: int, together: int) -> int:
        """When that call hangs up."""
        plan = self._plan
        if plan.stay_s is None:
            return together
        return began + int((index / plan.rate + plan.stay_s) * SECOND)

    def _read(self, now: int) -> None:
        for descriptor, _ in self._poll.poll(0):
            found = self._by_socket.get(descriptor)
            try:
                if found is None:
                    self._read_sip(now)
                else:
                    sock, caller = found
                    size, ancillary, _, _ = sock.recvmsg_into([self._buffer], _ANCILLARY)
                    caller.packet(self._buffer, size, now, _time_of(ancillary))
            except BlockingIOError:
                continue
            except ConnectionError:
                continue  # the port at the other end is closed by now; the caller finds out by itself

    def _read_sip(self, now: int) -> None:
        while True:
            message, ancillary, _, _ = self._sip.recvmsg(_DATAGRAM, _ANCILLARY)
            caller = self._by_id.get(sip.call_id_of(message))
            if caller is None:
                continue
            status = sip.status_of(message)
            if status is not None:
                caller.responded(message, status, now, _time_of(ancillary))
            elif message.startswith(b"BYE"):
                caller.hung_up()
                self._send(sip.ok(message))

    def _send(self, message: bytes) -> None:
        try:
            self._sip.send(message)
        except OSError:
            return  # as if it had been lost: it is sent again


def _stamped(sock: socket.socket) -> socket.socket:
    """The kernel notes when each datagram came, so that our own lateness does not count as the server's."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


def _time_of(ancillary: list[tuple[int, int, bytes]]) -> int:
    for _, kind, data in ancillary:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds) * SECOND + int(nanoseconds)
    return time.time_ns()


def generate(plan: Plan, samples: Samples, new_line: Callable[[Place], Line]) -> None:
    """Runs the plan, and prints what was measured."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    generator = Generator(plan, samples, new_line)
    gc.disable()
    generator.run()
    print(json.dumps(asdict(samples)), flush=True)


def main(arguments: list[str]) -> None:
    plan = Plan(**json.loads(arguments[0]))
    samples = Samples()
    keys = MOST_KEYS if plan.stay_s is None else 0
    generate(
        plan,
        samples,
        lambda at: Caller(at.offer, at.rtp, at.send_sip, samples, at.index, most_keys=keys, cipher=at.cipher),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
