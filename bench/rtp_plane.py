"""Measures the RTP plane: every stream plays a prompt and receives 50 packets a second.

    python -m bench.rtp_plane --calls 200 --seconds 10

The far ends live in a second process, which sends at times spread over the 20 ms and notes when the kernel
received each packet, so that its own lateness does not show. Prints one JSON object. `cpu_percent_per_call`
is user and system time of the plane's process, to be read beside how busy the machine was with other work
(`machine_busy_percent`) and how much of it the hypervisor took (`machine_stolen_percent`); `--heard` gives
every stream a listener as well, `--taken` what a recorder takes; `--bridged` connects them by twos, in place
of the prompt; `--srtp` encrypts both ways.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Coroutine
from typing import Any

import uvloop

from media.clip import Clip
from media.codecs import PCMA
from media.keys import MasterKey, Security, Suite
from media.plane import DATAGRAM_BYTES, RtpPlane
from media.ports import Datagrams, PortPool
from media.rtp import HEADER, HEADER_BYTES
from media.srtp import Sealing, SecureSocket

HOST = "127.0.0.1"
SLOTS = 20
SLOT_S = 0.001
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@qq")
SETTLE_S = 1.0


class _Owner:
    """Only the keys of a call are counted here; the bench sends none."""

    def digit(self, key: str, at: float) -> None: ...
    def began(self, mark: str, at: float) -> None: ...

    def played(self, mark: str, at: float) -> None: ...
    def stopped(self, mark: str, sample: int, at: float) -> None: ...
    def timed_out(self, at: float) -> None: ...


class _Tap:
    def received(self, payload: bytes, sample: int) -> None: ...
    def sent(self, payload: bytes, sample: int) -> None: ...
    def close(self) -> None: ...


def _ignore(frame: bytes) -> None: ...


def _machine() -> tuple[int, int, int]:
    """Jiffies of the whole machine so far: busy, taken by the hypervisor, and all."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, idle, wait, irq, soft, stolen = map(int, file.readline().split()[1:9])
    busy = user + nice + system + irq + soft
    return busy, stolen, busy + stolen + idle + wait


def _percentile(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3) if ordered else 0.0


def _spread(values: list[float]) -> dict[str, float]:
    values.sort()
    return {
        "p50": _percentile(values, 0.5),
        "p99": _percentile(values, 0.99),
        "max": round(values[-1], 3) if values else 0.0,
    }


def _security(suite: str | None) -> Security | None:
    """The same key for all: libsrtp does not mind, and nobody listens."""
    if suite is None:
        return None
    key = MasterKey(Suite[suite], bytes(Suite[suite].master_bytes))
    return Security(key, key)


def generate(calls: int, seconds: float, suite: str | None, cpu: int | None) -> None:
    """The far ends: tells its ports, reads the plane's, sends and receives, tells what it saw."""
    security = _security(suite)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(calls)]
    poll = select.epoll()
    for sock in sockets:
        sock.bind((HOST, 0))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        poll.register(sock.fileno(), select.EPOLLIN)
    print(json.dumps([sock.getsockname()[1] for sock in sockets]), flush=True)
    ports = json.loads(sys.stdin.readline())
    for sock, port in zip(sockets, ports, strict=True):
        sock.connect((HOST, port))
    senders: list[Datagrams] = list(sockets)
    if security is not None:
        sealing = Sealing(security.ours, outbound=True)
        senders = [SecureSocket(sock, sealing, sealing, control=False) for sock in sockets]
    by_fd = {sock.fileno(): (index, sock) for index, sock in enumerate(sockets)}
    slots = [[(i, senders[i]) for i in range(slot, calls, SLOTS)] for slot in range(SLOTS)]
    packet = bytearray(HEADER_BYTES) + b"\x2a" * PCMA.frame_bytes
    seen_at, seen_sequence = [0.0] * calls, [-1] * calls
    spacing: list[float] = []
    lateness: list[float] = []
    lost = received = sent = 0
    start = due = time.monotonic()
    measure_from, end = start + SETTLE_S, start + SETTLE_S + seconds
    slot = 0
    while due < end:
        # Asleep rather than in epoll: whoever wakes a sleeper pays, and that would be the process measured.
        time.sleep(max(0.0, due - time.monotonic()))
        for fd, _ in poll.poll(0):
            index, sock = by_fd[fd]
            try:
                data, ancillary, _, _ = sock.recvmsg(DATAGRAM_BYTES, 64)
            except OSError:
                continue
            whole, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
            at = whole + nanoseconds / 1e9
            sequence = HEADER.unpack_from(data)[2]
            if due > measure_from and seen_sequence[index] >= 0:
                spacing.append((at - seen_at[index]) * 1000)
                lost += (sequence - seen_sequence[index] - 1) & 0xFFFF
                received += 1
            seen_at[index], seen_sequence[index] = at, sequence
        lateness.append((time.monotonic() - due) * 1000)
        frame = slot // SLOTS
        for index, sender in slots[slot % SLOTS]:
            HEADER.pack_into(packet, 0, 0x80, 8, frame & 0xFFFF, frame * 160 & 0xFFFFFFFF, index + 1)
            sender.sendto(packet, (HOST, ports[index]))
            sent += 1
        slot += 1
        due += SLOT_S
    report = {
        "rtp_spacing_ms": _spread(spacing),
        "rtp_received": received,
        "rtp_lost": lost,
        "generator_sent": sent,
        "generator_lateness_ms_p99": _spread(lateness)["p99"],
    }
    print(json.dumps(report), flush=True)


