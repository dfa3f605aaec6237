"""smart-turn v3 inside its worker process: the sound of a turn in, how likely it is over out.

The model is an ONNX file of pipecat-ai/smart-turn (BSD-2-Clause): `input_features`, a spectrogram of 8 s, to
one number between 0 and 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from engines.turns.features import BANDS, FRAMES, RATE, SECONDS, features
from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want
from engines.worker.settings import settings
from media.onnx_session import open_session
from media.resample import resample_clip

INPUT: Final = "input_features"


class SmartTurnModel:
    """Raises `ValueError` when the file is no such model."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        inputs = [(each.name, each.shape[1:]) for each in self._session.get_inputs()]
        if inputs != [(INPUT, [BANDS, FRAMES])]:
            raise ValueError(f"{path} is no model of smart-turn v3: it takes {inputs}")

    def probability(self, pcm: bytes, rate: int) -> float:
        """How likely the turn is over with the end of `pcm`, of which the last 8 s count."""
        last = pcm[-2 * rate * SECONDS :]
        samples = np.frombuffer(resample_clip(last, rate, RATE), "<i2").astype(np.float32) / 32768.0
        (found,) = self._session.run(None, {INPUT: features(samples)[np.newaxis]})[:1]
        return float(np.clip(np.ravel(found)[0], 0.0, 1.0))


class SmartTurnEngine:
    """Setting: `model`, the file. A job takes PCM and answers `probability`; `request` has its `rate`."""

    bounds = Bounds(jobs=16)

    def __init__(self) -> None:
        self._model = SmartTurnModel(Path(str(settings()["model"])))
        self._model.probability(bytes(2 * RATE), RATE)  # the first run allocates

    def describe(self) -> Fields:
        return {}

    def open(self, request: Fields, reply: Reply) -> TurnJob:
        rate = int(request["rate"])
        if rate < 8000:
            raise JobError(f"the end of a turn is not heard at {rate} Hz; 8000 is the least")
        return TurnJob(self._model, rate, reply)


class TurnJob:
    """One pause of one caller."""

    def __init__(self, model: SmartTurnModel, rate: int, reply: Reply) -> None:
        self._model = model
        self._rate = rate
        self._reply = reply
        self._pcm = bytearray()
        self._finished = False

    def feed(self, data: bytes) -> None:
        self._pcm += data

    def finish(self) -> None:
        self._finished = True

    def want(self) -> Want | None:
        return Want(Priority.PAUSE) if self._finished else None

    def step(self) -> Progress:
        self._reply.send(b"", {"probability": self._model.probability(bytes(self._pcm), self._rate)})
        return Progress.DONE

    def close(self) -> None:
        pass
