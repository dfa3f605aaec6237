"""The phone: the server's own SIP stack and media, with one person's wishes instead of flows."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from engines.contract import Synthesizer
from engines.tts.espeak import EspeakSynthesizer
from ivr.phone.calling import Manner, NothingHeard, PhoneCall
from ivr.phone.timeline import Timeline
from ivr.phone.wire import WatchedPorts
from media.codecs import Codec
from media.leg import AudioTap, CallLeg, Cause
from media.plane import RtpPlane
from media.recorder import RecordingEnd, RecordingWriter
from sip.stack import BadNumber, OutboundCall
from sip.tolls import ANY_HOST
from sip.trunks import Trunk
from sip.uri import Uri, UriError
from sip.user_agent import UserAgent

_TRUNK: Final = "phone"
_ANYBODY: Final = ("0.0.0.0/0", "::/0")
_REST_S: Final = 1.0
_MEDIA_TIMEOUT_S: Final = 20.0
_RECORDING_S: Final = 5.0


class NoPhone(Exception):
    """The phone cannot be used as asked: a bad address, or one that cannot be bound."""


def local_address(uri: str | None) -> str:
    """The address of ours that reaches a SIP URI; the loopback one without a URI. Sends nothing."""
    if uri is None:
        return "127.0.0.1"
    try:
        host = Uri.parse(uri).host
        family, kind, _, _, remote = socket.getaddrinfo(host, 5060, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(remote)
            address: str = probe.getsockname()[0]
    except (UriError, OSError) as error:
        raise NoPhone(f"{uri}: {error}") from error
    return f"[{address}]" if ":" in address else address


@contextlib.asynccontextmanager
async def open_phone(
    *,
    listen: str = "udp:127.0.0.1:0",
    language: str = "hi",
    record: Path | None = None,
    timeline: Timeline,
    refer_to: tuple[str, ...] = (),
) -> AsyncIterator[Phone]:
    """A phone that listens at `listen` (`udp:ADDRESS:PORT`, and TCP beside it); raises `NoPhone`.

    `record` is the WAV file of the calls' audio: left what is heard, right what is said. `refer_to` are the
    hosts and numbers that it lets itself be transferred to (`sip.trunks.Trunk`).
    """
    phone = Phone(listen, language, record, timeline, refer_to)
    try:
        await phone.start()
        yield phone
    finally:
        await phone.close()


class Phone:
    """One call at a time; made by `open_phone`."""

    def __init__(
        self,
        listen: str,
        language: str,
        record: Path | None,
        timeline: Timeline,
        refer_to: tuple[str, ...],
    ) -> None:
        transport, _, rest = listen.partition(":")
        address = rest.rpartition(":")[0].strip("[]")
        self.recorded: Path | None = None
        self._timeline = timeline
        self._language = language
        self._record = record
        try:
            self._ports = WatchedPorts(0, 0, _REST_S, address)
            self._plane = RtpPlane(self._ports, timeout_s=_MEDIA_TIMEOUT_S, address=address)
            self._agent = UserAgent(
                listen=[listen] if transport == "tcp" else [listen, f"tcp:{rest.rpartition(':')[0]}:0"],
                advertise=None,
                trunks={_TRUNK: Trunk(allow=_ANYBODY, destinations=(ANY_HOST,), refer_to=refer_to)},
                plane=self._plane,
                admit=lambda: None,
                on_incoming=self._on_incoming,
                user_agent="ivr-phone",
            )
        except ValueError as error:
            raise NoPhone(str(error)) from error
        self._recorder = RecordingWriter()
        self._recording_over = asyncio.Event()
        self._recording_over.set()
        self._voice: EspeakSynthesizer | None = None
        self._incoming: asyncio.Queue[CallLeg] = asyncio.Queue()
        self._call: PhoneCall | None = None

    @property
    def address(self) -> str:
        """The SIP URI that calls this phone."""
        _, _, address = self._agent.addresses()[0].partition(":")
        return f"sip:phone@{address}"

    async def start(self) -> None:
        await self._plane.start()
        await self._recorder.start()
        try:
            await self._agent.start()
        except OSError as error:
            raise NoPhone(f"cannot listen: {error}") from error

    async def close(self) -> None:
        """Ends the call and closes everything."""
        if self._call is not None:
            await self._call.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._recording_over.wait(), _RECORDING_S)
        await self._agent.close()
        await self._recorder.close()
        await self._plane.close()
        if self._voice is not None:
            await self._voice.close()

    async def call(self, uri: str) -> PhoneCall:
        """Calls a SIP URI; what becomes of it the `PhoneCall` tells. Raises `NoPhone`."""
        self._timeline.note("phone", f"calls {uri}")
        try:
            leg = await self._agent.call(OutboundCall(to=uri, trunk=_TRUNK, caller_id="phone"))
        except BadNumber as error:
            raise NoPhone(str(error)) from error
        return self._take(leg)

    async def answer(self, within_s: float) -> PhoneCall:
        """Waits for a call, and answers it; raises `NothingHeard` when none comes."""
        try:
            leg = await asyncio.wait_for(self._incoming.get(), within_s)
        except TimeoutError:
            raise NothingHeard(f"nobody called within {within_s:g} s") from None
        self._timeline.note("phone", f"called by {leg.info.caller}")
        call = self._take(leg)
        await leg.answer()
        return call

    async def refuse(self, cause: Cause, within_s: float) -> None:
        """Waits for a call, and refuses it; raises `NothingHeard` when none comes."""
        try:
            leg = await asyncio.wait_for(self._incoming.get(), within_s)
        except TimeoutError:
            raise NothingHeard(f"nobody called within {within_s:g} s") from None
        self._timeline.note("phone", f"refuses {leg.info.caller}")
        await leg.reject(cause)

    async def speaker(self) -> Synthesizer:
        """The embedded voice, started at its first use."""
        if self._voice is None:
            self._voice = EspeakSynthesizer()
            await self._voice.start()
        return self._voice

    def _take(self, leg: CallLeg) -> PhoneCall:
        manner = Manner(self._language, self.speaker, self._open_recording if self._record else None)
        self._call = PhoneCall(leg, self._timeline, manner, lambda: self._ports.log)
        return self._call

    def _on_incoming(self, leg: CallLeg) -> None:
        if self._call is not None and self._call.ended is None:
            self._refusal = asyncio.create_task(leg.reject(Cause.BUSY))
        else:
            self._incoming.put_nowait(leg)

    def _open_recording(self, codec: Codec) -> AudioTap:
        assert self._record is not None
        self._recording_over.clear()
        return self._recorder.open(self._record, codec, self._on_recorded)

    def _on_recorded(self, end: RecordingEnd) -> None:
        self._recording_over.set()
        if end.fault:
            self._timeline.note("phone", f"the recording stopped: {end.fault}")
        else:
            self.recorded = end.path
