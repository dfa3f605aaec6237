"""Offer and answer (RFC 3264) of one audio stream: both sides, early and late offer, hold and re-INVITE.

One `OfferAnswer` lives as long as a dialog. What was agreed stands in `negotiated`; an offer that fails (a
refused re-INVITE) is withdrawn, and what was agreed before holds on.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from media.codecs import FRAME_MS, Codec
from sip.sdp import Direction, MediaDescription, Origin, Rtpmap, SessionDescription, ip_of

TELEPHONE_EVENT: Final = 101
"""Payload type under which we offer telephone-event (RFC 4733); in an answer the offerer's number is used."""

PROTOCOLS: Final = frozenset({"RTP/AVP"})
"""Media transports that we speak."""


class IncompatibleMedia(Exception):
    """Nothing in the description can be agreed on (488 Not Acceptable Here); the text says why."""


class OfferPending(Exception):
    """An offer is still without its answer (491 Request Pending)."""


class NoOffer(Exception):
    """An answer came to no offer of ours."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on. `direction` is ours: `send` means that we may send.

    `payload_type` and `telephone_event` are the numbers that the remote side wants to receive.
    `remote_ptime_ms` is the packet length that it asks for, None when it does not say.
    """

    remote_address: str
    remote_port: int
    codec: Codec
    payload_type: int
    telephone_event: int | None
    direction: Direction
    remote_ptime_ms: int | None


