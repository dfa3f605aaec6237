"""Whether the sound of a text still comes as fast as it is listened to.

Pure: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations


class Pace:
    """Sound that has begun. While somebody listens, it may be missing for `hedge_s`; while it is made ahead,
    the next may take `ahead_s`."""

    def __init__(self, now: float, hedge_s: float, ahead_s: float, *, heard: bool) -> None:
        self._hedge_s = hedge_s
        self._ahead_s = ahead_s
        self._heard = heard
        self._came_at = now
        self._dry_at = now
        self._audio_s = 0.0

    def came(self, now: float, seconds: float) -> None:
        """So much sound came."""
        self._came_at = now
        self._dry_at = max(self._dry_at, now) + seconds
        self._audio_s += seconds

    def hurry(self, now: float) -> None:
        """From now on somebody listens, from its beginning."""
        if not self._heard:
            self._heard = True
            self._dry_at = now + self._audio_s

    @property
    def due(self) -> float:
        """When it has broken off, if nothing comes until then."""
        if not self._heard:
            return self._came_at + self._ahead_s
        return max(self._dry_at, self._came_at) + self._hedge_s
