"""What a stream is told by signalling, and what it tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from media.codecs import FRAME_MS, Codec
from media.packing import PTIMES_MS
from media.source import Address


class StreamEvents(Protocol):
    """What a stream tells its owner; called on the event loop, must return at once. `at` is `loop.time()`."""

    def digit(self, key: str, at: float) -> None:
        """A key was pressed."""

    def began(self, mark: str, at: float) -> None:
        """The first packet of the clip was sent."""

    def played(self, mark: str, at: float) -> None:
        """The last packet of the clip was sent."""

    def stopped(self, mark: str, sample: int, at: float) -> None:
        """The clip was dropped after `sample` samples of it had been sent."""

    def timed_out(self, at: float) -> None:
        """Nothing came for the plane's `timeout_s` though something should have; told once per silence."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What signalling settled; `telephone_event` is the payload type of keys, `comfort_noise` that of
    RFC 3389, None without. `ptime_ms` is the packet length that the far end asks for, a multiple of 10 from
    10 to 60; `remote_rtcp` where it wants RTCP, when that is not the port after its RTP."""

    remote: Address
    codec: Codec
    payload_type: int
    telephone_event: int | None
    ptime_ms: int = FRAME_MS
    comfort_noise: int | None = None
    remote_rtcp: Address | None = None

    def __post_init__(self) -> None:
        if self.ptime_ms not in PTIMES_MS:
            raise ValueError(f"packets last {', '.join(map(str, PTIMES_MS))} ms, not {self.ptime_ms}")
        if self.codec.whole and self.ptime_ms != FRAME_MS:
            raise ValueError(f"packets of {self.codec.name} last {FRAME_MS} ms, not {self.ptime_ms}")
