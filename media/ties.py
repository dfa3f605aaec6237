"""Whom the far end of a link hears, and who hears it: bridges, whispers, and who listens in. Pure.

A tie is between two links of one plane. Each ends with either of them; what a link is sent by its ties is its
`Feed`, and where what it receives goes is its `Relay`.
"""

from __future__ import annotations

from typing import Protocol

from media.codecs import Codec
from media.leg import AudioTap
from media.mixing import Feed, Overheard, Whispered
from media.relay import Relay


class Tied(Protocol):
    """The link, as its ties see it."""

    @property
    def wire_codec(self) -> Codec:
        """What is spoken on the wire now."""

    @property
    def codec(self) -> Codec:
        """That of clips, listeners and taps."""

    def wire(self, relay: Relay | None, feed: Feed | None) -> None:
        """What is received goes into `relay`; `feed` is sent, whenever nothing is played."""

    def watch(self, tap: AudioTap) -> None:
        """One tap more, beside that of the recorder."""

    def unwatch(self, tap: AudioTap) -> None: ...


class Ties:
    """Those of one link."""

    __slots__ = (
        "_aside",
        "_base",
        "_link",
        "_other",
        "_overheard",
        "_relay",
        "_tap",
        "_whisperer",
        "_whispers_to",
    )

    def __init__(self, link: Tied) -> None:
        self._link = link
        self._other: Ties | None = None
        """Whom we are bridged to."""
        self._whispers_to: Ties | None = None
        self._whisperer: Ties | None = None
        self._overheard: Ties | None = None
        """Whom we listen in to, with the tap that is there for us."""
        self._tap: Overheard | None = None
        self._relay: Relay | None = None
        """Where what we receive goes; the far end of it has this as its `_base` or `_aside`."""
        self._base: Relay | None = None
        self._aside: Relay | None = None

    # What is asked for

    def bridge(self, other: Ties) -> None:
        """From here on each far end hears the other, and neither anybody else; who listens in to one of them,
        or whispers to it, goes on."""
        for tied in (self, other):
            tied.part()
            tied.overhear(None)
            tied.whisper(None)
        self._other, other._other = other, self
        self._renew()
        other._renew()

    def part(self) -> None:
        """Ends the bridge: each far end is alone again."""
        other, self._other = self._other, None
        if other is not None:
            other._other = None
            other._renew()
            self._renew()

    def overhear(self, other: Ties | None) -> None:
        """Our far end hears both directions of the other link; None: not any more. It is heard by nobody, for
        that is what `bridge` and `whisper` are for."""
        before, tap = self._overheard, self._tap
        if before is not None and tap is not None:
            before._link.unwatch(tap)
        self._overheard, self._tap = other, None
        if other is not None:
            self._tap = Overheard(other._link.codec, self._link.wire_codec)
            other._link.watch(self._tap)
        self._wire()

    def whisper(self, other: Ties | None) -> None:
        """The far end of the other link, and nobody else, hears ours beside what it hears anyway; None: not
        any more. One that is whispered to by somebody else is from now on by us."""
        before, self._whispers_to = self._whispers_to, other
        if before is not None:
            before._whisperer = None
            before._renew_aside(None)
        if other is not None:
            if other._whisperer is not None:
                other._whisperer.whisper(None)
            other._whisperer = self
        self._renew()

    def cut(self) -> None:
        """No ties of ours any more, and nobody whispers to us."""
        self.part()
        self.overhear(None)
        self.whisper(None)
        if self._whisperer is not None:
            self._whisperer.whisper(None)

    def codec_changed(self) -> None:
        """Something else is spoken on our wire from now on: what goes to and fro is made anew."""
        self._renew()
        if self._other is not None:
            self._other._renew()
        if self._whisperer is not None:
            self._whisperer._renew()
        if self._overheard is not None:
            self.overhear(self._overheard)

    # Within

    def _renew(self) -> None:
        """What our far end says goes on its way, in the codecs that both speak now."""
        if self._other is not None:
            self._relay = Relay(self._link.wire_codec, self._other._link.wire_codec)
            self._other._base = self._relay
            self._other._wire()
        elif self._whispers_to is not None:
            self._relay = Relay(self._link.wire_codec, self._whispers_to._link.wire_codec)
            self._whispers_to._renew_aside(self._relay)
        else:
            self._relay = None
        if self._other is None:
            self._base = None
        self._wire()

    def _renew_aside(self, relay: Relay | None) -> None:
        self._aside = relay
        self._wire()

    def _wire(self) -> None:
        self._link.wire(self._relay, self._heard_from())

    def _heard_from(self) -> Feed | None:
        base, aside = self._base, self._aside
        if aside is not None:
            return Whispered(base, aside, self._link.wire_codec)
        return base if base is not None else self._tap
