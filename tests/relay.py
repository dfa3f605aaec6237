"""A bad network on loopback: a UDP relay that loses, delays, reorders and doubles packets, by a fixed seed.

`RelayedPorts` puts it between the media of a phone and whoever it talks to: the phone's SDP names the relay,
and what the phone sends leaves from there, so that neither side sees a difference but in quality. Both
directions suffer, RTP and RTCP alike; signalling does not pass through it.
"""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass
from typing import Any

from media.ports import PortPair, PortPool
from media.source import Address

_MOST_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares from 0 to 1; delays in seconds. What is reordered comes `overtaken_s` later than it would."""

    loss: float = 0.0
    jitter_s: float = 0.0
    reordered: float = 0.0
    doubled: float = 0.0
    overtaken_s: float = 0.045

    def delays(self, chance: random.Random) -> list[float]:
        """When the copies of one packet arrive; none: it is lost."""
        if chance.random() < self.loss:
            return []
        copies = 2 if chance.random() < self.doubled else 1
        late = self.overtaken_s if chance.random() < self.reordered else 0.0
        return [chance.random() * self.jitter_s + late for _ in range(copies)]


BAD = Weather(loss=0.05, jitter_s=0.05, reordered=0.02, doubled=0.02)
"""5 % loss, 50 ms jitter, 2 % reordering, 2 % duplicates."""


class Relay:
    """Two sockets: `outer` is where the far end sends to, `inner` where ours does.

    `far` is where packets of ours go, and `ours` where those of the far end go, None until they are known.
    """

    def __init__(self, outer: socket.socket, weather: Weather, seed: int, host: str = "127.0.0.1") -> None:
        self.outer = outer
        self.inner = socket.socket(outer.family, socket.SOCK_DGRAM)
        self.inner.setblocking(False)
        self.inner.bind((host, 0))
        self.address: Address = self.inner.getsockname()[:2]
        self.far: Address | None = None
        self.ours: Address | None = None
        self.passed = self.lost = 0
        self._weather, self._chance = weather, random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._flying: set[asyncio.TimerHandle] = set()
        self._loop.add_reader(self.inner.fileno(), self._outward)
        self._loop.add_reader(self.outer.fileno(), self._inward)

    def close(self) -> None:
        """What is still on its way never arrives; the outer socket belongs to its pool."""
        for sock in (self.inner, self.outer):
            self._loop.remove_reader(sock.fileno())
        for handle in self._flying:
            handle.cancel()
        self._flying.clear()
        self.inner.close()

    def _outward(self) -> None:
        for data, _ in _take(self.inner):
            if self.far is not None:
                self._carry(self.outer, data, self.far)

    def _inward(self) -> None:
        for data, source in _take(self.outer):
            if self.ours is not None and source == self.far:
                self._carry(self.inner, data, self.ours)

    def _carry(self, sock: socket.socket, data: bytes, to: Address) -> None:
        delays = self._weather.delays(self._chance)
        self.passed += 1
        self.lost += not delays
        for delay in delays:
            self._flying = {handle for handle in self._flying if handle.when() > self._loop.time()}
            self._flying.add(self._loop.call_later(delay, self._arrive, sock, data, to))

    def _arrive(self, sock: socket.socket, data: bytes, to: Address) -> None:
        try:
            sock.sendto(data, to)
        except OSError:
            self.lost += 1


def _take(sock: socket.socket) -> list[tuple[bytes, Address]]:
    taken = []
    while True:
        try:
            data, source = sock.recvfrom(_MOST_BYTES)
        except OSError:
            return taken
        taken.append((data, source[:2]))


class _Via:
    """A phone's socket, behind a relay: it seems to stand where the relay does."""

    def __init__(self, sock: Any, relay: Relay) -> None:
        self._sock, self._relay = sock, relay
        self.fileno, self.recv_into = sock.fileno, sock.recv_into
        relay.ours = sock.getsockname()[:2]

    def sendto(self, data: bytes | bytearray, to: Address) -> int:
        self._relay.far = to
        sent: int = self._sock.sendto(data, self._relay.address)
        return sent

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, Address]:
        size, source = self._sock.recvfrom_into(buffer)
        return size, self._relay.far or source

    def close(self) -> None:
        self._relay.close()
        self._sock.close()


class RelayedPorts(PortPool):
    """Ports of `ports`, each pair behind a relay of its own; `relays` are those in use, RTP before RTCP."""

    def __init__(self, ports: PortPool, weather: Weather, seed: int = 1, host: str = "127.0.0.1") -> None:
        super().__init__(0, 0, 0.0, host)
        self._ports, self._weather, self._seed = ports, weather, seed
        self._hidden: dict[int, tuple[PortPair, PortPair]] = {}
        self.relays: list[Relay] = []

    def acquire(self, now: float, ipv6: bool | None = None) -> PortPair:
        hidden, shown = self._ports.acquire(now, ipv6), super().acquire(now, ipv6)
        relays = [
            Relay(sock, self._weather, self._seed + place)
            for place, sock in enumerate((shown.rtp, shown.rtcp))
        ]
        self.relays += relays
        self._hidden[shown.port] = (hidden, shown)
        rtp, rtcp = (_Via(sock, relay) for sock, relay in zip((hidden.rtp, hidden.rtcp), relays, strict=True))
        return PortPair(shown.port, rtp, rtcp)  # type: ignore[arg-type]

    def release(self, pair: PortPair, now: float) -> None:
        hidden, shown = self._hidden.pop(pair.port)
        pair.rtp.close()
        pair.rtcp.close()
        super().release(shown, now)
        self._ports.release(hidden, now)
