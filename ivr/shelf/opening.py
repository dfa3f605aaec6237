"""The library at the start: the folder as it is, and where that is not good, the last versions that were."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ivr.config import Config
from ivr.flow.loader import Environment, flows_of, read_text
from ivr.library import Change, Entry, FlowLibrary, LibraryError, environment_of
from ivr.shelf.folder import FlowFolder, FolderUnreadable, Memory
from ivr.shelf.keeper import FILE, version_of
from ivr.shelf.version import Version
from ivr.store import FlowVersion, Store

log = logging.getLogger(__name__)


async def open_library(config: Config, store: Store) -> tuple[FlowLibrary, Memory]:
    """The flows of the configured folder, and what is known of its files.

    A flow whose file is broken, or gone though a number needs it, answers with the last version that the
    store has, as it did before the restart. Raises `LibraryError` when a number is left without a flow.
    """
    kept = {version.flow: version for version in await store.newest_flow_versions()}
    library, memory, added = await asyncio.to_thread(read_library, config, kept)
    if added:
        await store.keep_flow_versions([version_of(change.entry, change.text) for change in added])
    return library, memory


def read_library(
    config: Config, kept: Mapping[str, FlowVersion] = MappingProxyType({})
) -> tuple[FlowLibrary, Memory, list[Change]]:
    """The same without a store: `kept` are its last versions. Also gives what the history lacks."""
    environment = environment_of(config)
    library = FlowLibrary(config.flows, config.numbers)
    folder = FlowFolder(config.flows, environment)
    changes: list[Change] = []
    try:
        for sighting in folder.look(settled=False):
            changes += library.take(sighting, time.time(), FILE)
    except FolderUnreadable as error:
        # A number that needs a flow of it is told below; a server without numbers may get its flows later.
        log.warning("flows: %s", error)
    added = [c for c in changes if c.what == "added" and not _known(library, kept, c.entry)]
    for name in {inbound.flow for inbound in config.numbers.values()} | {entry.name for entry in library}:
        entry = library.entry(name)
        if (entry is None or entry.version is None) and name in kept:
            _restore(library, config.flows, environment, kept[name])
    if lacking := library.lacking():
        raise LibraryError("\n".join(lacking))
    for entry in library:
        for problem in entry.problems:
            log.error("flow %s (%s): %s", entry.name, entry.state, problem)
    return library, folder.memory, added


def _known(library: FlowLibrary, kept: Mapping[str, FlowVersion], entry: Entry) -> bool:
    """Whether the history ends with this very version: then it answers since it was put."""
    last = kept.get(entry.name)
    if last is None or entry.version is None or last.hash != entry.version.hash:
        return False
    library.date(entry.name, last.at, last.by)
    return True


def _restore(library: FlowLibrary, folder: Path, environment: Environment, last: FlowVersion) -> None:
    siblings = flows_of(folder, environment)
    read = read_text(folder / last.file, last.text.encode(), environment, siblings)
    if read.flow is None or read.problems or read.flow.name != last.flow:
        return
    version = Version.of(read.flow)
    if not library.unfit(version, last.file):
        library.restore(version, last.file, last.at, last.by)
        log.warning("flow %s: version %s of the store answers", last.flow, version.hash)
