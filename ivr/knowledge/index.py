"""The index of all collections: one SQLite file, written by one process and read by another.

The passages are held with their terms and sounds (`ivr.knowledge.terms`) in an FTS5 table, and with their
vectors where a model of meaning is configured. A file is read again when its content has another hash; what
is taken out is overwritten (`secure_delete`), so that nothing of it is left on the disk.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ivr.knowledge.folder import Listing, contents, listing
from ivr.knowledge.reading import CannotRead, Piece, read
from ivr.knowledge.terms import sounds, terms

MOST_PIECES: Final = 10_000
"""Of one collection: a question is answered in milliseconds then, also by vectors."""

FORM: Final = 1
"""Changes with the tables, and with how terms are made: an index of another form is made anew."""

ALL: Final = ""
"""The term that stands in `counts` for all passages."""

_TABLES: Final = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, collection TEXT NOT NULL, name TEXT NOT NULL, hash BLOB NOT NULL,
    faults TEXT NOT NULL, UNIQUE (collection, name)
);
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    heading TEXT NOT NULL, text TEXT NOT NULL, hash BLOB NOT NULL
);
CREATE INDEX pieces_of_file ON pieces (file);
CREATE INDEX pieces_by_hash ON pieces (hash);
CREATE VIRTUAL TABLE words USING fts5 (
    heading, text, sounds, tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co'", prefix = '4'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);
CREATE TABLE counts (term TEXT PRIMARY KEY, passages INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE vectors (hash BLOB PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What a collection holds after a build; `faults` are names of files and why they, or parts of them, are
    left out."""

    files: int = 0
    pieces: int = 0
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BuildReport:
    collections: Mapping[str, CollectionReport] = field(default_factory=dict)
    changed: int = 0
    """Files that were read or taken out."""


def build(index: Path, collections: Mapping[str, Path]) -> BuildReport:
    """Brings the index up to date, in one transaction. An index that is broken, or of
    another form, is made anew. Raises `sqlite3.Error`, `OSError`."""
    try:
        return _build(index, collections)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        erase(index)
        return _build(index, collections)


def erase(index: Path) -> bool:
    """Deletes the index; whether there was one."""
    there = index.exists()
    for path in (index, index.with_name(index.name + "-wal"), index.with_name(index.name + "-shm")):
        path.unlink(missing_ok=True)
    return there


def _build(index: Path, collections: Mapping[str, Path]) -> BuildReport:
    index.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(index, timeout=30.0, isolation_level=None)) as db:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if db.execute("PRAGMA user_version").fetchone()[0] not in (0, FORM):
            raise sqlite3.DatabaseError("an index of another form")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {FORM}; COMMIT;")
        gone = {name for (name,) in db.execute("SELECT DISTINCT collection FROM files")} - collections.keys()
        found = {name: listing(root) for name, root in collections.items()}
        nothing = Listing((), ())
        db.execute("BEGIN IMMEDIATE")
        try:
            changed = sum(_update(db, name, found.get(name, nothing)) for name in [*gone, *found])
            if changed:
                _settle(db)
            reports = {name: _report(db, name, listed.faults) for name, listed in found.items()}
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        if changed:
            db.execute("PRAGMA wal_checkpoint (TRUNCATE)")
        return BuildReport(reports, changed)


def _settle(db: sqlite3.Connection) -> None:
    # What was deleted stays in segments of the index until they are merged.
    db.execute("INSERT INTO words (words) VALUES ('optimize')")
    db.execute("DELETE FROM vectors WHERE hash NOT IN (SELECT hash FROM pieces)")
    db.execute("DELETE FROM counts")
    db.execute("INSERT INTO counts SELECT term, doc FROM vocabulary")
    db.execute("INSERT INTO counts SELECT ?, count(*) FROM pieces", (ALL,))


def _update(db: sqlite3.Connection, collection: str, found: Listing) -> int:
    """Reads what has changed, forgets what is gone; how many files that were."""
    known = {
        name: (id, hash)
        for id, name, hash in db.execute(
            "SELECT id, name, hash FROM files WHERE collection = ?", (collection,)
        )
    }
    changed = 0
    for file in found.files:
        id, before = known.pop(file.name, (None, b""))
        try:
            data = contents(file)
        except CannotRead as error:
            hash, said = b"", str(error)
        else:
            hash, said = hashlib.sha256(data).digest(), ""
            if hash == before:
                continue
        if id is not None:
            _forget(db, id)
        pieces, faults = ((), (said,)) if said else _read(file.name, data)
        _remember(db, collection, file.name, hash, pieces, faults)
        changed += 1
    for id, _ in known.values():
        _forget(db, id)
        changed += 1
    return changed


def _read(name: str, data: bytes) -> tuple[Sequence[Piece], Sequence[str]]:
    try:
        found = read(name, data)
    except CannotRead as error:
        return (), (str(error),)
    return found.pieces, found.faults


def _forget(db: sqlite3.Connection, file: int) -> None:
    db.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM pieces WHERE file = ?)", (file,))
    db.execute("DELETE FROM files WHERE id = ?", (file,))


def _remember(
    db: sqlite3.Connection,
    collection: str,
    name: str,
    hash: bytes,
    pieces: Sequence[Piece],
    faults: Sequence[str],
) -> None:
    (held,) = db.execute(
        "SELECT count(*) FROM pieces JOIN files ON files.id = file WHERE collection = ?", (collection,)
    ).fetchone()
    if held + len(pieces) > MOST_PIECES:
        pieces = pieces[: max(MOST_PIECES - held, 0)]
        faults = (*faults, f"is left out, or in part: {MOST_PIECES} passages of a collection are the most")
    file = db.execute(
        "INSERT INTO files (collection, name, hash, faults) VALUES (?, ?, ?, ?)",
        (collection, name, hash, json.dumps(faults)),
    ).lastrowid
    for piece in pieces:
        whole = f"{piece.heading}\n{piece.text}"
        row = db.execute(
            "INSERT INTO pieces (file, heading, text, hash) VALUES (?, ?, ?, ?)",
            (file, piece.heading, piece.text, hashlib.sha256(whole.encode()).digest()),
        ).lastrowid
        title = f"{_title(name)} {piece.heading}"
        db.execute(
            "INSERT INTO words (rowid, heading, text, sounds) VALUES (?, ?, ?, ?)",
            (
                row,
                " ".join(terms(title)),
                " ".join(terms(piece.text)),
                " ".join(sounds(f"{title} {piece.text}")),
            ),
        )


def _title(name: str) -> str:
    """A file's name says what it is about: `delivery-times.md`."""
    return name.rpartition("/")[2].rpartition(".")[0]


def _report(db: sqlite3.Connection, collection: str, unread: Sequence[tuple[str, str]]) -> CollectionReport:
    faults = list(unread)
    count = 0
    rows = db.execute("SELECT name, faults FROM files WHERE collection = ? ORDER BY name", (collection,))
    for name, told in rows.fetchall():
        count += 1
        faults += [(name, fault) for fault in json.loads(told)]
    (pieces,) = db.execute(
        "SELECT count(*) FROM pieces JOIN files ON files.id = file WHERE collection = ?", (collection,)
    ).fetchone()
    return CollectionReport(count, pieces, tuple(faults))