async def serve(options: argparse.Namespace) -> dict[str, Any]:
    """Opens the streams, lets the other process run against them, and measures this one."""
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    arguments = [sys.executable, "-m", "bench.rtp_plane", "--generator", "--calls", str(options.calls)]
    arguments += ["--seconds", str(options.seconds)]
    if options.srtp is not None:
        arguments += ["--srtp", options.srtp]
    if options.generator_cpu is not None:
        arguments += ["--generator-cpu", str(options.generator_cpu)]
    generator = await asyncio.create_subprocess_exec(
        *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 20
    )
    assert generator.stdin is not None
    assert generator.stdout is not None
    plane = RtpPlane(PortPool(0, 0, 0.0, HOST), timeout_s=60.0, address=HOST)
    await plane.start()
    frames = [bytes([i % 250 + 1]) * PCMA.frame_bytes for i in range(int((options.seconds + 10) * 50))]
    clip = Clip(PCMA, frames, finished=True)
    streams = []
    for port in json.loads(await generator.stdout.readline()):
        stream = plane.open(_Owner())
        stream.connect((HOST, port), PCMA, 8, 101, security=_security(options.srtp))
        if not options.bridged:
            stream.play(clip, "prompt")
        elif len(streams) % 2:
            stream.bridge(streams[-1])
        if options.heard:
            stream.listen(_ignore)
        if options.taken:
            stream.record(_Tap())
        streams.append(stream)
    generator.stdin.write(json.dumps([stream.local_port for stream in streams]).encode() + b"\n")
    await generator.stdin.drain()
    await asyncio.sleep(SETTLE_S)
    machine_before = _machine()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    await asyncio.sleep(options.seconds)
    after, ended = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    busy, stolen, jiffies = (now - then for now, then in zip(_machine(), machine_before, strict=True))
    worst_ms = plane.lateness_ms
    report = json.loads(await generator.stdout.readline())
    await generator.wait()
    jitter = sorted(stream.quality().jitter_ms for stream in streams)
    totals = plane.totals()
    await plane.close()
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    per_call = 100 / (ended - began) / options.calls
    return {
        "calls": options.calls,
        "loop": type(asyncio.get_running_loop()).__module__.split(".")[0],
        "cpu_percent_per_call": round((user + system) * per_call, 4),
        "user_percent_per_call": round(user * per_call, 4),
        "machine_busy_percent": round(100 * busy / jiffies, 1),
        "machine_stolen_percent": round(100 * stolen / jiffies, 1),
        "tick_lateness_ms_max": round(worst_ms, 2),
        "ticks_skipped": totals.skipped,
        "plane_received": totals.packets_in,
        "plane_dropped": totals.dropped,
        "jitter_ms_p99": _percentile(jitter, 0.99),
        **report,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--uvloop", action="store_true", help="run the plane on uvloop")
    parser.add_argument("--heard", action="store_true", help="give every stream a listener")
    parser.add_argument("--taken", action="store_true", help="give every stream a tap, as a recorder does")
    parser.add_argument("--bridged", action="store_true", help="each two streams hear each other")
    parser.add_argument("--srtp", choices=[suite.name for suite in Suite], help="encrypt both ways")
    parser.add_argument("--cpu", type=int, help="pin the plane to this core")
    parser.add_argument("--generator-cpu", type=int, help="pin the far ends to this core")
    parser.add_argument("--generator", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generator:
        generate(options.calls, options.seconds, options.srtp, options.generator_cpu)
        return
    job: Coroutine[Any, Any, dict[str, Any]] = serve(options)
    print(json.dumps(uvloop.run(job) if options.uvloop else asyncio.run(job), indent=2))


if __name__ == "__main__":
    main()
