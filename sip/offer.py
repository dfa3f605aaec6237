"""Offer and answer (RFC 3264) of one audio stream: both sides, early and late offer, hold and re-INVITE.

One `OfferAnswer` lives as long as a dialog. What was agreed stands in `negotiated`; an offer that fails (a
refused re-INVITE) is withdrawn, and what was agreed before holds on.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum, auto
from secrets import token_bytes
from typing import Final

from media.codecs import FRAME_MS, Codec
from media.keys import MasterKey, Security
from media.source import Address
from sip.crypto import Crypto, Random, Srtp, fresh, fresh_lines, usable
from sip.fitting import (
    COMFORT_NOISE,
    TELEPHONE_EVENT,
    Choice,
    IncompatibleMedia,
    Terms,
    fit_answer,
    fit_offer,
)
from sip.sdp import Direction, MediaDescription, Origin, Rtpmap, SessionDescription

__all__ = ["IncompatibleMedia", "Negotiated", "NoOffer", "OfferAnswer", "OfferPending"]

EVENT_TYPE: Final = 101
"""Payload type under which we offer telephone-event (RFC 4733); in an answer the offerer's number is used."""

NOISE_TYPE: Final = 13
"""That of comfort noise (RFC 3389)."""


class OfferPending(Exception):
    """An offer is still without its answer (491 Request Pending)."""


