"""Keys on their way out: as telephone-events, or as tones where those were not agreed on. Pure."""

from __future__ import annotations

from collections import deque

from media.codecs import Codec
from media.dtmf import DigitSender, EventPacket
from media.tones import key_tone


class KeysOut:
    """Gives what is due at each tick while it is `busy`."""

    __slots__ = ("_events", "_tones")

    def __init__(self, step: int) -> None:
        """`step` is the length of a tick in timestamp units."""
        self._events = DigitSender(step)
        self._tones: deque[bytes] = deque()

    @property
    def busy(self) -> bool:
        """Whether anything of a key is still to come."""
        return self._events.busy or bool(self._tones)

    def press(self, keys: str, codec: Codec, *, as_events: bool) -> None:
        """Queues keys; raises ValueError when one of them is no key."""
        if as_events:
            self._events.add(keys)
            return
        tones = b"".join(key_tone(key, codec.sample_rate) for key in keys)
        self._tones.extend(codec.payloads(codec.new_encoder(), tones))

    def next(self, timestamp: int) -> EventPacket | bytes | None:
        """What this tick sends: a packet of an event, 20 ms of a tone, or None in the pause after a key."""
        return self._events.next(timestamp) if self._events.busy else self._tones.popleft()
