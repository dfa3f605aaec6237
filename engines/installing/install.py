"""Installs one engine: its environment, then its weights."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import httpx

from engines.catalogue import CatalogueEntry, Cloud, Embedded, Installed
from engines.installing import environments, voices
from engines.installing.downloads import download
from engines.installing.shelf import Shelf
from engines.installing.sources import Bases, InstallError, RemoteFile, files_of

_AT_ONCE: Final = 3
_SPARE_BYTES: Final = 512 * 1024 * 1024
"""Left free on the disk."""


class Progress(Protocol):
    """What a person sees of it."""

    def say(self, text: str) -> None: ...

    def begin(self, path: str, size: int) -> None: ...

    def update(self, path: str, done: int) -> None: ...


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """`python` makes the environment; `environment` False leaves it alone (there is one already).
    `licence_accepted`: somebody keeps to the terms of weights that may not earn money."""

    bases: Bases = field(default_factory=Bases)
    python: str = sys.executable
    environment: bool = True
    licence_accepted: bool = False
    first_wait_s: float = 1.0


async def install(
    entry: CatalogueEntry, shelf: Shelf, progress: Progress, options: InstallOptions | None = None
) -> None:
    """Fetches what is missing; what is there and right is left. May be interrupted and called again. Raises
    `InstallError`.
    """
    options = options or InstallOptions()
    match entry.runs:
        case Embedded():
            progress.say(f"{entry.name} is embedded: there is nothing to install")
            return
        case Cloud():
            raise InstallError(f"{entry.name} is a service: set {entry.runs.key_variable} to your key")
        case Installed():
            await _install(entry, entry.runs, shelf, progress, options)


async def _install(
    entry: CatalogueEntry, runs: Installed, shelf: Shelf, progress: Progress, options: InstallOptions
) -> None:
    accepted = options.licence_accepted or shelf.record(entry).licence_accepted
    if not entry.licence.commercial and not accepted:
        raise InstallError(
            f"the weights of {entry.name} ({entry.licence.weights}) may not be used to earn money: it stays "
            "off unless you say --accept-licence, and keep to it"
        )
    bases = replace(options.bases, token=options.bases.token or os.environ.get("HF_TOKEN"))
    timeout = httpx.Timeout(30.0, pool=None)
    async with httpx.AsyncClient(timeout=timeout, follow_redirects=True) as client:
        files: list[RemoteFile] = []
        for source in runs.weights:
            files += await files_of(client, source, bases)
        folder = shelf.weights_folder(entry)
        folder.mkdir(parents=True, exist_ok=True)
        have = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        need = max(0, sum(file.size for file in files) - have) + _SPARE_BYTES
        free = shutil.disk_usage(folder).free
        if need > free:
            raise InstallError(f"{entry.name} needs {need >> 20} MB more; {folder} has {free >> 20} MB free")
        if options.environment:
            environment = shelf.environment(runs.environment)
            await environments.build(runs.environment, environment, options.python, progress.say)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def fetch(file: RemoteFile) -> None:
            async with slots:
                progress.begin(file.path, file.size)
                update = _updater(progress, file.path)
                await download(client, file, folder, update, first_wait_s=options.first_wait_s)

        try:
            async with asyncio.TaskGroup() as tasks:
                for file in files:
                    tasks.create_task(fetch(file))
        except* InstallError as failures:
            raise InstallError(str(failures.exceptions[0])) from failures
    for line in await asyncio.to_thread(voices.finish, entry, folder):
        progress.say(line)
    shelf.note(
        entry,
        files={file.path: _noted(file) for file in files},
        environment=runs.environment.name,
        licence_accepted=accepted,
    )
    progress.say(f"{entry.name} is installed")


def _noted(file: RemoteFile) -> dict[str, object]:
    noted: dict[str, object] = {"size": file.size}
    if file.checksum:
        noted[file.checksum.kind] = file.checksum.hex
    return noted


def _updater(progress: Progress, path: str) -> Callable[[int], None]:
    return lambda done: progress.update(path, done)
