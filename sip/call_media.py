"""The media of one call: the offer/answer machine, and the RTP stream that it describes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from media.codecs import CODECS, FRAME_MS, Codec
from media.stream import RtpStream
from sip.crypto import Srtp
from sip.offer import Negotiated, OfferAnswer
from sip.sdp import Direction, parse_sdp


def codecs_named(names: Sequence[str]) -> tuple[Codec, ...]:
    """The codecs of a trunk; raises ValueError for one that we do not speak, or when there is none."""
    unknown = [name for name in names if name not in CODECS]
    if unknown or not names:
        raise ValueError(f"unknown codec {', '.join(unknown) or '(none)'}: choose from {', '.join(CODECS)}")
    return tuple(CODECS[name] for name in names)


class CallMedia:
    """What is agreed with one party about a leg's stream, which is closed with it.

    A transfer brings another party to the same stream: a `successor` offers it while the old one still has
    it, and moves it by `take_over`.
    """

    def __init__(
        self,
        stream: RtpStream,
        address: str,
        codecs: tuple[Codec, ...],
        *,
        srtp: Srtp = "refused",
        wanted: Direction = Direction.SENDRECV,
        waiting: bool = False,
    ) -> None:
        """`address` is the IP address for our SDP. `waiting`: the stream is not ours before `take_over`."""
        self.stream: Final = stream
        self._srtp: Final = srtp
        self._has_stream = not waiting
        self._codecs: Final = codecs
        self._offers = OfferAnswer(
            address, self.stream.local_port, codecs, secrets.randbits(31), srtp, wanted=wanted
        )
        self._connected: Negotiated | None = None

    @property
    def codec(self) -> Codec:
        """What the stream began with, whatever is on the wire now; before that what was agreed on, or our
        first choice."""
        agreed = self._offers.negotiated
        return self.stream.codec or (self._codecs[0] if agreed is None else agreed.codec)

    @property
    def held(self) -> bool:
        """Whether we may not send: the far end put us on hold."""
        agreed = self._offers.negotiated
        return agreed is not None and not agreed.direction.send

    @property
    def offering(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return self._offers.offering

    def offer(self, direction: Direction | None = None) -> bytes:
        """Our offer; raises `OfferPending`."""
        return self._offers.make_offer(direction).to_bytes()

    def refresh(self) -> bytes:
        """Our last description once more, as an offer that changes nothing; raises `OfferPending`."""
        return self._offers.repeat_offer().to_bytes()

    def fork(self) -> OfferAnswer:
        """What stands between us and one more party that may answer our offer; see `follow`."""
        return self._offers.fork()

    def answered_by(self, party: OfferAnswer, sdp: bytes) -> None:
        """Takes the answer of that party, and follows it; raises what `answered` does, changing nothing."""
        before, self._offers = self._offers, party
        try:
            self.answered(sdp)
        except Exception:
            self._offers = before
            raise

    def follow(self, party: OfferAnswer) -> None:
        """From here on it is this party that we negotiate with: the fork that is heard, or has answered."""
        self._offers = party

    def withdraw(self) -> None:
        """Our offer was refused: what was agreed before holds on."""
        self._offers.withdraw()

    def answer(self, sdp: bytes) -> bytes:
        """Our answer to an offer; raises `SdpError`, `IncompatibleMedia` or `OfferPending`."""
        return self._offers.receive_offer(parse_sdp(sdp)).to_bytes()

    def answered(self, sdp: bytes) -> None:
        """Takes the answer to our offer; raises `SdpError`, `IncompatibleMedia` or `NoOffer`."""
        self._offers.receive_answer(parse_sdp(sdp))

    def connect(self) -> None:
        """Media flows as agreed from here on."""
        agreed = self._offers.negotiated
        if not self._has_stream or agreed is None or agreed == self._connected:
            return
        self._connected = agreed
        self.stream.connect(
            (agreed.remote_address, agreed.remote_port),
            agreed.codec,
            agreed.payload_type,
            agreed.telephone_event,
            ptime_ms=agreed.remote_ptime_ms or FRAME_MS,
            comfort_noise=agreed.comfort_noise,
            remote_rtcp=agreed.remote_rtcp,
            security=agreed.security,
        )
        self.stream.set_direction(agreed.direction.send, agreed.direction.receive)

    def successor(self, address: str) -> CallMedia:
        """The media of a party that is to take the place of ours.

        It knows the codec in use alone, if there is one: what plays, listens and records was made for that.
        Whom we hold is held still.
        """
        codecs = self._codecs if self._offers.negotiated is None else (self.codec,)
        return CallMedia(
            self.stream, address, codecs, srtp=self._srtp, wanted=self._offers.wanted, waiting=True
        )

    def take_over(self, old: CallMedia) -> None:
        """The stream is moved from the party of `old` to ours; nothing that plays, listens or records on it
        sees a difference."""
        old._has_stream, self._has_stream = False, True
        self.stream.change_party()
        self.connect()

    def close(self) -> None:
        if self._has_stream:
            self.stream.close()
