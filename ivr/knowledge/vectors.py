"""The vectors of an index: made for what has none yet, kept by the text that they stand for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from ivr.knowledge.embedding import EmbeddingError
from ivr.knowledge.meaning import Source, meaning_of

BATCH: Final = 32
BATCH_S: Final = 30.0
"""How long a model may take for a batch; nobody waits."""


async def fill(index: Path, source: Source) -> tuple[int, str]:
    """Makes the vectors that are missing, and forgets those of another model. How many are missing still, and
    why. Raises `sqlite3.Error`."""
    with closing(sqlite3.connect(index, timeout=30.0, isolation_level=None)) as db:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("DELETE FROM vectors WHERE model != ?", (source.model,))
        missing = db.execute(
            "SELECT hash, heading || char(10) || text FROM pieces "
            "WHERE hash NOT IN (SELECT hash FROM vectors) GROUP BY hash"
        ).fetchall()
        return await _make(db, source, missing) if missing else (0, "")


async def _make(db: sqlite3.Connection, source: Source, missing: list[tuple[bytes, str]]) -> tuple[int, str]:
    done = 0
    meaning = meaning_of(source)
    try:
        await meaning.start()
        for at in range(0, len(missing), BATCH):
            batch = missing[at : at + BATCH]
            vectors = await meaning.passages([text for _, text in batch], BATCH_S)
            rows = [
                (hash, source.model, vector.tobytes())
                for (hash, _), vector in zip(batch, vectors, strict=True)
            ]
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            db.execute("COMMIT")
            done += len(batch)
    except EmbeddingError as error:
        return len(missing) - done, str(error)
    finally:
        await meaning.close()
    return 0, ""