class NoOffer(Exception):
    """An answer came to no offer of ours."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on. `direction` is ours: `send` means that we may send.

    `payload_type`, `telephone_event` and `comfort_noise` are the numbers that the remote side wants to
    receive. `remote_ptime_ms` is the packet length that it asks for, in steps of 10 from 10 to 60, None when
    it does not say. `remote_rtcp` is where it wants RTCP, when that is not the port after its RTP. Without
    `security` the media is plain RTP.
    """

    remote_address: str
    remote_port: int
    codec: Codec
    payload_type: int
    telephone_event: int | None
    direction: Direction
    remote_ptime_ms: int | None
    comfort_noise: int | None = None
    remote_rtcp: Address | None = None
    security: Security | None = None


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
    own. `local_address` is the IP written into `c=`, `session_id` the number in our `o=` line. `srtp` says
    whether media may or must be encrypted; our keys come from `random`, new for each call, and stay as long
    as what they encrypt is agreed on. `wanted` is the direction to begin with.
    """

    def __init__(
        self,
        local_address: str,
        local_port: int,
        codecs: Sequence[Codec],
        session_id: int,
        srtp: Srtp = "refused",
        random: Random = token_bytes,
        wanted: Direction = Direction.SENDRECV,
    ) -> None:
        if not codecs:
            raise ValueError("at least one codec is needed")
        self._address: Final = local_address
        self._port: Final = local_port
        self._terms: Final = Terms(tuple(codecs), srtp, ":" in local_address)
        self._session_id: Final = session_id
        self._random: Final = random
        self._protocol = "RTP/SAVP" if srtp == "required" else "RTP/AVP"
        self._crypto: Crypto | None = None
        self._phase = _Phase.NEW
        self._wanted = wanted
        self._local: SessionDescription | None = None
        self._agreed: _Agreed | None = None
        self._negotiated: Negotiated | None = None

    @property
    def wanted(self) -> Direction:
        """What we want, whatever the far end lets us: sendonly while we hold it."""
        return self._wanted

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
        ours = self._audio(self._protocol, self._offered_formats(), self._wanted, self._offered_keys())
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
        at, choice = fit_offer(sdp, self._terms)
        ours = (
            None if choice.crypto is None else Crypto(choice.crypto.tag, self._answering_key(choice.crypto))
        )
        negotiated = _negotiated(choice, self._wanted, ours)
        keys = () if ours is None else (ours,)
        media = [line.refused() for line in sdp.media]
        media[at] = self._audio(choice.protocol, choice.formats(), negotiated.direction, keys)
        answer = self._describe(media)
        self._phase = _Phase.ANSWERING
        self._agree(negotiated, choice, ours)
        return answer

    def receive_answer(self, sdp: SessionDescription) -> Negotiated:
        """Takes the answer to our offer. A second answer to that offer (183, then 200) replaces the first.

        Raises `IncompatibleMedia` when the stream is refused or nothing fits, `NoOffer`.
        """
        if self._phase not in (_Phase.OFFERED, _Phase.ANSWERED):
            raise NoOffer("there is no offer that this could answer")
        at = self._slot()
        offered, _ = usable(self._local.media[at].values("crypto") if self._local else ())
        choice = fit_answer(sdp, at, self._terms, offered)
        tag = None if choice.crypto is None else choice.crypto.tag
        ours = next((crypto for crypto in offered if crypto.tag == tag), None)
        negotiated = _negotiated(choice, self._wanted, ours)
        self._phase = _Phase.ANSWERED
        self._agree(negotiated, choice, ours)
        return negotiated

    def _agree(self, negotiated: Negotiated, choice: Choice, ours: Crypto | None) -> None:
        self._negotiated, self._protocol, self._crypto = negotiated, choice.protocol, ours

    def _slot(self) -> int:
        """Index of our audio line; lines keep their place for the life of the dialog (RFC 3264 section 8)."""
        if self._local is None:
            return 0
        return next((at for at, line in enumerate(self._local.media) if line.port), 0)

    def _offered_formats(self) -> list[Rtpmap]:
        """What we offer: what is agreed stays first and keeps its numbers (RFC 3264 section 8.3.2)."""
        held = self._negotiated
        codecs = sorted(self._terms.codecs, key=lambda codec: held is None or codec is not held.codec)
        formats = [Rtpmap(codec.payload_type, codec.name, codec.clock_rate) for codec in codecs]
        helpers = (
            (COMFORT_NOISE, held.comfort_noise if held else None, NOISE_TYPE),
            (TELEPHONE_EVENT, held.telephone_event if held else None, EVENT_TYPE),
        )
        for encoding, number, usual in helpers:
            taken = number is None or any(number == m.payload_type for m in formats)
            formats.append(
                Rtpmap(usual if number is None or taken else number, encoding, codecs[0].clock_rate)
            )
        return formats

    def _offered_keys(self) -> tuple[Crypto, ...]:
        """Once media flows it stays as it is, plain or with our key; the far end may offer something else."""
        if self._terms.srtp == "refused":
            return ()
        if self._negotiated is None:
            return fresh_lines(self._random)
        return () if self._crypto is None else (self._crypto,)

    def _answering_key(self, theirs: Crypto) -> MasterKey:
        """Our key stays while its suite does: a new one is no secret more, and costs what is under way."""
        suite = theirs.key.suite
        if self._crypto is not None and self._crypto.key.suite is suite:
            return self._crypto.key
        return fresh(suite, self._random)

    def _audio(
        self, protocol: str, formats: Sequence[Rtpmap], direction: Direction, keys: Sequence[Crypto]
    ) -> MediaDescription:
        attributes: list[tuple[str, str | None]] = [("crypto", crypto.value()) for crypto in keys]
        for rtpmap in formats:
            attributes.append(("rtpmap", f"{rtpmap.payload_type} {rtpmap.encoding}/{rtpmap.clock_rate}"))
            if rtpmap.encoding == TELEPHONE_EVENT:
                attributes.append(("fmtp", f"{rtpmap.payload_type} 0-15"))
        attributes += [("ptime", str(FRAME_MS)), (direction.value, None)]
        numbers = tuple(str(rtpmap.payload_type) for rtpmap in formats)
        return MediaDescription("audio", self._port, protocol, numbers, tuple(attributes))

    def _describe(self, media: Sequence[MediaDescription]) -> SessionDescription:
        """Our next description; the version goes up when it says something new (RFC 3264 section 8)."""
        version = int(self._local.origin.version) if self._local else self._session_id
        origin = Origin("-", str(self._session_id), str(version), self._address)
        described = SessionDescription(origin, tuple(media), self._address)
        if self._local is not None and described != self._local:
            described = replace(described, origin=replace(origin, version=str(version + 1)))
        self._local = described
        return described


def _negotiated(choice: Choice, wanted: Direction, ours: Crypto | None) -> Negotiated:
    """What is agreed on; `ours` is the line with the key that we send with."""
    security = None
    if ours is not None and choice.crypto is not None:
        security = Security(ours.key, choice.crypto.key)
    return Negotiated(
        choice.address,
        choice.port,
        choice.codec,
        choice.audio.payload_type,
        choice.event.payload_type if choice.event else None,
        choice.direction.reversed & wanted,
        choice.ptime_ms,
        choice.noise.payload_type if choice.noise else None,
        choice.rtcp,
        security,
    )
