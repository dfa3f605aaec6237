"""What a model thinks before it answers is not for the caller's ears.

Models that reason write `<think>...</think>` before their answer, where the server does not take it out (vLLM
without a reasoning parser). Pure.
"""

from __future__ import annotations

from typing import Final

_OPENS: Final = "<think>"
_CLOSES: Final = "</think>"


class WithoutThoughts:
    """Takes the text of an answer piece by piece, and gives what is to be heard of it."""

    def __init__(self) -> None:
        self._held = ""
        self._within = False
        self._answering = False

    def take(self, text: str) -> str:
        if self._answering:
            return text
        self._held += text
        if not self._within:
            begun = self._held.lstrip()
            if len(begun) < len(_OPENS) and _OPENS.startswith(begun):
                return ""  # it may still become one
            if not begun.startswith(_OPENS):
                return self._answer(begun)
            self._within = True
            self._held = begun[len(_OPENS) :]
        _, closed, after = self._held.partition(_CLOSES)
        if not closed:
            self._held = self._held[-len(_CLOSES) :]
            return ""
        # The blank line between thoughts and answer may come in pieces: an answer begins with its first word.
        self._within = False
        self._held = after.lstrip()
        return self._answer(self._held) if self._held else ""

    def rest(self) -> str:
        """What was held back, once the answer is over."""
        held, self._held = self._held, ""
        return "" if self._within else held.strip()

    def _answer(self, text: str) -> str:
        self._answering = True
        self._held = ""
        return text
