"""What DNS said, for as long as it holds (RFC 2308, RFC 8767). Pure: the time is an argument."""

from __future__ import annotations

from typing import Final, NamedTuple

from sip.locate import Query, Record

MAX_ENTRIES: Final = 2048
MIN_S: Final = 1.0
MAX_S: Final = 3600.0
MAX_EMPTY_S: Final = 300.0
"""How long at most a name counts as having no such records."""
FAILED_S: Final = 5.0
"""How long a question that nobody answered is not asked again."""
STALE_S: Final = 24 * 3600.0
"""How long an old answer serves while nobody gives a new one."""


class _Entry(NamedTuple):
    until: float
    stale_until: float
    records: tuple[Record, ...]


class DnsCache:
    """Bounded; the oldest entry goes first."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max: Final = max_entries
        self._entries: dict[Query, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, query: Query, now: float) -> tuple[Record, ...] | None:
        """The records (none: there are none), or None when the question must be asked."""
        entry = self._entries.get(query)
        return entry.records if entry is not None and now < entry.until else None

    def answered(self, query: Query, records: tuple[Record, ...], ttl_s: float, now: float) -> None:
        """Keeps an answer for its time to live; an empty one says that there are no such records."""
        ttl_s = min(max(ttl_s, MIN_S), MAX_S if records else MAX_EMPTY_S)
        self._put(query, _Entry(now + ttl_s, now + STALE_S if records else now, records))

    def failed(self, query: Query, now: float) -> tuple[Record, ...]:
        """Nobody answered: an old answer holds on for a while, else there is none."""
        old = self._entries.get(query)
        records = old.records if old is not None and now < old.stale_until else ()
        stale_until = old.stale_until if old is not None and records else now
        self._put(query, _Entry(now + FAILED_S, stale_until, records))
        return records

    def _put(self, query: Query, entry: _Entry) -> None:
        self._entries.pop(query, None)
        if len(self._entries) >= self._max:
            del self._entries[next(iter(self._entries))]
        self._entries[query] = entry
