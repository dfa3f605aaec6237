"""Which part of a partial transcript will stay: what two hypotheses in a row agree on (LocalAgreement-2 of
Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System", 2023). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence


class LocalAgreement:
    """Takes whole hypotheses of one utterance as it grows."""

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._last: list[str] = []

    def add(self, text: str) -> tuple[str, int]:
        """A newer hypothesis. Gives the text to show, and how many of its first characters will stay.

        Words that were stable once are not taken back: where the hypothesis differs there, they replace it.
        """
        words = text.split()
        kept = len(self._stable)
        agreed = _common(words, self._last)
        if agreed > kept and _common(words, self._stable) == kept:
            self._stable += words[kept:agreed]
        self._last = words
        shown = [*self._stable, *words[len(self._stable) :]]
        return " ".join(shown), len(" ".join(self._stable))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with; case and punctuation at a word's edge are no difference."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if _plain(left) != _plain(right):
            break
        count += 1
    return count


def _plain(word: str) -> str:
    return word.strip(".,;:!?।॥…\"'()").casefold()
