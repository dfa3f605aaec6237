"""What waits to be sent to a far end that may be slow: bounded, the oldest audio is given up first. Pure."""

from __future__ import annotations

from collections import deque

Item = bytes | str
"""Audio, or a message."""


class Backlog:
    """Audio and messages in order. Of audio only the latest counts: what is too old is dropped. Messages all
    count: a far end that leaves too many of them is given up."""

    __slots__ = ("_audio", "_items", "_most_audio", "_most_messages", "dropped")

    def __init__(self, most_audio: int, most_messages: int) -> None:
        self._items: deque[Item] = deque()
        self._audio = 0
        self._most_audio = most_audio
        self._most_messages = most_messages
        self.dropped = 0
        """Pieces of audio that were given up."""

    def __len__(self) -> int:
        return len(self._items)

    def audio(self, piece: bytes) -> None:
        if self._audio >= self._most_audio:
            del self._items[next(at for at, item in enumerate(self._items) if isinstance(item, bytes))]
            self._audio -= 1
            self.dropped += 1
        self._items.append(piece)
        self._audio += 1

    def message(self, text: str) -> bool:
        """False when too many wait already: the far end does not read."""
        if len(self._items) - self._audio >= self._most_messages:
            return False
        self._items.append(text)
        return True

    def take(self) -> Item | None:
        """The next; None when there is nothing."""
        if not self._items:
            return None
        item = self._items.popleft()
        self._audio -= isinstance(item, bytes)
        return item
