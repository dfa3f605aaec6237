"""What an engine is inside its worker process: it opens jobs, and each job works in short steps.

Everything here is called from one thread. A step should take no more than some ten milliseconds, or look at
`Reply.cancelled` on its way, so that many jobs share the worker fairly and a cancelled one gives its place
back at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from engines.wire import Fields
from engines.worker.queue import Bounds, Want


class Progress(Enum):
    """How a job stands after a step."""

    MORE = "more"  # it may want more, now or once there is more input
    DONE = "done"


class JobError(Exception):
    """This job cannot be done; the text goes to who asked. The worker lives on."""


class Reply(Protocol):
    """The way back to who asked for the job."""

    @property
    def cancelled(self) -> bool:
        """Nobody waits any more. May turn true in the middle of a step."""

    def send(self, data: bytes, fields: Fields | None = None) -> None:
        """Sends a part of the answer."""


class Job(Protocol):
    """One piece of work. `close` is called exactly once, last, however the job ended."""

    def feed(self, data: bytes) -> None:
        """Takes a piece of input; the work on it is done in `step`."""

    def finish(self) -> None:
        """No more input comes."""

    def want(self) -> Want | None:
        """What a step would be for; None: nothing is to be done until more input comes, or its end. Asked
        after each input and each step."""

    def step(self) -> Progress: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """Loaded when it is made; what that raises ends the worker, with the reason on its standard error."""

    @property
    def bounds(self) -> Bounds:
        """How much it takes at once."""

    def describe(self) -> Fields:
        """Facts for the parent (version, rate); sent once, when the worker is ready."""

    def open(self, request: Fields, reply: Reply) -> Job:
        """Starts a job; raises `JobError` when the request makes no sense to this engine."""


@runtime_checkable
class BatchEngine(Engine, Protocol):
    """An engine whose model serves many jobs in one go."""

    def step_together(self, jobs: Sequence[Any]) -> list[Progress]:
        """A step of each, in their order: jobs of its own that want one shape. When it raises, all of them
        are as before, and each has a step alone."""
