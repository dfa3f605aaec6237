"""The contract between a transport and everything above it.

A *leg* is one party of a call, however it is connected: SIP, WebRTC, a WebSocket, or a simulator. The call
session, the flows and the engines see only what stands here. One vocabulary serves all legs: ring, answer,
play, stop, listen, record, transfer, hold, hang up.

Times (`at`) are seconds of the event loop's monotonic clock (`loop.time()`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from media.clip import Clip
from media.codecs import Codec

Direction = Literal["inbound", "outbound"]
Party = Literal["caller", "callee", "us"]

FrameSink = Callable[[bytes], None]
"""Takes one 20 ms frame of mono 16-bit little-endian PCM at the leg's `sample_rate`. Must return at once.

In order and without holes, each as soon as it is here: not evenly, and several at once behind one that was
late."""


class Cause(Enum):
    """Why a leg ended. `media_timeout` is a caller who vanished without a BYE, `limit` a call that lasted as
    long as it may, `elsewhere` one that somebody else has taken."""

    NORMAL = "normal"
    CANCELLED = "cancelled"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    NO_CAPACITY = "no_capacity"
    INCOMPATIBLE_MEDIA = "incompatible_media"
    MEDIA_TIMEOUT = "media_timeout"
    LIMIT = "limit"
    ANSWERING_MACHINE = "answering_machine"
    TRANSFERRED = "transferred"
    ELSEWHERE = "elsewhere"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far end alerts (180), or sends early media (183 with a body)."""

    at: float
    early_media: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """Media flows in both directions from here on."""

    at: float


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed; sent at the first packet of the key's event, once per press."""

    at: float
    key: str  # one of 0-9 * # A-D


@dataclass(frozen=True, slots=True)
class Began:
    """The first packet of the clip queued under `mark` has been sent; `Played` or `Stopped` follows."""

    at: float
    mark: str


@dataclass(frozen=True, slots=True)
class Played:
    """The last packet of the clip queued under `mark` has been sent."""

    at: float
    mark: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The clip queued under `mark` was cut off after `sample` samples of it had been sent (0: it never
    began)."""

    at: float
    mark: str
    sample: int


@dataclass(frozen=True, slots=True)
class Held:
    """The far end put us on hold (`on`), or took us back."""

    at: float
    on: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """Somebody else is at the far end now, after a transfer; the leg goes on as it was. `party` is the number
    or address of who came."""

    at: float
    party: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The leg is over; always the last event, sent exactly once.

    `code` is the SIP status or None, `reason` the far end's own words (RFC 3326), as
    `Q.850;cause=16 Normal call clearing`.
    """

    at: float
    cause: Cause
    by: Party
    code: int | None = None
    reason: str | None = None


LegEvent = Ringing | Answered | Digit | Began | Played | Stopped | Held | Replaced | HungUp


class TransferOutcome(Enum):
    DONE = "done"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Quality:
    """What the network did to the media of one leg so far.

    `rtt_ms` is None until an RTCP round trip was seen. `buffer_ms` is how long the jitter buffer holds
    packets. `mos` is what the far end's voice was worth here (1 to 4.5, ITU-T G.107), None before the first
    packet; `remote_mos` the same of ours there, by its RTCP reports.
    """

    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    jitter_ms: float = 0.0
    remote_lost: int = 0
    remote_jitter_ms: float = 0.0
    rtt_ms: float | None = None
    buffer_ms: float = 0.0
    mos: float | None = None
    remote_mos: float | None = None


@dataclass(frozen=True, slots=True)
class LegInfo:
    """Who is on the leg. Numbers are as normalised by the trunk; `headers` are the transport's own (X-...,
    PAI).

    `diverted_from` is the number that sent the call on to us, `privacy` that the caller wants his own number
    kept from others.
    """

    id: str
    direction: Direction
    caller: str
    called: str
    trunk: str
    headers: Mapping[str, str]
    diverted_from: str | None = None
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """What is being played: the mark it was queued under, and how many samples of it have been sent."""

    mark: str
    sample: int


