"""An operator's leg that is no browser: carried by nothing but a test, it hums one tone and keeps what it
hears."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import httpx

from ivr.server import Server
from ivr.web.book import Supervision
from media.codecs import PCMA
from media.leg import Cause, LegInfo, Party
from media.rtp import RtpPacket
from media.tones import Partial, tone
from tests.media.spectrum import tones_in
from webrtc.carried_leg import CarriedLeg

FRAMES = 30
"""What is listened to at a time: 600 ms."""


class Operator:
    """Joins by a token of the API, as a browser does."""

    def __init__(self, server: Server, api: httpx.AsyncClient, call_id: str, hz: int) -> None:
        self.url = f"/admin/calls/{call_id}/supervise"
        self._server = server
        self._api = api
        self._heard: list[bytes] = []
        pcm = tone([Partial(float(hz), 0.2)], 2000, 8000)
        encode = PCMA.new_encoder()
        self._voice = [encode(pcm[at : at + 320]) for at in range(0, len(pcm), 320)]
        self._humming: asyncio.Task[None] | None = None
        self.session_id = ""
        self.over: tuple[Cause, Party] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._humming is not None:
            self._humming.cancel()

    async def join(self, mode: str) -> None:
        told = (await self._api.post(self.url, json={"mode": mode})).json()
        session_id, wish = self._server.book.redeem(told["token"], time.time())
        assert isinstance(wish, Supervision)
        self.session_id = session_id
        info = LegInfo(session_id, "inbound", wish.operator, "", "web", {})
        self.leg = CarriedLeg(info, PCMA, self._server.plane, self, self._ended)
        self.leg.stream.begin(PCMA, 8, 101)
        self._humming = asyncio.create_task(self._hum())
        assert await self._server.supervise(self.leg, wish)

    async def change(self, mode: str) -> None:
        answer = await self._api.patch(f"{self.url}/{self.session_id}", json={"mode": mode})
        assert answer.status_code == 200, answer.text

    async def leave(self, *, gives_back: bool = False) -> None:
        query = {"return": "true"} if gives_back else {}
        answer = await self._api.delete(f"{self.url}/{self.session_id}", params=query)
        assert answer.status_code == 204, answer.text

    async def hears(self, *hz: int) -> None:
        """Waits until these tones, and no others, are what he hears."""
        await hears_only(self._heard, set(hz))

    def send_rtp(self, packet: bytes) -> None:
        self._heard.append(PCMA.new_decoder()(RtpPacket.parse(packet).payload))

    def send_rtcp(self, packet: bytes) -> None: ...

    def _ended(self, cause: Cause, by: Party) -> None:
        self.over = cause, by

    async def _hum(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(100_000):
            payload = self._voice[number % len(self._voice)]
            self.leg.stream.take(RtpPacket(8, number & 0xFFFF, number * 160, 7, payload).to_bytes())
            await asyncio.sleep(max(0.0, began + (number + 1) * 0.02 - loop.time()))


class Listener:
    """What somebody at a phone hears, however many tones that is."""

    def __init__(self, leg: Any) -> None:
        self._heard: list[bytes] = []
        leg.listen(self._heard.append)

    async def hears(self, *hz: int) -> None:
        await hears_only(self._heard, set(hz))


async def hears_only(heard: list[bytes], wanted: set[int], within_s: float = 30.0) -> None:
    """Waits until the last 600 ms have these tones, and no others."""
    found: set[int] = set()
    try:
        async with asyncio.timeout(within_s):
            at = len(heard)
            while True:
                await asyncio.sleep(0.02)
                if len(heard) >= at + FRAMES:
                    found = tones_in(b"".join(heard[-FRAMES:]), 8000)
                    if found == wanted:
                        return
    except TimeoutError:
        raise AssertionError(f"heard {sorted(found)}, not {sorted(wanted)}") from None
