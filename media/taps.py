"""One tap for several: a recorder, and who listens in. Pure."""

from __future__ import annotations

import logging

from media.leg import AudioTap

log = logging.getLogger(__name__)


class Taps:
    """Passes everything to each of them; one that fails is taken off, and the others go on."""

    __slots__ = ("_taps",)

    def __init__(self, taps: tuple[AudioTap, ...]) -> None:
        self._taps = taps

    def received(self, payload: bytes, sample: int) -> None:
        for tap in self._taps:
            try:
                tap.received(payload, sample)
            except Exception:
                self._lose(tap)

    def sent(self, payload: bytes, sample: int) -> None:
        for tap in self._taps:
            try:
                tap.sent(payload, sample)
            except Exception:
                self._lose(tap)

    def close(self) -> None:
        for tap in self._taps:
            tap.close()

    def _lose(self, failed: AudioTap) -> None:
        log.exception("one of several taps failed and is taken off")
        self._taps = tuple(tap for tap in self._taps if tap is not failed)
