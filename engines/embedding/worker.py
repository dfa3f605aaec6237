"""A model of sentence-transformers inside its worker process: texts in, vectors of length 1 out.

A job gets a JSON array of texts and answers with rows of 32-bit floats, in their order. The questions of
callers come first, and those that wait together are encoded together; passages go a few in a step, so that a
question waits for no more than those.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engines.embedding.use import MOST_BYTES, MOST_TEXTS, Use
from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want
from engines.worker.settings import settings

_IN_A_STEP: Final = 4


class SentenceTransformersEngine:
    """Settings: `model` (folder), `device` (cpu, cuda, cuda:1), and what the model wants to read before each
    `question` and each `passage`. A request has its `use`."""

    bounds = Bounds(jobs=64, batch=16)

    def __init__(self) -> None:
        given = settings()
        if "model" not in given:
            raise ValueError("no model is set: `ivr engines install multilingual-e5-small` fetches one")
        from sentence_transformers import SentenceTransformer

        self._device = str(given.get("device", "cpu"))
        self._prompts = {use: str(given.get(use, "")) for use in Use}
        self._model: Any = SentenceTransformer(
            str(given["model"]), device=self._device, local_files_only=True
        )
        self._dimensions = self.encode(["."], Use.QUESTION).shape[1]  # the first run allocates

    def describe(self) -> Fields:
        return {"device": self._device, "dimensions": self._dimensions}

    def open(self, request: Fields, reply: Reply) -> EncodingJob:
        if request.get("use") not in set(Use):
            raise JobError(f"texts are encoded as one of {', '.join(Use)}")
        return EncodingJob(self, Use(request["use"]), reply)

    def step_together(self, jobs: Sequence[EncodingJob]) -> list[Progress]:
        """Of questions alone: only they have a shape."""
        parts = [job.next_texts() for job in jobs]
        rows = self.encode([text for part in parts for text in part], Use.QUESTION)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return [job.answer(part) for job, part in zip(jobs, np.split(rows, ends), strict=True)]

    def encode(self, texts: Sequence[str], use: Use) -> npt.NDArray[np.float32]:
        rows = self._model.encode(
            list(texts),
            prompt=self._prompts[use] or None,
            batch_size=len(texts),
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return np.ascontiguousarray(rows, dtype=np.float32)


class EncodingJob:
    """A caller's question, or passages of a build."""

    def __init__(self, engine: SentenceTransformersEngine, use: Use, reply: Reply) -> None:
        self._engine = engine
        self._use = use
        self._reply = reply
        self._data = bytearray()
        self._texts: list[str] | None = None
        self._done = 0

    def feed(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > MOST_BYTES:
            raise JobError(f"texts of over {MOST_BYTES // 1024} KiB are too much for one request")

    def finish(self) -> None:
        try:
            texts = json.loads(self._data)
        except ValueError as error:
            raise JobError(f"the texts are no JSON: {error}") from error
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise JobError("the texts are no list of texts")
        if not 0 < len(texts) <= MOST_TEXTS:
            raise JobError(f"1 to {MOST_TEXTS} texts are encoded at once, not {len(texts)}")
        self._texts = texts

    def want(self) -> Want | None:
        if self._texts is None:
            return None
        if self._use is Use.QUESTION:
            return Want(Priority.FINAL, Use.QUESTION)
        return Want(Priority.BULK)

    def step(self) -> Progress:
        return self.answer(self._engine.encode(self.next_texts(), self._use))

    def next_texts(self) -> list[str]:
        """Those of the next step."""
        assert self._texts is not None
        return self._texts[self._done : self._done + _IN_A_STEP]

    def answer(self, rows: npt.NDArray[np.float32]) -> Progress:
        assert self._texts is not None
        self._reply.send(rows.tobytes(), {"dimensions": rows.shape[1]})
        self._done += len(rows)
        return Progress.DONE if self._done == len(self._texts) else Progress.MORE

    def close(self) -> None:
        pass
