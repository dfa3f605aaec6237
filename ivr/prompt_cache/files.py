"""Prompts on disk as they go on the wire, one file each, shared by all processes that use the folder.

    magic | length of the header, 4 bytes | header, the key as JSON | payloads | SHA-256 of all before

A file is written beside and renamed into place, so that no reader sees half of one. What is damaged all the
same (a disk, a crash of the machine) fails its checksum: it is deleted, and made anew. Names are digests; the
text in the header is that of a prompt without values of a call: others never come here. Where payloads differ
in size (Opus) the header has their `sizes`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final

from ivr.prompt_cache.key import PromptKey
from media.all_codecs import ALL_CODECS
from media.codecs import FRAME_MS

log = logging.getLogger(__name__)

_MAGIC: Final = b"IVRPRMT1"
_SUM_BYTES: Final = 32
_FOLDERS: Final = "[0-9a-f][0-9a-f]"
_PART: Final = ".part"
_ABANDONED_S: Final = 3600.0
"""A file half written for so long is of a process that died."""
_KEPT_SHARE: Final = 0.9
"""Of the limit, after an eviction: so that not each new file brings one."""
_LOOKS: Final = 16
"""After a sixteenth of the limit was written the folder is measured anew: other processes write as well."""


class _Damaged(Exception):
    """Not a prompt, or not all of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One prompt on disk; `used_at` is Unix time, `size` in bytes of the disk."""

    path: Path
    key: PromptKey
    seconds: float
    size: int
    used_at: float


class PromptFiles:
    """The folder of prompts. All methods block: call them in a thread; they may run in several at once."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """With a limit of 0 nothing is kept, and nothing found."""
        self._folder = folder
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._unmeasured = 0
        self.bytes = 0
        """As last measured, and what was written since."""
        self.evicted = 0
        """How many had to go for others."""
        self.damaged = 0

    def load(self, key: PromptKey) -> list[bytes] | None:
        """The payloads; None where there are none. Never raises for what lies there."""
        if not self._limit:
            return None
        path = self._path(key)
        try:
            found, payload = _parse(path.read_bytes())
            if found != key:
                raise _Damaged("it is another prompt")
        except FileNotFoundError:
            return None
        except (OSError, _Damaged) as error:
            log.warning("a prompt on disk cannot be used, and is made anew: %s: %s", path, error)
            self.damaged += 1
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        self.touch(key)
        return payload

    def touch(self, key: PromptKey) -> None:
        """It was used now."""
        with contextlib.suppress(OSError):
            os.utime(self._path(key))

    def keep(self, key: PromptKey, frames: list[bytes]) -> int:
        """Stores the payloads and gives the size of the file; 0 when it could not be written: a full disk
        costs the cache, not the call."""
        if not self._limit:
            return 0
        path = self._path(key)
        data = _serialise(key, frames)
        beside = path.with_name(f".{secrets.token_hex(8)}{_PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(path)
        except OSError as error:
            log.warning("the prompt cache cannot be written: %s", error)
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            return 0
        with self._lock:
            self.bytes += len(data)
            self._unmeasured += len(data)
            full = self.bytes > self._limit or self._unmeasured > self._limit // _LOOKS
        if full:
            self.tidy()
        return len(data)

    def tidy(self) -> None:
        """Measures the folder; when it is over its limit, what was used least recently goes."""
        with self._lock:
            files = self._measured()
            total = sum(size for _, size, _ in files)
            if total > self._limit:
                for _, size, path in sorted(files):
                    with contextlib.suppress(OSError):
                        path.unlink(missing_ok=True)
                    total -= size
                    self.evicted += 1
                    if total <= self._limit * _KEPT_SHARE:
                        break
            self.bytes = total
            self._unmeasured = 0

    def entries(self) -> Iterator[Entry]:
        """All that are whole."""
        for used_at, size, path in self._measured():
            with contextlib.suppress(OSError, _Damaged):
                key, frames = _parse(path.read_bytes())
                yield Entry(path, key, len(frames) * FRAME_MS / 1000, size, used_at)

    def clear(self, which: Callable[[Entry], bool] | None = None) -> int:
        """Deletes those entries, or whatever lies in the folder; says how many. Raises `OSError`."""
        paths = (
            [path for *_, path in self._measured()]
            if which is None
            else [entry.path for entry in self.entries() if which(entry)]
        )
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _path(self, key: PromptKey) -> Path:
        digest = key.digest
        return self._folder / digest[:2] / digest

    def _measured(self) -> list[tuple[float, int, Path]]:
        """When each was used, its size, and where it is; clears away what was never finished."""
        found = []
        for path in self._folder.glob(f"{_FOLDERS}/*"):
            try:
                state = path.stat()
                if path.name.endswith(_PART):
                    if time.time() - state.st_mtime > _ABANDONED_S:
                        path.unlink(missing_ok=True)
                elif path.is_file():
                    found.append((state.st_mtime, state.st_size, path))
            except OSError:
                continue  # another process was faster
        return found


def _serialise(key: PromptKey, frames: list[bytes]) -> bytes:
    told = asdict(key)
    if ALL_CODECS[key.codec].whole:
        told["sizes"] = list(map(len, frames))
    header = json.dumps(told, ensure_ascii=False).encode()
    body = b"".join((_MAGIC, len(header).to_bytes(4, "big"), header, *frames))
    return body + hashlib.sha256(body).digest()


def _parse(data: bytes) -> tuple[PromptKey, list[bytes]]:
    body, checksum = data[:-_SUM_BYTES], data[-_SUM_BYTES:]
    if not body.startswith(_MAGIC):
        raise _Damaged("it is no prompt")
    if hashlib.sha256(body).digest() != checksum:
        raise _Damaged("the checksum is wrong")
    at = len(_MAGIC) + 4
    length = int.from_bytes(body[len(_MAGIC) : at], "big")
    try:
        fields: dict[str, Any] = json.loads(body[at : at + length])
        sizes: list[int] | None = fields.pop("sizes", None)
        key = PromptKey(**fields)
        codec = ALL_CODECS[key.codec]
        if codec.whole != (sizes is not None):
            raise ValueError("sizes")
    except (ValueError, TypeError, KeyError) as error:
        raise _Damaged(f"the header is not understood: {error}") from error
    payload = body[at + length :]
    if sizes is None:
        sizes = [codec.frame_bytes] * (len(payload) // codec.frame_bytes)
    ends = list(accumulate(sizes, initial=0))
    if ends[-1] != len(payload):
        raise _Damaged("it ends within a frame")
    return key, [payload[begin:end] for begin, end in pairwise(ends)]
