"""Pairs of UDP ports for media: RTP on an even port, RTCP on the next (RFC 3550 section 11).

A port that was given back rests, so that late packets of an ended call do not reach the next one.
"""

from __future__ import annotations

import errno
import random
import socket
from collections import deque
from typing import Final, NamedTuple, Protocol

from media.source import Address

_TRIES: Final = 64
"""How often a free pair of any number is looked for before giving up."""

_EXPEDITED: Final = 0xB8
"""DSCP EF in the traffic class, what networks look for to hurry voice on (RFC 4594 section 4.1)."""

_TAKEN: Final = frozenset({errno.EADDRINUSE, errno.EACCES})


class NoPorts(Exception):
    """No pair of ports is free: all in use, resting, or held by other programs."""


class Datagrams(Protocol):
    """What a stream needs of a socket."""

    def fileno(self) -> int: ...

    def sendto(self, packet: bytes | bytearray, to: Address, /) -> int: ...

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Address]: ...

    def recv_into(self, buffer: bytearray, /) -> int: ...


class Sockets(Protocol):
    """Where a stream's RTP and RTCP go through: a `PortPair`, or something around one."""

    @property
    def rtp(self) -> Datagrams: ...

    @property
    def rtcp(self) -> Datagrams: ...


class PortPair(NamedTuple):
    """Two bound, non-blocking UDP sockets; `port` is the RTP one's number."""

    port: int
    rtp: socket.socket
    rtcp: socket.socket


def pairs_in(low: int, high: int) -> range:
    """The even ports of the pairs from `low` to `high`, both included; raises ValueError without one."""
    pairs = range(low + low % 2, high, 2)
    if not (0 < low <= high <= 65535 and pairs):
        raise ValueError(f"{low}-{high} holds no pair of media ports (an even one and the next)")
    return pairs


class PortPool:
    """The pairs of one range. Times are monotonic seconds, given by the caller."""

    def __init__(self, low: int, high: int, rest_s: float, *addresses: str) -> None:
        """Uses the ports from `low` to `high`, both included; 0 and 0: any free pair, without rest.

        Raises ValueError for a range without a single pair. `addresses` are the local addresses to bind, one
        of each IP version that calls come by.
        """
        self._any = low == high == 0
        self._addresses = {":" in address: address for address in reversed(addresses)}
        self._usual = ":" in addresses[0]
        self._rest_s = rest_s
        pairs = [] if self._any else list(pairs_in(low, high))
        random.shuffle(pairs)  # a port that cannot be guessed is harder to inject into
        self._free = deque(pairs)
        self._resting: deque[tuple[float, int]] = deque()

    def acquire(self, now: float, ipv6: bool | None = None) -> PortPair:
        """Binds a pair, of that IP version where there is an address of it; raises `NoPorts`, or OSError when
        the address cannot be bound at all."""
        wanted = self._usual if ipv6 is None else ipv6
        address = self._addresses.get(wanted) or self._addresses[self._usual]
        if self._any:
            return _acquire_any(address)
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        for _ in range(len(self._free)):
            port = self._free.popleft()
            pair = _bind(address, port)
            if pair is not None:
                return pair
            self._free.append(port)
        raise NoPorts(f"no media port is free ({len(self._resting)} are resting)")

    def release(self, pair: PortPair, now: float) -> None:
        """Closes the sockets; the ports rest from now on."""
        pair.rtp.close()
        pair.rtcp.close()
        if not self._any:
            self._resting.append((now + self._rest_s, pair.port))


def _acquire_any(address: str) -> PortPair:
    for _ in range(_TRIES):
        rtp = _socket(address, 0)
        assert rtp is not None
        port: int = rtp.getsockname()[1]
        rtcp = _socket(address, port + 1) if port % 2 == 0 else None
        if rtcp is not None:
            return PortPair(port, rtp, rtcp)
        rtp.close()
    raise NoPorts("the system gave no pair of free ports")


def _bind(address: str, port: int) -> PortPair | None:
    rtp = _socket(address, port)
    if rtp is None:
        return None
    rtcp = _socket(address, port + 1)
    if rtcp is None:
        rtp.close()
        return None
    return PortPair(port, rtp, rtcp)


def _socket(address: str, port: int) -> socket.socket | None:
    """None when the port is taken by another program."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        _mark_urgent(sock)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno in _TAKEN:
            return None
        raise
    return sock


def _mark_urgent(sock: socket.socket) -> None:
    if sock.family is socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
