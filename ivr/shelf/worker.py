"""The process that reads flows: what takes the interpreter for milliseconds must not run beside live media.

Started as an engine's worker is. First it is told `do: know`, with the folder, the environment and what is
known of its files, pickled, as input; then `do: look` (with `settled`), or `do: check` with a `file` and its
text as input. Each answer is a pickled sighting.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator
from typing import Any

from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want
from ivr.shelf.folder import FlowFolder, FolderUnreadable
from ivr.shelf.version import Sighting


class FlowEngine:
    """Holds the folder once it is known."""

    bounds = Bounds()

    def __init__(self) -> None:
        self.folder: FlowFolder | None = None
        # What is read is many small objects and no cycle: to look for some again and again takes a tenth.
        gc.disable()

    def describe(self) -> Fields:
        return {}

    def open(self, request: Fields, reply: Reply) -> FlowJob:
        return FlowJob(self, request, reply)


class FlowJob:
    """One request; each step reads one file."""

    def __init__(self, engine: FlowEngine, request: Fields, reply: Reply) -> None:
        self._engine = engine
        self._request = request
        self._reply = reply
        self._input = bytearray()
        self._complete = False
        self._sightings: Iterator[Sighting] | None = None
        self._read = False

    def feed(self, data: bytes) -> None:
        self._input += data

    def finish(self) -> None:
        self._complete = True

    def want(self) -> Want | None:
        return Want(Priority.REST) if self._complete else None

    def step(self) -> Progress:
        if self._sightings is None:
            self._sightings = self._begin(bytes(self._input))
        try:
            sighting = next(self._sightings, None)
        except FolderUnreadable as error:
            raise JobError(str(error)) from error
        if sighting is None:
            return Progress.DONE
        self._read = True
        self._reply.send(pickle.dumps(sighting, pickle.HIGHEST_PROTOCOL))
        return Progress.MORE

    def close(self) -> None:
        self._sightings = None
        if self._read:
            gc.collect()

    def _begin(self, data: bytes) -> Iterator[Sighting]:
        request: dict[str, Any] = self._request
        if request["do"] == "know":
            self._engine.folder = FlowFolder(*pickle.loads(data))  # from our own parent
            return iter(())
        folder = self._engine.folder
        if folder is None:
            raise JobError("the folder is not known yet")
        if request["do"] == "look":
            return folder.look(settled=bool(request["settled"]))
        return iter(folder.check(str(request["file"]), data))
