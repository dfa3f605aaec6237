"""The vectors of an index: made for what has none yet, kept by the text that they stand for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx

from ivr.knowledge.embedding import EmbeddingError, EmbeddingServer, embed

BATCH: Final = 32
BATCH_S: Final = 30.0
"""How long a server may take for a batch; nobody waits."""


async def fill(index: Path, server: EmbeddingServer) -> tuple[int, str]:
    """Makes the vectors that are missing, and forgets those of another model. How many are missing still, and
    why. Raises `sqlite3.Error`."""
    async with httpx.AsyncClient(follow_redirects=False) as client:
        with closing(sqlite3.connect(index, timeout=30.0, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("DELETE FROM vectors WHERE model != ?", (server.model,))
            missing = db.execute(
                "SELECT hash, heading || char(10) || text FROM pieces "
                "WHERE hash NOT IN (SELECT hash FROM vectors) GROUP BY hash"
            ).fetchall()
            for at in range(0, len(missing), BATCH):
                batch = missing[at : at + BATCH]
                try:
                    vectors = await embed(client, server, [text for _, text in batch], BATCH_S)
                except EmbeddingError as error:
                    return len(missing) - at, str(error)
                rows = [
                    (hash, server.model, vector.tobytes())
                    for (hash, _), vector in zip(batch, vectors, strict=True)
                ]
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
                db.execute("COMMIT")
    return 0, ""
