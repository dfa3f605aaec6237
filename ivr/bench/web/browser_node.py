"""The server's half of `ivr bench web --calls`, a process of its own: web legs without a flow, which say by
JSON lines when they heard a beep of their caller, and when they answered it with one."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, Final

import numpy as np
import uvloop

from media.clip import Clip, ClipWriter
from media.leg import HungUp, LegInfo
from media.opus import OPUS
from media.plane import RtpPlane
from media.ports import PortPool
from media.tones import Partial, tone
from webrtc.description import parse_offer
from webrtc.ice import IceTerms
from webrtc.leg import WebLeg, WebTerms

BEEP_MS: Final = 60
ANSWER_HZ: Final = 900.0

_LOUD: Final = 1000
_QUIET_FRAMES: Final = 15
"""A beep is another one after so much silence."""


def beep_of(hz: float) -> Clip:
    """A beep in Opus, between two silences."""
    clip = Clip(OPUS)
    writer = ClipWriter(clip, OPUS.sample_rate)
    writer.write(tone([Partial(hz)], BEEP_MS, OPUS.sample_rate))
    writer.close()
    return clip


class _Ear:
    """Hears one caller's beeps and answers each."""

    def __init__(self, leg: WebLeg, answer: Clip) -> None:
        self._leg = leg
        self._answer = answer
        self._quiet = _QUIET_FRAMES
        self.heard: list[int] = []
        self.answered: list[int] = []

    def take(self, frame: bytes) -> None:
        if np.abs(np.frombuffer(frame, "<i2")).max() < _LOUD:
            self._quiet += 1
            return
        quiet, self._quiet = self._quiet, 0
        if quiet >= _QUIET_FRAMES:
            self.heard.append(time.monotonic_ns())
            self._leg.play(self._answer, "answer")
            self.answered.append(time.monotonic_ns())


class _Node:
    def __init__(self) -> None:
        self._plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=20.0, address="127.0.0.1")
        self._answer = beep_of(ANSWER_HZ)
        self._legs: list[WebLeg] = []
        self._ears: list[_Ear] = []
        self._late_ms = 0.0
        self._listening: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await self._plane.start()
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        try:
            while line := await lines.readline():
                asked = json.loads(line)
                if "sdp" in asked:
                    _tell(await self._call(asked["sdp"]))
                else:
                    _tell(self._figures())
        finally:
            for task in self._listening:
                task.cancel()
            for leg in self._legs:
                await leg.hang_up()
                leg.part_with()
                await leg.wait_closed()
            await self._plane.close()

    async def _call(self, sdp: str) -> dict[str, Any]:
        leg = WebLeg(
            LegInfo(str(len(self._legs)), "inbound", "", "", "web", {}),
            self._plane,
            parse_offer(sdp),
            WebTerms(IceTerms(("127.0.0.1",))),
            lambda cause, by: None,
            lambda: None,
            lambda: None,
        )
        self._legs.append(leg)
        answer = await leg.accept()
        leg.begin()
        self._ears.append(ear := _Ear(leg, self._answer))
        self._listening.add(asyncio.create_task(self._listen(leg, ear)))
        return {"sdp": answer}

    async def _listen(self, leg: WebLeg, ear: _Ear) -> None:
        await leg.answer()
        leg.listen(ear.take)
        while not isinstance(await leg.next_event(), HungUp):
            self._late_ms = max(self._late_ms, self._plane.lateness_ms)

    def _figures(self) -> dict[str, Any]:
        return {
            "heard": [ear.heard for ear in self._ears],
            "answered": [ear.answered for ear in self._ears],
            "buffer_ms": [leg.quality().buffer_ms for leg in self._legs],
            "lost": sum(leg.quality().packets_lost for leg in self._legs),
            "late": sum(leg.quality().packets_late for leg in self._legs),
            "lateness_ms": max(self._late_ms, self._plane.lateness_ms),
        }


def _tell(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Node().run())
