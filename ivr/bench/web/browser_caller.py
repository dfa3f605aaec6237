"""One browser of a load generator, lean enough for many in a process: ICE and DTLS by aioice and aiortc, its
media made once and sent as it is."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Final

from aioice import Candidate, Connection
from aiortc import RTCCertificate

from media.codecs import FRAME_MS
from media.opus import CLOCK_RATE
from media.rtp import SEQUENCE_MASK, TIMESTAMP_MASK
from webrtc.description import parse_offer
from webrtc.dtls import DtlsSrtp, fingerprints_of
from webrtc.ice import Path

PAYLOAD_TYPE: Final = 111
_HEADER: Final = struct.Struct("!BBHII")
_STEP: Final = CLOCK_RATE * FRAME_MS // 1000
_CONNECT_S: Final = 20.0


class _Way(Connection):
    """Controls, on loopback alone."""

    def __init__(self) -> None:
        super().__init__(ice_controlling=True)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        return await super().get_component_candidates(component, ["127.0.0.1"], timeout)


class _FarPath(Path):
    """The caller's side of a way, as DTLS wants it."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        self._records: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, data: bytes) -> None:
        pair = self._way._nominated.get(1)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)

    def put(self, record: bytes) -> None:
        self._records.put_nowait(record)

    async def _recv(self) -> bytes:
        return await self._records.get()


class BrowserCaller:
    """`beeps` are the times (ns) of the first packet of each beep, `answers` those of the server's."""

    def __init__(self, number: int, frames: list[bytes], beep: int, answer: bytes) -> None:
        """`frames` are sent again and again, the beep begins at frame `beep`; `answer` is the first payload
        of the server's beep."""
        self.beeps: list[int] = []
        self.answers: list[int] = []
        self.received = 0
        self._frames = frames
        self._beep = beep
        self._answer = answer
        self._at = 0
        self._ssrc = 0x1000 + number
        self._way = _Way()
        self._path = _FarPath(self._way)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = DtlsSrtp(self._path, self._certificate, self._hear, lambda report: None)
        self._reading: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        await self._way.gather_candidates()
        (print_,) = fingerprints_of(self._certificate)
        candidates = "".join(f"a=candidate:{c.to_sdp()}\r\n" for c in self._way.local_candidates)
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
            f"m=audio 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE} 110\r\nc=IN IP4 0.0.0.0\r\n"
            f"a=ice-ufrag:{self._way.local_username}\r\na=ice-pwd:{self._way.local_password}\r\n"
            f"a=fingerprint:{print_.algorithm} {print_.value}\r\na=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\n"
            f"a=rtpmap:{PAYLOAD_TYPE} opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=sendrecv\r\n"
            f"{candidates}a=end-of-candidates\r\n"
        )

    async def connect(self, answer: str) -> None:
        """Raises ConnectionError, TimeoutError."""
        described = parse_offer(answer)  # read alike
        self._way.remote_username = described.ice.ufrag
        self._way.remote_password = described.ice.password
        for line in described.candidates:
            await self._way.add_remote_candidate(Candidate.from_sdp(line.removeprefix("candidate:")))
        await self._way.add_remote_candidate(None)
        async with asyncio.timeout(_CONNECT_S):
            await self._way.connect()
            self._reading = asyncio.create_task(self._read())
            await self._dtls.secure(described.fingerprints, "passive")

    def send(self) -> None:
        """The next packet."""
        at = self._at
        self._at = at + 1
        place = at % len(self._frames)
        if place == self._beep:
            self.beeps.append(time.monotonic_ns())
        sequence, timestamp = at & SEQUENCE_MASK, at * _STEP & TIMESTAMP_MASK
        self._dtls.send_rtp(
            _HEADER.pack(0x80, PAYLOAD_TYPE, sequence, timestamp, self._ssrc) + self._frames[place]
        )

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._dtls.stop()
        await self._way.close()

    async def _read(self) -> None:
        while True:
            data = await self._way.recv()
            if data[0] >= 128:
                self._dtls.take_media(data)
            else:
                self._path.put(data)

    def _hear(self, packet: bytes) -> None:
        self.received += 1
        if packet[12:] == self._answer:
            self.answers.append(time.monotonic_ns())