class AudioTap(Protocol):
    """Both directions of a leg as wire payloads, for a recorder. Must return at once."""

    def received(self, payload: bytes, sample: int) -> None:
        """Takes what the far end said, as it arrives (perhaps out of order); `sample` counts from the answer,
        at the codec's sample rate."""

    def sent(self, payload: bytes, sample: int) -> None:
        """Takes what we sent; silence between talkspurts is not passed on, `sample` shows the gap."""

    def close(self) -> None:
        """The leg is over."""


class CallLeg(Protocol):
    """One party of a call.

    Every method may be called in every state; what makes no sense any more (play on an ended leg) does
    nothing, so that a hang-up can come at any moment. `next_event` gives `HungUp` exactly once, last.
    """

    @property
    def info(self) -> LegInfo: ...

    @property
    def codec(self) -> Codec:
        """What is spoken on the wire; only fixed once answered (or in early media)."""

    @property
    def sample_rate(self) -> int:
        """Rate in Hz of the frames given to a listener."""

    async def next_event(self) -> LegEvent:
        """Waits for the next event; cancelling the wait loses none."""

    async def ring(self) -> None:
        """Inbound: tells the caller that we are alerting."""

    async def progress(self) -> None:
        """Inbound: media flows to the caller before the answer, as far as its network lets it through."""

    async def answer(self) -> None:
        """Inbound: accepts the call; media (silence at first) flows when this returns."""

    async def reject(self, cause: Cause, retry_after_s: int | None = None) -> None:
        """Inbound, before `answer`: refuses the call."""

    async def hang_up(self, cause: Cause = Cause.NORMAL) -> None:
        """Ends the call in whatever state it is (CANCEL, BYE or a refusal); returns without waiting for the
        far end."""

    def play(self, clip: Clip, mark: str) -> None:
        """Queues a clip behind those already queued; it may still be growing. `Began`, then `Played` or
        `Stopped` names the mark."""

    def stop(self) -> None:
        """Drops what is playing and queued, at the next packet; each dropped mark gives a `Stopped`."""

    def duck(self, on: bool) -> None:
        """What is played is 12 dB softer from the next packet on, until it is not, or `stop`."""

    def pause(self) -> None:
        """Sends silence in place of what is played and queued, from the next packet on, until `resume` or
        `stop`."""

    def resume(self, back_ms: int) -> None:
        """Goes on with what was paused, from the beginning of the word that was broken off, as far as that
        lies within so many milliseconds. Nothing where nothing is paused."""

    def position(self) -> Position | None:
        """Where in what is queued we are; None when nothing is."""

    def just_sent(self, ms: int) -> bytes:
        """What was sent last, silence included, at most so long (and at most 1.5 s, since somebody listens):
        16-bit PCM at `sample_rate`, its end at the frame that was given to the listener last."""

    def listen(self, sink: FrameSink | None) -> None:
        """Sends each received frame, de-jittered and concealed, to `sink`; None stops it (and the
        decoding)."""

    def record(self, tap: AudioTap | None) -> None:
        """Sends both directions to a recorder."""

    def send_digits(self, keys: str) -> None:
        """Sends keys (RFC 4733), in order, 100 ms each with 60 ms between."""

    def bridge(self, other: CallLeg) -> bool:
        """Connects the far ends of two answered legs: each hears the other, whenever nothing is played to it,
        and keys pass. Lasts until `part` or the end of either. False when they cannot be connected: one is
        over, or their transports do not know each other."""

    def part(self) -> None:
        """Ends the bridge; both legs go on."""

    def overhear(self, other: CallLeg | None) -> bool:
        """Lets the far end of this leg hear both directions of another, and be heard by nobody; None: not any
        more. Lasts until `bridge` or the end of either. False where it cannot be, as with `bridge`."""

    def whisper(self, other: CallLeg | None) -> bool:
        """Lets who is at the far end of the other leg, and nobody else, hear this one beside what he hears
        anyway; None: not any more. As `overhear` otherwise."""

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        """Blind transfer; returns when the far end told how it went, at the latest after `wait_s`."""

    async def transfer_to(self, other: CallLeg, wait_s: float) -> TransferOutcome:
        """Attended transfer: connects the far end with that of `other`, a leg of the same transport; both
        legs end when it was done."""

    async def hold(self, on: bool) -> bool:
        """Puts the far end on hold, or takes it back; False when it refused, and all is as it was."""

    def quality(self) -> Quality: ...
