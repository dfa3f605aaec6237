"""Measures what a packet costs in `media.link`: no sockets, no event loop, one core.

    python -m bench.link --rounds 15

A round is ten seconds of a G.711 call with telephone-event: 500 ticks (one packet out each) and 500 packets
in. Prints one JSON object: by kind of call, microseconds a frame (one tick and one packet in) of the fastest
round, since whatever else the machine does only makes a round slower. Compare two revisions by turns.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from media.agreement import Agreement
from media.clip import Clip
from media.codecs import G722, PCMA, PCMU, Codec
from media.link import Link
from media.rtp import HEADER, HEADER_BYTES

FRAMES: Final = 500
REMOTE: Final = ("127.0.0.1", 40000)
FRAME_S: Final = 0.02
JITTER_S: Final = 0.004
TELEPHONE_EVENT: Final = 101
KEY_EVERY: Final = 50
"""Frames between two presses, in calls that have some."""


class _Socket:
    def sendto(self, data: bytearray | bytes, address: object) -> int:
        return 0


class _Pair:
    def __init__(self) -> None:
        self.rtp = self.rtcp = _Socket()


class _Events:
    """Nobody asks what a stream tells here."""

    def digit(self, key: str, at: float) -> None: ...
    def began(self, mark: str, at: float) -> None: ...

    def played(self, mark: str, at: float) -> None: ...
    def stopped(self, mark: str, sample: int, at: float) -> None: ...
    def timed_out(self, at: float) -> None: ...


class _Tap:
    def received(self, payload: bytes, sample: int) -> None: ...
    def sent(self, payload: bytes, sample: int) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What is done with a call's audio. Without `events` keys are heard in it; `ptime_ms` is what we send. A
    `bridged` one goes to another call, which speaks this codec, and the other way round. To an `overheard`
    one somebody listens in, whose own ticks count with it."""

    plays: bool = True
    taken: bool = False
    heard: bool = False
    pressed: bool = False
    events: bool = True
    ptime_ms: int = 20
    bridged: Codec | None = None
    overheard: bool = False


KINDS: Final = {
    "silent": Kind(plays=False),
    "prompt": Kind(),
    "prompt, keys": Kind(pressed=True),
    "prompt, recorder": Kind(taken=True),
    "prompt, listener": Kind(heard=True),
    "prompt, recorder, listener": Kind(taken=True, heard=True),
    "prompt, overheard": Kind(overheard=True),
    "prompt, keys in the audio": Kind(events=False),
    "prompt, packets of 60 ms": Kind(ptime_ms=60),
    "bridged": Kind(plays=False, bridged=PCMA),
    "bridged, recorder": Kind(plays=False, bridged=PCMA, taken=True),
    "bridged to the other law": Kind(plays=False, bridged=PCMU),
    "bridged to G.722": Kind(plays=False, bridged=G722),
}


def datagrams(kind: Kind) -> list[tuple[float, bytearray]]:
    """What the far end sends in a round, each with the time when it comes."""
    draw = random.Random(1)
    made, voice = [], draw.randbytes(PCMA.frame_bytes)
    for index in range(FRAMES):
        packet = bytearray(HEADER_BYTES)
        into = index % KEY_EVERY
        if kind.pressed and into < 8:
            began = (index - into) * PCMA.frame_samples
            marker = 0x80 if into == 0 else 0
            HEADER.pack_into(packet, 0, 0x80, TELEPHONE_EVENT | marker, index, began, 7)
            packet += bytes((5, 0x80 if into >= 5 else 0)) + (160 * min(into + 1, 5)).to_bytes(2, "big")
        else:
            HEADER.pack_into(packet, 0, 0x80, 8, index, index * PCMA.frame_samples, 7)
            packet += voice
        made.append((index * FRAME_S + draw.random() * JITTER_S, packet))
    return made


def round_us(kind: Kind) -> float:
    """Microseconds a frame in one round."""
    agreed = Agreement(REMOTE, PCMA, 8, TELEPHONE_EVENT if kind.events else None, kind.ptime_ms)
    link = Link(_Pair(), _Events(), agreed, "bench", 60.0, 0.0)  # type: ignore[arg-type]
    if kind.plays:
        frames = [bytes((index % 250 + 1,)) * PCMA.frame_bytes for index in range(FRAMES + 10)]
        link.play(Clip(PCMA, frames, finished=True), "prompt")
    if kind.taken:
        link.record(_Tap())
    if kind.heard:
        link.listen(_ignore)
    came = datagrams(kind)
    if kind.bridged is not None:
        return bridged_us(link, kind.bridged, came)
    tick: Callable[[float], None] = overheard_tick(link) if kind.overheard else link.tick
    receive = link.receive
    began = time.process_time_ns()
    for index, (at, packet) in enumerate(came):
        receive(packet, len(packet), REMOTE, at)
        tick(index * FRAME_S + 0.005)
    return (time.process_time_ns() - began) / FRAMES / 1000


def overheard_tick(link: Link) -> Callable[[float], None]:
    """A tick of the call and one of who listens in."""
    agreed = Agreement(REMOTE, PCMA, 8, TELEPHONE_EVENT)
    operator = Link(_Pair(), _Events(), agreed, "bench", 60.0, 0.0)  # type: ignore[arg-type]
    operator.ties.overhear(link.ties)

    def tick(now: float) -> None:
        link.tick(now)
        operator.tick(now)

    return tick


def bridged_us(link: Link, codec: Codec, came: list[tuple[float, bytearray]]) -> float:
    """Microseconds a frame of either call, both of which hear the same."""
    agreed = Agreement(REMOTE, codec, codec.payload_type, TELEPHONE_EVENT)
    other = Link(_Pair(), _Events(), agreed, "bench", 60.0, 0.0)  # type: ignore[arg-type]
    link.ties.bridge(other.ties)
    theirs = [bytearray(packet) for _, packet in came]
    for packet in theirs:
        packet[1] = codec.payload_type
    began = time.process_time_ns()
    for index, ((at, packet), answer) in enumerate(zip(came, theirs, strict=True)):
        link.receive(packet, len(packet), REMOTE, at)
        other.receive(answer, len(answer), REMOTE, at)
        link.tick(index * FRAME_S + 0.005)
        other.tick(index * FRAME_S + 0.005)
    return (time.process_time_ns() - began) / FRAMES / 2 / 1000


def _ignore(frame: bytes) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each kind (default %(default)s)")
    options = parser.parse_args()
    gc.disable()
    best = {name: float("inf") for name in KINDS}
    for _ in range(options.rounds):
        for name, kind in KINDS.items():
            best[name] = min(best[name], round_us(kind))
    print(json.dumps({name: round(value, 3) for name, value in best.items()}, indent=2))


if __name__ == "__main__":
    main()
