"""Searching the index: words and sounds by FTS5, vectors by their angle, both fused by rank."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ivr.knowledge.contract import Passage
from ivr.knowledge.fusing import fuse
from ivr.knowledge.index import ALL, FORM
from ivr.knowledge.terms import sounds, terms

CONSIDERED: Final = 20
"""Passages that each way of searching gives to the fusion."""

_MOST_TERMS: Final = 24
_LONGEST_QUESTION: Final = 1_000
_PREFIX_FROM: Final = 4
_RANKED: Final = 400
_WEIGHTS: Final = "2.0, 1.0, 0.5"
"""Of a heading, a text, and their sounds: to sound alike is less than to be the same word."""

Vector = npt.NDArray[np.float32]


class Searcher:
    """Reads an index that another process may write. Not for several threads at once, but for `interrupt`."""

    def __init__(self, index: Path) -> None:
        self._index = index
        self._db: sqlite3.Connection | None = None
        self._seen: tuple[int, int] | None = None
        self._vectors: _Vectors | None = None

    def find(
        self, collections: Collection[str], question: str, vector: Vector | None = None, *, most: int
    ) -> tuple[Passage, ...]:
        """The best passages of the collections; none where there is no index. `vector` is the question's.
        Raises `sqlite3.Error`."""
        db = self._opened()
        if db is None or not collections:
            return ()
        question = question[:_LONGEST_QUESTION]
        asked = [*terms(question)[:_MOST_TERMS], *sounds(question)[:_MOST_TERMS]]
        rankings = [_by_terms(db, collections, dict.fromkeys(asked))]
        if vector is not None and self._vectors is not None:
            rankings.append(self._vectors.nearest(vector, collections))
        return tuple(_passages(db, fuse(rankings), most))

    def load_vectors(self, model: str) -> None:
        """Reads the vectors of a model, as they are now. Raises `sqlite3.Error`."""
        db = self._opened()
        self._vectors = None if db is None else _Vectors(db, model)

    def interrupt(self) -> None:
        """Ends a search under way in another thread."""
        if self._db is not None:
            self._db.interrupt()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection | None:
        """The index as it is now: it may be another file than a moment ago, or none."""
        try:
            there = os.stat(self._index)
        except OSError:
            self.close()
            return None
        file = (there.st_dev, there.st_ino)
        if self._db is None or self._seen != file:
            self.close()
            address = f"{self._index.as_uri()}?mode=ro"
            db = sqlite3.connect(address, uri=True, check_same_thread=False, timeout=0.2)
            try:
                if db.execute("PRAGMA user_version").fetchone()[0] != FORM:
                    return None
                self._db, self._seen, self._vectors = db, file, None
            finally:
                if self._db is not db:
                    db.close()
        return self._db


def _by_terms(db: sqlite3.Connection, collections: Collection[str], asked: Iterable[str]) -> list[int]:
    wanted = _match(db, asked)
    if not wanted:
        return []
    marks = ", ".join("?" * len(collections))
    rows = db.execute(
        "SELECT words.rowid FROM words JOIN pieces ON pieces.id = words.rowid "
        f"JOIN files ON files.id = file WHERE words MATCH ? AND collection IN ({marks}) "
        f"ORDER BY bm25(words, {_WEIGHTS}) LIMIT {CONSIDERED}",
        (wanted, *collections),
    )
    return [id for (id,) in rows]


def _match(db: sqlite3.Connection, wanted: Iterable[str]) -> str:
    """A query of FTS5 for any of the terms.

    To rank a passage costs much more than to find it. So the rarest terms choose the passages, as many as are
    ranked in a millisecond or two; the common ones, which most passages have, only take part in the ranking.
    """
    counted = sorted(filter(None, (_counted(db, term) for term in wanted)))
    if not counted:
        return ""
    ranked = list(accumulate(count for count, _ in counted))
    choosing = [term for (_, term), count in zip(counted, ranked, strict=True) if count <= _RANKED]
    if len(choosing) == len(counted):
        return " OR ".join(choosing)
    passages = _passages_with(db, ALL) or 1
    # What a quarter of so many passages has says little about any of them.
    telling = [one for one in counted if one[0] * 4 <= passages] or counted
    every = " OR ".join(term for _, term in telling)
    chosen = " OR ".join(choosing) or _meeting(db, counted, passages)
    return f"({chosen}) AND ({every})"


def _meeting(db: sqlite3.Connection, counted: Sequence[tuple[int, str]], passages: int) -> str:
    """Where all are common: the passages in which so many of the rarest meet that few are left."""
    expected = float(passages)
    found = counted[0][1]
    for count, term in counted:
        expected *= count / passages
        together = term if term == found else f"{found} AND {term}"
        if term != found and not _count(db, together):
            break
        found = together
        if expected <= _RANKED:
            break
    return found


def _counted(db: sqlite3.Connection, term: str) -> tuple[int, str] | None:
    """How many passages have a term, and how it is asked for: by its beginning where none has it."""
    quoted = '"' + term.replace('"', '""') + '"'
    if count := _passages_with(db, term):
        return count, quoted
    if len(term) < _PREFIX_FROM:
        return None
    begins = f"{quoted} *"
    count = _count(db, begins)
    return (count, begins) if count else None


def _passages_with(db: sqlite3.Connection, term: str) -> int:
    row = db.execute("SELECT passages FROM counts WHERE term = ?", (term,)).fetchone()
    return 0 if row is None else int(row[0])


def _count(db: sqlite3.Connection, match: str) -> int:
    (count,) = db.execute("SELECT count(*) FROM words WHERE words MATCH ?", (match,)).fetchone()
    return int(count)


class _Vectors:
    """The vectors of all passages, in memory: 4 bytes a dimension each."""

    def __init__(self, db: sqlite3.Connection, model: str) -> None:
        rows = db.execute(
            "SELECT pieces.id, collection, vector FROM vectors JOIN pieces USING (hash) "
            "JOIN files ON files.id = file WHERE model = ?",
            (model,),
        ).fetchall()
        size = max((len(vector) for _, _, vector in rows), default=0)
        rows = [row for row in rows if len(row[2]) == size]
        self._ids = np.array([id for id, _, _ in rows], dtype=np.int64)
        self._collections = np.array([collection for _, collection, _ in rows], dtype=np.str_)
        flat = np.frombuffer(b"".join(vector for _, _, vector in rows), dtype=np.float32)
        self._matrix = flat.reshape(len(rows), size // 4 if rows else 0)

    def nearest(self, vector: Vector, collections: Collection[str]) -> list[int]:
        if not len(self._ids) or vector.shape != self._matrix.shape[1:]:
            return []
        rows = np.flatnonzero(np.isin(self._collections, list(collections)))
        angles = (self._matrix @ vector)[rows]
        best = np.argsort(-angles, kind="stable")[:CONSIDERED]
        return [int(id) for id in self._ids[rows[best]]]


def _passages(db: sqlite3.Connection, ranked: Sequence[tuple[int, float]], most: int) -> Iterator[Passage]:
    for id, score in ranked:
        row = db.execute(
            "SELECT collection, name, heading, text FROM pieces JOIN files ON files.id = file "
            "WHERE pieces.id = ?",
            (id,),
        ).fetchone()
        if row is None:
            continue  # taken out since
        collection, name, heading, text = row
        yield Passage(text, f"{name}, {heading}" if heading else name, collection, score)
        most -= 1
        if most <= 0:
            return
