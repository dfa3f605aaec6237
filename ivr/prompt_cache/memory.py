"""The prompts in memory: up to a size, those least recently used go first, personal ones after a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Held(Generic[V]):
    """`size` is None while the prompt grows: it cannot be spared then."""

    value: V
    personal: bool
    used_at: float
    size: int | None = None


class PromptMemory(Generic[K, V]):
    """Values by key, the one used last at the end. Pure: `now` is the time of any monotonic clock."""

    def __init__(self, limit_bytes: int, personal_s: float) -> None:
        """A personal value is dropped `personal_s` after it was last used."""
        self._limit = limit_bytes
        self._personal_s = personal_s
        self._held: OrderedDict[K, _Held[V]] = OrderedDict()
        self.bytes = 0
        """Of the values whose size is known."""
        self.evicted = 0
        """How many had to go for others."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def holds_personal(self) -> bool:
        return any(held.personal for held in self._held.values())

    def get(self, key: K, now: float) -> V | None:
        held = self._held.get(key)
        if held is None:
            return None
        held.used_at = now
        self._held.move_to_end(key)
        return held.value

    def put(self, key: K, value: V, *, personal: bool, now: float) -> None:
        """In place of what is held under the key. It stays until it is `weighed`, whatever its size."""
        self.drop(key)
        self._held[key] = _Held(value, personal, now)

    def weigh(self, key: K, value: V, size: int) -> None:
        """The value has its full size now, in bytes; what is over the limit goes. Nothing happens when
        another one has its place."""
        held = self._held.get(key)
        if held is None or held.value is not value:
            return
        self.bytes += size - (held.size or 0)
        held.size = size
        while self.bytes > self._limit:
            oldest = next((k for k, h in self._held.items() if h.size is not None), None)
            if oldest is None:
                break
            self.drop(oldest)
            self.evicted += 1

    def drop(self, key: K, value: V | None = None) -> None:
        """With a `value`, only if that is what is held."""
        held = self._held.get(key)
        if held is not None and (value is None or held.value is value):
            self.bytes -= held.size or 0
            del self._held[key]

    def expire(self, now: float) -> None:
        """Drops personal values that nobody used for their time."""
        self._drop_where(lambda held: held.personal and now - held.used_at >= self._personal_s)

    def forget_personal(self) -> None:
        self._drop_where(lambda held: held.personal)

    def _drop_where(self, test: Callable[[_Held[V]], bool]) -> None:
        for key in [key for key, held in self._held.items() if test(held)]:
            self.drop(key)
