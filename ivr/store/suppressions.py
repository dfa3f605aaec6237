"""Numbers that must not be called, whatever a campaign says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from ivr.store.parts import Perform, Reading
from ivr.store.schema import suppressions


@dataclass(frozen=True, slots=True)
class Suppression:
    """A number that must not be called, since when, and who said so: `api:NAME`, `import:NAME`, `call:ID`."""

    number: str
    at: float
    source: str


class SuppressionList:
    """The numbers are those of `ivr.campaigns.numbers.number_key`."""

    def __init__(self, reading: Reading, perform: Perform) -> None:
        self._reading = reading
        self._perform = perform

    async def add(self, numbers: Sequence[str], at: float, source: str, *, deadline_s: float = 5.0) -> int:
        """Durable; gives how many are new. Raises `StoreUnavailable` after `deadline_s`."""
        new: int = await self._perform(Suppress(numbers, at, source), deadline_s=deadline_s)
        return new

    async def remove(self, number: str) -> bool:
        """False when the number was not on the list."""
        gone: bool = await self._perform(Allow(number))
        return gone

    async def get(self, number: str) -> Suppression | None:
        async with self._reading() as connection:
            query = select(suppressions).where(suppressions.c.number == number)
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else Suppression(*row)

    async def page(self, *, after: str = "", limit: int = 50) -> list[Suppression]:
        """In the order of the numbers, those behind `after`."""
        query = select(suppressions).where(suppressions.c.number > after)
        async with self._reading() as connection:
            rows = await connection.execute(query.order_by(suppressions.c.number).limit(limit))
            return [Suppression(*row) for row in rows]


def suppressed_of(connection: Connection, numbers: Sequence[str]) -> set[str]:
    """Those of the numbers that must not be called."""
    query = select(suppressions.c.number).where(suppressions.c.number.in_(numbers))
    return set(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Suppress:
    """Numbers that must not be called from now on; gives how many are new. Who is suppressed already keeps
    his source."""

    numbers: Sequence[str]
    at: float
    source: str

    def apply(self, connection: Connection, dialect: str) -> int:
        make = postgresql.insert if dialect == "postgresql" else sqlite.insert
        known = suppressed_of(connection, self.numbers)
        rows = [
            {"number": each, "at": self.at, "source": self.source} for each in dict.fromkeys(self.numbers)
        ]
        connection.execute(make(suppressions).on_conflict_do_nothing(), rows)
        return len({row["number"] for row in rows} - known)


@dataclass(frozen=True, slots=True)
class Allow:
    """The number may be called again; gives whether it was suppressed."""

    number: str

    def apply(self, connection: Connection, _: str) -> bool:
        gone = connection.execute(delete(suppressions).where(suppressions.c.number == self.number))
        return gone.rowcount > 0
