"""What was said in a conversation with an agent, as a value of the flow: for who takes the caller over.

As far as it was heard: what was cut stands up to the cut, what was never spoken not at all. Pure."""

from __future__ import annotations

from collections import deque

from ivr.flow.types import MAX_ITEMS, MAX_TEXT


class Transcript:
    """The newest of it: as many lines as a list of a flow holds, each no longer than a text."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_ITEMS)

    def caller(self, words: str) -> None:
        self._note("caller", words)

    def agent(self, words: str, *, cut: bool = False) -> None:
        if words:
            self._note("agent", f"{words} …" if cut else words)

    def _note(self, who: str, words: str) -> None:
        line = f"{who}: {words}"
        self._lines.append(line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…")

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)
