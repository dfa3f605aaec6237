"""What the tests of the plane share: an owner of a stream that writes down its events, and a bare far end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from media.clip import Clip
from media.codecs import PCMA, Codec
from media.plane import RtpPlane
from media.ports import PortPool
from media.rtp import RtpPacket
from media.stream import RtpStream

HOST = "127.0.0.1"


class Events:
    """Writes down what a stream tells."""

    def __init__(self) -> None:
        self.all: list[tuple[object, ...]] = []
        self.begun: list[tuple[str, float]] = []

    def digit(self, key: str, at: float) -> None:
        self.all.append(("digit", key))

    def began(self, mark: str, at: float) -> None:
        self.begun.append((mark, at))

    def played(self, mark: str, at: float) -> None:
        self.all.append(("played", mark))

    def stopped(self, mark: str, sample: int, at: float) -> None:
        self.all.append(("stopped", mark, sample))

    def timed_out(self, at: float) -> None:
        self.all.append(("timed_out",))

    @property
    def keys(self) -> str:
        return "".join(str(e[1]) for e in self.all if e[0] == "digit")


class FarEnd:
    """A plain UDP socket that speaks RTP when it is told to."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()

    def send(self, stream: RtpStream, packet: RtpPacket) -> None:
        self.socket.sendto(packet.to_bytes(), (HOST, stream.local_port))

    async def receive(self, count: int, wait_s: float = 20.0) -> list[RtpPacket]:
        """The next `count` packets."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(wait_s):
            return [RtpPacket.parse(await loop.sock_recv(self.socket, 2048)) for _ in range(count)]

    def close(self) -> None:
        self.socket.close()


@asynccontextmanager
async def running_plane(timeout_s: float = 60.0, ports: PortPool | None = None) -> AsyncIterator[RtpPlane]:
    plane = RtpPlane(ports or PortPool(0, 0, 0.0, HOST), timeout_s=timeout_s, address=HOST)
    await plane.start()
    try:
        yield plane
    finally:
        await plane.close()


async def until(condition: Callable[[], bool], wait_s: float = 20.0) -> None:
    """Waits for what is asked for; the deadline only ends a failed test."""
    end = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


def numbered_clip(frames: int, codec: Codec = PCMA, first: int = 0) -> Clip:
    """A clip whose frames can be told apart; none is silence."""
    payloads = [bytes([(first + i) % 200 + 1]) * codec.frame_bytes for i in range(frames)]
    return Clip(
        codec, [p if p != codec.silence else b"\x00" * codec.frame_bytes for p in payloads], finished=True
    )
