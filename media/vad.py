"""Voice activity for all listening streams of the process: one batched model call in one thread, off the
loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media.silero import CHUNK_SAMPLES, SileroModel, model_path

_log = logging.getLogger(__name__)

_CHUNK_BYTES: Final = CHUNK_SAMPLES * 2

_GATHER_S: Final = 0.010
"""How long a ready chunk waits for those of other streams: a batch of 32 costs as much as 7 single calls."""

_MOST_PENDING_BYTES: Final = 32 * _CHUNK_BYTES
"""A second. What is older is skipped when the machine does not keep up: speech now matters more than speech
then.
"""

OnProbability = Callable[[float, int], None]
"""Takes the probability of speech (0 to 1) in a chunk of 32 ms, and the stream's sample at which the chunk
ends.
"""


class VadStream:
    """One listening stream; made by `VadBatch.open`."""

    def __init__(self, batch: VadBatch, slot: int, on_probability: OnProbability) -> None:
        self._batch: VadBatch | None = batch
        self._slot = slot
        self._on_probability = on_probability
        self._pending = bytearray()
        self._begun = False
        self._sample = 0

    def write(self, frame: bytes) -> None:
        """Takes mono 16-bit PCM at 8 kHz, 20 ms as a rule; never blocks, and does nothing after `close`."""
        if self._batch is None:
            return
        self._pending += frame
        if len(self._pending) >= _CHUNK_BYTES:
            self._batch.wake()

    def close(self) -> None:
        """No call of `on_probability` comes after this."""
        batch, self._batch = self._batch, None
        if batch:
            batch.release(self, self._slot)

    def take(self) -> _Chunk | None:
        """For the batch: the next whole chunk."""
        late = len(self._pending) - _MOST_PENDING_BYTES
        if late > 0:
            late = -(-late // _CHUNK_BYTES) * _CHUNK_BYTES
            del self._pending[:late]
            self._sample += late // 2
        if len(self._pending) < _CHUNK_BYTES:
            return None
        pcm = bytes(self._pending[:_CHUNK_BYTES])
        del self._pending[:_CHUNK_BYTES]
        self._sample += CHUNK_SAMPLES
        first, self._begun = not self._begun, True
        return _Chunk(self, self._slot, first, pcm, self._sample)

    def deliver(self, probability: float, sample: int) -> None:
        """For the batch: a result, unless nobody wants it any more."""
        if self._batch is None:
            return
        try:
            self._on_probability(probability, sample)
        except Exception:
            _log.exception("a listener failed")


@dataclass(frozen=True, slots=True)
class _Chunk:
    stream: VadStream
    slot: int
    first: bool
    pcm: bytes
    end_sample: int


class VadBatch:
    """All streams together. Used from the event loop; only the model runs in the thread."""

    def __init__(self, model: Path | None = None) -> None:
        """`model`: Silero's ONNX file; None takes that of the installed package."""
        self._path = model
        self._model: SileroModel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._streams: set[VadStream] = set()
        self._free_slots: list[int] = []
        self._slots = 0

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    @property
    def inferences(self) -> int:
        """Chunks that went through the model so far."""
        return self._model.inferences if self._model else 0

    async def start(self) -> None:
        """Loads the model; raises `media.silero.VadUnavailable`."""
        path = self._path or model_path()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vad")
        try:
            self._model = await self._loop.run_in_executor(self._thread, SileroModel, path)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Closes every stream and ends the thread."""
        for stream in list(self._streams):
            stream.close()
        if self._timer:
            self._timer.cancel()
        thread, self._thread = self._thread, None
        if thread:
            await asyncio.to_thread(thread.shutdown)  # at most one batch is under way

    def open(self, on_probability: OnProbability) -> VadStream:
        """`on_probability` is called on the loop; its samples count from here. Raises `RuntimeError` when not
        started.
        """
        if self._thread is None or self._model is None:
            raise RuntimeError("the voice activity detector is not started")
        if self._free_slots:
            slot = self._free_slots.pop()
        else:
            slot = self._slots
            self._slots += 1
        stream = VadStream(self, slot, on_probability)
        self._streams.add(stream)
        return stream

    def wake(self) -> None:
        """For streams: a chunk is ready."""
        if self._timer is None and not self._running and self._loop:
            self._timer = self._loop.call_later(_GATHER_S, self._submit)

    def release(self, stream: VadStream, slot: int) -> None:
        """For streams: the slot is free. A chunk of the old stream that is still under way comes before any
        of the next, and the first chunk of a stream resets its slot.
        """
        self._streams.discard(stream)
        self._free_slots.append(slot)

    def _submit(self) -> None:
        self._timer = None
        chunks = [chunk for stream in self._streams if (chunk := stream.take())]
        if not chunks or self._loop is None or self._thread is None or self._model is None:
            return
        self._running = True
        work = self._loop.run_in_executor(self._thread, _run, self._model, chunks)
        work.add_done_callback(lambda done: self._deliver(chunks, done))

    def _deliver(self, chunks: list[_Chunk], done: asyncio.Future[list[float]]) -> None:
        self._running = False
        if done.cancelled():
            return
        error = done.exception()
        if error:
            _log.error("voice activity of %d streams failed: %s", len(chunks), error)
        else:
            for chunk, probability in zip(chunks, done.result(), strict=True):
                chunk.stream.deliver(probability, chunk.end_sample)
        self._submit()  # what became ready meanwhile has waited long enough


def _run(model: SileroModel, chunks: list[_Chunk]) -> list[float]:
    for chunk in chunks:
        if chunk.first:
            model.reset(chunk.slot)
    return model.probabilities([chunk.slot for chunk in chunks], b"".join(chunk.pcm for chunk in chunks))