class _Phase(Enum):
    NEW = auto()
    OFFERED = auto()  # we have offered and wait for the answer
    ANSWERED = auto()  # our last offer was answered
    ANSWERING = auto()  # we have answered the last offer


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What a withdrawn offer falls back to."""

    phase: _Phase
    local: SessionDescription | None
    wanted: Direction


class OfferAnswer:
    """The negotiation of one dialog.

    `codecs` is our preference, best first: it decides between what an offer contains, and is the order of our
    own. `local_address` is the IP written into `c=`, `session_id` the number in our `o=` line.
    """

    def __init__(self, local_address: str, local_port: int, codecs: Sequence[Codec], session_id: int) -> None:
        if not codecs:
            raise ValueError("at least one codec is needed")
        self._address: Final = local_address
        self._port: Final = local_port
        self._codecs: Final = tuple(codecs)
        self._session_id: Final = session_id
        self._phase = _Phase.NEW
        self._wanted = Direction.SENDRECV
        self._local: SessionDescription | None = None
        self._agreed: _Agreed | None = None
        self._negotiated: Negotiated | None = None

    @property
    def negotiated(self) -> Negotiated | None:
        """What was agreed last; None before the first answer."""
        return self._negotiated

    @property
    def offering(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return self._phase is _Phase.OFFERED

    @property
    def local(self) -> SessionDescription | None:
        """Our last description, to be repeated in a later provisional or final response."""
        return self._local

    def make_offer(self, direction: Direction | None = None) -> SessionDescription:
        """Our offer, for an INVITE, a re-INVITE, or the 200 to an INVITE without one.

        `direction` is what we want from here on (sendonly or inactive: hold); None keeps it. Raises
        `OfferPending`.
        """
        if self._phase is _Phase.OFFERED:
            raise OfferPending("our offer is still without an answer")
        self._agreed = _Agreed(self._phase, self._local, self._wanted)
        self._wanted = direction or self._wanted
        ours = self._audio(self._offered_formats(), self._wanted)
        media = [line.refused() for line in self._local.media] if self._local else []
        at = self._slot()
        media[at : at + 1] = [ours]
        self._phase = _Phase.OFFERED
        return self._describe(media)

    def repeat_offer(self) -> SessionDescription:
        """What we described last, unchanged, as an offer: it refreshes the session (RFC 4028 7.4).

        Raises `OfferPending`.
        """
        if self._local is None:
            return self.make_offer()
        if self._phase is _Phase.OFFERED:
            raise OfferPending("our offer is still without an answer")
        self._agreed = _Agreed(self._phase, self._local, self._wanted)
        self._phase = _Phase.OFFERED
        return self._local

    def fork(self) -> OfferAnswer:
        """The same state once more, for another party that may answer our offer (RFC 3261 13.2.2.4)."""
        return copy(self)

    def withdraw(self) -> None:
        """Our offer was refused, or never answered: what was agreed before holds on."""
        if self._phase is _Phase.OFFERED and self._agreed is not None:
            agreed = self._agreed
            self._phase, self._local, self._wanted = agreed.phase, agreed.local, agreed.wanted

    def receive_offer(self, sdp: SessionDescription) -> SessionDescription:
        """Answers an offer: the first audio stream that fits is accepted, the rest refused with port 0.

        The answer to an offer that changes nothing has the `o=` version it had before. Raises
        `IncompatibleMedia` (what was agreed before holds on) or `OfferPending`.
        """
        if self._phase is _Phase.OFFERED:
            raise OfferPending("our offer is still without an answer")
        at, choice = _first_fit(sdp, self._codecs)
        negotiated = choice.negotiated(self._wanted)
        audio = self._audio(choice.formats(), negotiated.direction)
        media = [line.refused() for line in sdp.media]
        media[at] = audio
        answer = self._describe(media)
        self._phase, self._negotiated = _Phase.ANSWERING, negotiated
        return answer

    def receive_answer(self, sdp: SessionDescription) -> Negotiated:
        """Takes the answer to our offer. A second answer to that offer (183, then 200) replaces the first.

        Raises `IncompatibleMedia` when the stream is refused or nothing fits, `NoOffer`.
        """
        if self._phase not in (_Phase.OFFERED, _Phase.ANSWERED):
            raise NoOffer("there is no offer that this could answer")
        at = self._slot()
        if at >= len(sdp.media):
            raise IncompatibleMedia("the answer leaves out our audio stream")
        choice = _fit(sdp, sdp.media[at], self._codecs, theirs_first=True)
        self._negotiated = choice.negotiated(self._wanted)
        self._phase = _Phase.ANSWERED
        return self._negotiated

    def _slot(self) -> int:
        """Index of our audio line; lines keep their place for the life of the dialog (RFC 3264 section 8)."""
        if self._local is None:
            return 0
        return next((at for at, line in enumerate(self._local.media) if line.port), 0)

    def _offered_formats(self) -> list[Rtpmap]:
        """What we offer: what is agreed stays first and keeps its numbers (RFC 3264 section 8.3.2)."""
        held = self._negotiated
        codecs = sorted(self._codecs, key=lambda codec: held is None or codec is not held.codec)
        formats = [Rtpmap(codec.payload_type, codec.name, codec.clock_rate) for codec in codecs]
        event = held.telephone_event if held and held.telephone_event is not None else TELEPHONE_EVENT
        if any(event == m.payload_type for m in formats):
            event = TELEPHONE_EVENT
        return [*formats, Rtpmap(event, _EVENT, codecs[0].clock_rate)]

    def _audio(self, formats: Sequence[Rtpmap], direction: Direction) -> MediaDescription:
        attributes: list[tuple[str, str | None]] = []
        for rtpmap in formats:
            attributes.append(("rtpmap", f"{rtpmap.payload_type} {rtpmap.encoding}/{rtpmap.clock_rate}"))
            if rtpmap.encoding == _EVENT:
                attributes.append(("fmtp", f"{rtpmap.payload_type} 0-15"))
        attributes += [("ptime", str(FRAME_MS)), (direction.value, None)]
        numbers = tuple(str(rtpmap.payload_type) for rtpmap in formats)
        return MediaDescription("audio", self._port, "RTP/AVP", numbers, tuple(attributes))

    def _describe(self, media: Sequence[MediaDescription]) -> SessionDescription:
        """Our next description; the version goes up when it says something new (RFC 3264 section 8)."""
        version = int(self._local.origin.version) if self._local else self._session_id
        origin = Origin("-", str(self._session_id), str(version), self._address)
        described = SessionDescription(origin, tuple(media), self._address)
        if self._local is not None and described != self._local:
            described = replace(described, origin=replace(origin, version=str(version + 1)))
        self._local = described
        return described


_EVENT: Final = "telephone-event"


@dataclass(frozen=True, slots=True)
class _Choice:
    """The part of a remote audio stream that we can use."""

    address: str
    port: int
    codec: Codec
    audio: Rtpmap
    event: Rtpmap | None
    direction: Direction
    ptime_ms: int | None

    def formats(self) -> list[Rtpmap]:
        return [self.audio] if self.event is None else [self.audio, self.event]

    def negotiated(self, wanted: Direction) -> Negotiated:
        return Negotiated(
            self.address,
            self.port,
            self.codec,
            self.audio.payload_type,
            self.event.payload_type if self.event else None,
            self.direction.reversed & wanted,
            self.ptime_ms,
        )


def _first_fit(sdp: SessionDescription, codecs: Sequence[Codec]) -> tuple[int, _Choice]:
    reasons: list[str] = []
    for at, media in enumerate(sdp.media):
        try:
            return at, _fit(sdp, media, codecs)
        except IncompatibleMedia as error:
            reasons.append(str(error))
    raise IncompatibleMedia("; ".join(reasons) or "the description has no media")


def _fit(
    sdp: SessionDescription, media: MediaDescription, codecs: Sequence[Codec], *, theirs_first: bool = False
) -> _Choice:
    """What of this media line we can use; `theirs_first` lets the remote order decide (their answer)."""
    if media.kind != "audio":
        raise IncompatibleMedia(f"{media.kind[:20]}: only audio is spoken here")
    if media.port == 0:
        raise IncompatibleMedia("audio: refused with port 0")
    if media.protocol not in PROTOCOLS:
        raise IncompatibleMedia(
            f"audio: {media.protocol[:20]} is not spoken here, only {', '.join(PROTOCOLS)}"
        )
    ip = ip_of(sdp.address_of(media))
    if ip is None or ip.is_multicast:
        raise IncompatibleMedia("audio: no unicast IP address to send to")
    maps = media.rtpmaps
    pairs = [(codec, m) for codec in codecs for m in maps if m.matches(codec.name, codec.clock_rate)]
    if not pairs:
        names = ", ".join(m.encoding[:20] for m in maps if m.encoding.lower() != _EVENT) or "none"
        ours = ", ".join(codec.name for codec in codecs)
        raise IncompatibleMedia(f"audio: no common codec (offered: {names[:100]}; spoken here: {ours})")
    codec, audio = min(pairs, key=lambda pair: maps.index(pair[1])) if theirs_first else pairs[0]
    event = next((m for m in maps if m.matches(_EVENT, audio.clock_rate)), None)
    event = replace(event, encoding=_EVENT) if event else None
    direction = sdp.direction_of(media)
    if ip.is_unspecified:
        # The hold of RFC 2543: nobody can be sent to.
        direction = direction & Direction.SENDONLY
    return _Choice(str(ip), media.port, codec, audio, event, direction, media.ptime_ms)
