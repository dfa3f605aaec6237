"""The Silero voice activity model at 8 kHz, for many streams in one call.

The model takes 256 new samples (32 ms) with the 32 samples before them, and a recurrent state of 2 x 128
numbers a stream; without the 32 samples it misses most speech. A batch gives the same probabilities as single
calls.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from media.onnx_session import open_session

RATE: Final = 8000
CHUNK_SAMPLES: Final = 256
CHUNK_MS: Final = 32

_CONTEXT_SAMPLES: Final = 32
_STATE: Final = 128
_FULL_SCALE: Final = 32768.0

QUIET_PEAK: Final = 48
"""Of 32768, -57 dB: speech is far above it in every chunk, A-law and µ-law silence (8) far below."""

_FORGET_AFTER_CHUNKS: Final = 16
"""After half a second of quiet the next sound is heard with a fresh state, as if at the start of a call."""

_DISTRIBUTION: Final = "silero-vad"
_FILE: Final = "silero_vad.onnx"


class VadUnavailable(Exception):
    """The model cannot be loaded; the text says what to do."""


def model_path() -> Path:
    """The model's file inside the installed package, which is not imported: its import needs torch.

    Raises `VadUnavailable` when it is not there.
    """
    advice = "install it without the torch it names: pip install --no-deps silero-vad"
    try:
        files = metadata.files(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        raise VadUnavailable(f"the package {_DISTRIBUTION} is not installed; {advice}") from None
    for file in files:
        if file.name == _FILE:
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    raise VadUnavailable(f"the package {_DISTRIBUTION} has no file {_FILE}; {advice}")


class SileroModel:
    """The model with the memory of its streams, kept in numbered slots. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        try:
            self._session = open_session(path)
        except ValueError as error:
            raise VadUnavailable(str(error)) from error
        self._rate = np.array(RATE, dtype=np.int64)
        self._states: npt.NDArray[np.float32] = np.zeros((2, 0, _STATE), np.float32)
        self._contexts: npt.NDArray[np.float32] = np.zeros((0, _CONTEXT_SAMPLES), np.float32)
        self._quiet_for: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.inferences = 0
        """Chunks that went through the model; quiet ones do not."""

    def reset(self, slot: int) -> None:
        """A new stream begins in this slot; slots are small numbers, and the memory grows to the largest."""
        missing = slot + 1 - len(self._quiet_for)
        if missing > 0:
            self._states = np.pad(self._states, ((0, 0), (0, missing), (0, 0)))
            self._contexts = np.pad(self._contexts, ((0, missing), (0, 0)))
            self._quiet_for = np.pad(self._quiet_for, (0, missing))
        self._states[:, slot] = 0
        self._contexts[slot] = 0
        self._quiet_for[slot] = 0

    def probabilities(self, slots: list[int], pcm: bytes) -> list[float]:
        """How likely each chunk holds speech; `pcm` has one chunk of 256 samples for each slot, in their
        order.

        A quiet chunk costs nothing and gives 0.
        """
        chunks = np.frombuffer(pcm, dtype="<i2").reshape(len(slots), CHUNK_SAMPLES)
        index = np.array(slots)
        loud = np.abs(chunks.astype(np.int32)).max(axis=1) >= QUIET_PEAK
        result: npt.NDArray[np.float32] = np.zeros(len(slots), np.float32)
        samples = chunks.astype(np.float32) / _FULL_SCALE
        quiet = index[~loud]
        self._quiet_for[quiet] += 1
        self._quiet_for[index[loud]] = 0
        forgotten = quiet[self._quiet_for[quiet] >= _FORGET_AFTER_CHUNKS]
        self._states[:, forgotten] = 0
        if loud.any():
            result[loud] = self._infer(index[loud], samples[loud])
        self._contexts[index] = samples[:, -_CONTEXT_SAMPLES:]
        return [float(p) for p in result]

    def _infer(self, slots: npt.NDArray[Any], samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.inferences += len(slots)
        inputs = np.concatenate((self._contexts[slots], samples), axis=1)
        output, states = self._session.run(
            None, {"input": inputs, "state": self._states[:, slots], "sr": self._rate}
        )
        self._states[:, slots] = states
        probabilities: npt.NDArray[np.float32] = output[:, 0]
        return probabilities
