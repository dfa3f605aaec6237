"""A model of meaning as who uses it sees it: in a process of its own, asked from the event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engines.catalogue import Installed, Kind, find
from engines.catalogue.embedding import PREFIXES
from engines.contract import EngineError
from engines.embedding.use import Use
from engines.launch import WorkerCommand
from engines.running_here import OFFLINE, CannotUse, weights_of
from engines.supervisor import Limits, SupervisedWorker, WorkerHealth

LIMITS: Final = Limits(start_s=120.0, ping_wait_s=5.0, stuck_s=30.0, memory_bytes=6 * 1024**3)
"""torch alone takes seconds to import, and with a card gigabytes of memory that are no leak."""

_THREADS: Final = "2"
"""A question is milliseconds of work: it should not take all cores from the calls."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How a model runs here. `interpreter` is that of its virtual environment, `weights` the folder of its
    weights, `device` cpu or a card. `more` is told to the worker as it is: a folder with another model may
    want another `question` and `passage` before its texts."""

    interpreter: Path | None = None
    weights: Path | None = None
    device: str = "cpu"
    more: Mapping[str, Any] = field(default_factory=dict)


def command_of(name: str, settings: EncoderSettings) -> WorkerCommand:
    """How the model of a name is started.

    Raises `UnknownEngine` for a name that is none, `CannotUse` when something is missing.
    """
    entry = find(name)
    if entry.kind is not Kind.EMBEDDING or not isinstance(entry.runs, Installed):
        raise CannotUse(f"{name} {entry.kind.does}, it makes no vectors of texts")
    weights = weights_of(entry, settings.weights)
    if settings.interpreter is None:
        raise CannotUse(f"{name} has no environment: run `ivr engines install {name}`")
    return WorkerCommand(
        entry.runs.worker,
        str(settings.interpreter),
        environment={**OFFLINE, "OMP_NUM_THREADS": _THREADS},
        settings={"device": settings.device, **PREFIXES[name], **settings.more, "model": str(weights)},
    )


class Encoder:
    """One model in its worker."""

    def __init__(self, name: str, command: WorkerCommand, limits: Limits = LIMITS) -> None:
        self._worker = SupervisedWorker(name, command, limits)

    @property
    def health(self) -> WorkerHealth:
        return self._worker.health

    async def start(self) -> None:
        """Raises `EngineUnavailable` or `EngineTimeout`; it may be called again then."""
        await self._worker.start()

    async def close(self) -> None:
        await self._worker.close()

    async def encode(
        self, texts: Sequence[str], use: Use, *, deadline_s: float
    ) -> list[npt.NDArray[np.float32]]:
        """A vector for each text. Raises `EngineError`; past the deadline the worker drops what it has not
        begun."""
        deadline = asyncio.get_running_loop().time() + deadline_s
        job = self._worker.open({"use": use})
        rows: list[npt.NDArray[np.float32]] = []
        try:
            await job.write_all(json.dumps(texts).encode(), deadline)
            job.finish()
            while frame := await job.receive(deadline):
                flat = np.frombuffer(frame.data, np.float32)
                rows.extend(flat.reshape(-1, int(frame.fields["dimensions"])))
        finally:
            job.cancel()
        if len(rows) != len(texts):
            raise EngineError(f"{len(rows)} vectors came for {len(texts)} texts")
        return rows
