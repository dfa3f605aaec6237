"""A prompt text cut where sentences that hold values of a call meet those that never change.

The latter are the same for every call: they can be made ahead and kept, whatever the values will be. Nothing
is cut within a sentence, so that nothing is heard of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engines.tts.sentences import sentences

_VALUE: Final = "\ue000"
"""Stands for a value where sentences are looked for; of private use, so that it is in no text."""

Parts = tuple[str | None, ...]
"""A text: its fixed parts in words, and None for each value."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole sentences of a prompt; `personal`: with values in them."""

    text: str
    personal: bool


def stretches(parts: Parts, language: str, values: Sequence[str]) -> tuple[Stretch, ...]:
    """The text in order, with the words of its values; stretches of which nothing is left are not there."""
    left = iter(values)
    found = []
    for stretch in _cut(parts, language):
        text = stretch.text
        if stretch.personal:
            pieces = text.split(_VALUE)
            words = "".join(piece + next(left, "") for piece in pieces[:-1]) + pieces[-1]
            text = " ".join(words.split())
        if text:
            found.append(Stretch(text, stretch.personal))
    return tuple(found)


def fixed_stretches(parts: Parts, language: str) -> tuple[str, ...]:
    """What never changes: the stretches without values."""
    return tuple(stretch.text for stretch in _cut(parts, language) if not stretch.personal)


@lru_cache(maxsize=4096)
def _cut(parts: Parts, language: str) -> tuple[Stretch, ...]:
    """The stretches, with `_VALUE` for each value."""
    whole = "".join(_VALUE if part is None else part.replace(_VALUE, "") for part in parts)
    found: list[Stretch] = []
    for sentence in sentences(" ".join(whole.split()), language):
        personal = _VALUE in sentence
        if found and found[-1].personal == personal:
            found[-1] = Stretch(f"{found[-1].text} {sentence}", personal)
        else:
            found.append(Stretch(sentence, personal))
    return tuple(found)
