"""One large file over HTTP: resumed where it broke off, checked when it is whole, never half there."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from engines.backoff import Backoff
from engines.installing.sources import InstallError, RemoteFile

OnProgress = Callable[[int], None]
"""Takes how many bytes of the file are there."""

_CHUNK: Final = 1024 * 1024
_TRIES: Final = 6
"""In a row without a byte more."""


async def download(
    client: httpx.AsyncClient,
    file: RemoteFile,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    *,
    first_wait_s: float = 1.0,
) -> Path:
    """Fetches `file` below `folder`, unless it is there already, and gives its path.

    What was fetched before a break is kept beside it, as `.part`, and gone on with: also by a later call. A
    file whose size or checksum is wrong is fetched once more from the beginning. Raises `InstallError`.
    """
    target = folder / file.path
    if await asyncio.to_thread(_is_right, target, file):
        on_progress(file.size)
        return target
    await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for attempt in range(2):
        await _fetch(client, file, part, on_progress, first_wait_s)
        if await asyncio.to_thread(_is_right, part, file):
            await asyncio.to_thread(part.replace, target)
            return target
        await asyncio.to_thread(part.unlink, missing_ok=True)
        if attempt == 0:
            on_progress(0)
    raise InstallError(f"{file.url}: came twice with a wrong checksum")


async def _fetch(
    client: httpx.AsyncClient, file: RemoteFile, part: Path, on_progress: OnProgress, first_wait_s: float
) -> None:
    backoff = Backoff(first_wait_s, 30.0, draw=random.Random())
    tries = 0
    while (have := _size(part)) != file.size:
        if have > file.size:
            await asyncio.to_thread(part.unlink)
            have = 0
        try:
            await _fetch_from(client, file, part, have, on_progress)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status in (401, 403, 404):
                raise InstallError(f"{file.url}: {status} {error.response.reason_phrase}") from error
            failure: Exception = error
        except httpx.HTTPError as error:
            failure = error
        else:
            failure = InstallError("the connection was closed early")
        if _size(part) > have:
            tries = 0
            backoff.reset()
            continue
        tries += 1
        if tries >= _TRIES:
            raise InstallError(f"{file.url}: {failure or type(failure).__name__}") from failure
        await asyncio.sleep(backoff.next())


async def _fetch_from(
    client: httpx.AsyncClient, file: RemoteFile, part: Path, have: int, on_progress: OnProgress
) -> None:
    # Compressed by the way, a file would have another length.
    headers = {"Accept-Encoding": "identity", **file.headers}
    if have:
        headers["Range"] = f"bytes={have}-"
    async with client.stream("GET", file.url, headers=headers) as response:
        response.raise_for_status()
        resumed = response.status_code == 206
        with part.open("ab" if resumed else "wb") as out:
            done = have if resumed else 0
            # As it arrives: what is held back to fill a piece would be lost in a break.
            async for chunk in response.aiter_raw():
                out.write(chunk)
                done += len(chunk)
                on_progress(done)


def _is_right(path: Path, file: RemoteFile) -> bool:
    if _size(path) != file.size or not path.exists():
        return False
    if file.checksum is None:
        return True
    if file.checksum.kind == "sha256":
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == file.checksum.hex


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
