"""A browser of the tests' own: aiortc makes the connection, and calls by the API as a page does."""

from __future__ import annotations

import asyncio
import fractions
import json
import struct
import time
from types import TracebackType
from typing import Any, Final

import av
import httpx
import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

WAIT_S: Final = 30.0
RATE: Final = 48_000
EVENT_TYPE: Final = 110
_FRAME: Final = RATE // 50


class Microphone(MediaStreamTrack):
    """Silence, or what is `said`: 16-bit mono PCM at 48 kHz."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._said = bytearray()
        self._at = 0
        self._began: float | None = None

    def say(self, pcm: bytes) -> None:
        self._said += pcm

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        wait_s = self._began + self._at / RATE - loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        pcm = bytes(self._said[: _FRAME * 2]).ljust(_FRAME * 2, b"\0")
        del self._said[: _FRAME * 2]
        frame = av.AudioFrame(format="s16", layout="mono", samples=_FRAME)
        frame.planes[0].update(pcm)
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, fractions.Fraction(1, RATE)
        self._at += _FRAME
        return frame


class WebPhone:
    """One page. `heard` are frames of what the server said, 48 kHz mono; `told` its events."""

    def __init__(
        self,
        api: httpx.AsyncClient,
        ice_servers: list[dict[str, Any]] | None = None,
        *,
        events: bool = False,
        relay: bool = False,
    ) -> None:
        """With `events` it offers telephone-event, which aiortc does not know: `send_event` makes them. With
        `relay` it goes through TURN alone."""
        self.api = api
        self.microphone = Microphone()
        self.heard: list[np.ndarray[Any, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.session: dict[str, Any] = {}
        self.begun: dict[str, Any] = {}
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        servers = [RTCIceServer(**server) for server in ice_servers or []]
        policy = RTCIceTransportPolicy.RELAY if relay else RTCIceTransportPolicy.ALL
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=policy))
        self._events = events
        self.pc.addTrack(self.microphone)
        self.channel: RTCDataChannel = self.pc.createDataChannel("ivr")
        self.channel.on("message", self._hear_message)
        self.pc.on("track", self._hear_track)

    async def __aenter__(self) -> WebPhone:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        sdp: str = self.pc.localDescription.sdp
        if self._events:
            event = f"a=rtpmap:{EVENT_TYPE} telephone-event/48000\r\n"
            sdp = sdp.replace("SAVPF 96 ", f"SAVPF 96 {EVENT_TYPE} ").replace(
                "a=rtpmap:96", f"{event}a=rtpmap:96"
            )
        return sdp

    async def call(self, flow: str, params: dict[str, Any], language: str | None = None) -> None:
        """A whole beginning, as a page's server and the page do it together."""
        body = {"flow": flow, "params": params, "language": language}
        answer = await self.api.post("/api/voice/sessions", json=body)
        assert answer.status_code == 201, answer.text
        self.session = answer.json()
        await self.start(self.session["token"])

    async def start(self, token: str) -> None:
        answer = await self.api.post(
            "/api/voice/stream/start",
            json={"type": "offer", "sdp": await self.offer()},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 201, answer.text
        self.begun = answer.json()
        await self.accept(self.begun["sdp"])

    async def renew(self) -> int:
        """Goes on with the call of `begun`: the status of the answer."""
        offer = {"type": "offer", "sdp": await self.offer()}
        answer = await self.api.patch(self.path, json=offer, headers=self.secret)
        if answer.status_code == 200:
            await self.accept(answer.json()["sdp"])
        return answer.status_code

    async def trickle(self, candidates: list[str | None]) -> int:
        """The status of the answer."""
        sent = [None if line is None else {"candidate": line, "sdpMLineIndex": 0} for line in candidates]
        answer = await self.api.patch(self.path, json={"candidates": sent}, headers=self.secret)
        return answer.status_code

    async def ask(self) -> list[str | None]:
        """The server's candidates that were not told yet; None at the end."""
        answer = await self.api.patch(self.path, json={"candidates": []}, headers=self.secret)
        assert answer.status_code == 200, answer.text
        return [None if told is None else told["candidate"] for told in answer.json()["candidates"]]

    async def send_event(self, key: str) -> None:
        """A key of 100 ms by telephone-event (RFC 4733), as a browser's `insertDTMF` sends it."""
        (transceiver,) = self.pc.getTransceivers()
        transport, sequence, timestamp = transceiver.sender.transport, 100, 4711
        for step in range(1, 8):
            duration, end = min(step, 5) * 960, step > 4
            payload = bytes([int(key), 0x80 | 10 if end else 10]) + duration.to_bytes(2, "big")
            second = EVENT_TYPE | (0x80 if step == 1 else 0)
            header = struct.pack(">BBHII", 0x80, second, sequence + step, timestamp, 0xABCD)
            await transport._send_rtp(header + payload)

    async def accept(self, sdp: str) -> None:
        sdp = sdp.replace(f"SAVPF 96 {EVENT_TYPE}", "SAVPF 96")
        sdp = "".join(f"{line}\r\n" for line in sdp.splitlines() if f":{EVENT_TYPE} " not in line)
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    @property
    def path(self) -> str:
        return f"/api/voice/stream/{self.begun['session_id']}"

    @property
    def secret(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.begun['secret']}"}

    def press(self, key: str) -> None:
        self.channel.send(json.dumps({"type": "key", "key": key}))

    async def hang_up(self) -> int:
        return (await self.api.delete(self.path, headers=self.secret)).status_code

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next event of that kind with those fields; those before it are gone."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self.told:
                    event = self.told.pop(0)
                    if event["type"] == kind and all(
                        event.get(name) == value for name, value in fields.items()
                    ):
                        return event
                self._news.clear()
                await self._news.wait()

    async def until_heard(self, peak: int = 1000) -> float:
        """Until something louder comes; gives when."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self.heard:
                    if np.abs(self.heard.pop(0)).max() > peak:
                        return time.monotonic()
                self._news.clear()
                await self._news.wait()

    async def hears(self, hz: int) -> None:
        """Until there is such a tone, the loudest of what is heard, for half a second."""
        async with asyncio.timeout(WAIT_S):
            while True:
                if len(self.heard) >= 25:
                    samples = np.concatenate(self.heard[-25:]).astype(float)
                    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
                    loudest = np.argmax(spectrum) * RATE / len(samples)
                    if abs(loudest - hz) < 20 and np.abs(samples).max() > 1000:
                        return
                self._news.clear()
                await self._news.wait()

    async def until_open(self) -> None:
        if self.channel.readyState != "open":
            opened = asyncio.Event()
            self.channel.on("open", opened.set)
            async with asyncio.timeout(WAIT_S):
                await opened.wait()

    async def close(self) -> None:
        """The page is gone, without a word to the server's API."""
        self.microphone.stop()
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hear_message(self, text: str) -> None:
        self.told.append(json.loads(text))
        self._news.set()

    def _hear_track(self, track: MediaStreamTrack) -> None:
        task = asyncio.create_task(self._listen(track))
        self._tasks.add(task)

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                samples = frame.to_ndarray().reshape(-1)
                self.heard.append(samples[:: len(frame.layout.channels)])
                self._news.set()
        except MediaStreamError:
            return
