"""A stretch of the caller's voice, as far as it has been heard: how long, how silent now, and in what words.
Pure; times are seconds of the caller's audio."""

from __future__ import annotations

from dataclasses import dataclass, replace

from media.turns import RELEASE_PROBABILITY


@dataclass(frozen=True, slots=True)
class Words:
    """What a recogniser has heard so far, when `voiced_s` of voice had been; the same since `since`."""

    text: str
    since: float
    voiced_s: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """`voiced_s` leaves the pauses out. `quiet_from` is when the pause began that goes on now, if one does;
    `advice` is how likely a model of sound holds it that the turn is over at this pause."""

    began_at: float
    at: float
    voiced_s: float = 0.0
    quiet_from: float | None = None
    words: Words | None = None
    advice: float | None = None

    def hear(self, probability: float, at: float) -> Stretch:
        """With the chunk that ends now."""
        if probability >= RELEASE_PROBABILITY:
            return replace(self, at=at, voiced_s=self.voiced_s + at - self.at, quiet_from=None, advice=None)
        quiet_from = self.at if self.quiet_from is None else self.quiet_from
        return replace(self, at=at, quiet_from=quiet_from)

    def read(self, text: str) -> Stretch:
        """With what a recogniser has heard of it."""
        known = self.words
        since = known.since if known is not None and known.text == text else self.at
        return replace(self, words=Words(text, since, self.voiced_s))

    def advised(self, probability: float) -> Stretch:
        return replace(self, advice=probability)

    @property
    def quiet_s(self) -> float:
        """How long the pause is by now."""
        return 0.0 if self.quiet_from is None else self.at - self.quiet_from

    @property
    def voice_until(self) -> float:
        return self.at if self.quiet_from is None else self.quiet_from

    @property
    def length_s(self) -> float:
        return self.at - self.began_at

    def text(self, within_s: float) -> str:
        """What was heard, unless more than so much voice has come since."""
        words = self.words
        return "" if words is None or self.voiced_s - words.voiced_s > within_s else words.text
