"""What a SIP call leg has of its media, whichever stack does the signalling."""

from __future__ import annotations

from collections.abc import Callable

from media.codecs import Codec
from media.leg import Answered, Held, LegInfo
from media.stream import RtpStream
from media.stream_leg import StreamLeg
from sip.call_media import CallMedia


class MediaLeg(StreamLeg):
    """A `StreamLeg` whose stream is agreed on by offer and answer."""

    def __init__(self, info: LegInfo, codec: Codec, now: Callable[[], float]) -> None:
        super().__init__(info, codec, now)
        self._media: CallMedia | None = None
        self._held = False

    @property
    def codec(self) -> Codec:
        return self._first_codec if self._media is None else self._media.codec

    @property
    def _stream(self) -> RtpStream | None:
        return None if self._media is None else self._media.stream

    @property
    def _live(self) -> CallMedia | None:
        """The media while the leg is not over."""
        return None if self._over else self._media

    def _begin(self) -> None:
        """The call is answered, and its media agreed on."""
        if self._live is not None:
            self._live.connect()
            self._put(Answered(self._now()))
            self._media_changed()

    def _media_changed(self) -> None:
        """Media flows as agreed last; a hold, or its end, is told."""
        media = self._live
        if media is None:
            return
        media.connect()
        if media.held != self._held:
            self._held = media.held
            self._put(Held(self._now(), self._held))

    def _let_go(self) -> None:
        if self._media is not None:
            self._media.close()
