"""The files of a collection: which there are, and which of them are not read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr.knowledge.reading import MOST_BYTES, CannotRead, readable

MOST_FILES: Final = 2_000
MOST_DEPTH: Final = 8
_MOST_ENTRIES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """A file by its name within the collection, and how it stands: when either changes, so may its text."""

    name: str
    path: Path
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    files: tuple[Found, ...]
    faults: tuple[tuple[str, str], ...]
    """Names, and why they are not read."""


def listing(root: Path) -> Listing:
    """All that is to be read below a folder, or the file that `root` is, in the order of names."""
    faults: list[tuple[str, str]] = []
    files: list[Found] = []
    try:
        named = os.lstat(root) if not root.is_symlink() else os.stat(root)
    except OSError as error:
        return Listing((), ((root.name, error.strerror or str(error)),))
    entries = _below(root, "", 0, faults) if stat.S_ISDIR(named.st_mode) else iter([(root.name, root, named)])
    for count, (name, path, known) in enumerate(entries):
        if count >= _MOST_ENTRIES or len(files) >= MOST_FILES:
            faults.append((name, f"and all after it: {MOST_FILES} files are the most"))
            break
        if (fault := _fault(name, known)) is not None:
            faults.append((name, fault))
        else:
            files.append(Found(name, path, known.st_size, known.st_mtime_ns))
    return Listing(tuple(files), tuple(faults))


def contents(found: Found) -> bytes:
    """The bytes of a file, if it still is one. Raises `CannotRead`."""
    try:
        # What became a pipe meanwhile would be waited for.
        descriptor = os.open(found.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CannotRead(error.strerror or str(error)) from error
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CannotRead("is no file")
        return file.read(MOST_BYTES + 1)


def _below(
    folder: Path, within: str, depth: int, faults: list[tuple[str, str]]
) -> Iterator[tuple[str, Path, os.stat_result]]:
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        faults.append((within or folder.name, error.strerror or str(error)))
        return
    for entry in entries:
        if entry.name.startswith((".", "~")) or entry.name.endswith("~"):
            continue  # what editors and file managers leave
        name = f"{within}{entry.name}"
        try:
            known = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # gone already
        if not stat.S_ISDIR(known.st_mode):
            yield name, Path(entry.path), known
        elif depth >= MOST_DEPTH:
            faults.append((name, f"lies more than {MOST_DEPTH} folders deep"))
        else:
            yield from _below(Path(entry.path), f"{name}/", depth + 1, faults)


def _fault(name: str, known: os.stat_result) -> str | None:
    if stat.S_ISLNK(known.st_mode):
        return "is a link; links are not followed"
    if not stat.S_ISREG(known.st_mode):
        return "is no file"
    if not readable(name):
        return "is neither Markdown (.md, .txt) nor a table (.csv, .tsv)"
    if known.st_size > MOST_BYTES:
        size, most = known.st_size / 1024 / 1024, MOST_BYTES // 1024 // 1024
        return f"is {size:.0f} MiB; {most} MiB are the most: split it"
    return None
