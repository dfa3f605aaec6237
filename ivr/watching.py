"""Doing something again whenever files change, until Ctrl-C. Files are looked at by their times and sizes:
that works on every file system, network folders included."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

EVERY_S: Final = 0.3
KINDS: Final = frozenset((".yaml", ".yml", ".wav"))
"""What can change the outcome of a check: flows, scenarios, the configuration, audio files."""

CLEAR: Final = "\x1b[2J\x1b[3J\x1b[H"

Seen = dict[Path, tuple[int, int, int]]


def seen(folders: Iterable[Path]) -> Seen:
    """The files in folders, and in those below them, with what tells that one has changed."""
    found: Seen = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix not in KINDS:
                continue
            try:
                stat = path.stat()
            except OSError:
                continue  # it went between the two looks
            found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def folders_of(paths: Sequence[Path]) -> list[Path]:
    """Folders as they are, and those that files lie in."""
    return list(dict.fromkeys(path if path.is_dir() else path.parent for path in paths))


def changes(folders: Sequence[Path], sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Yields at once, and then after every change."""
    before: Seen | None = None
    while True:
        now = seen(folders)
        if now != before:
            before = now
            yield
        sleep(EVERY_S)


def watch(
    paths: Sequence[Path],
    work: Callable[[], int],
    out: TextIO | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Does `work` now and after every change beside `paths`, until Ctrl-C; gives the status of the last
    time. A terminal is cleared before."""
    out = out or sys.stdout
    status = 0
    try:
        for _ in changes(folders_of(paths), sleep):
            if out.isatty():
                out.write(CLEAR)
            status = work()
            out.write("watching for changes; Ctrl-C ends\n")
            out.flush()
    except KeyboardInterrupt:
        out.write("\n")
    return status
