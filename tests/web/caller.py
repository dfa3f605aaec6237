"""A caller of the vendor-order flow who says yes, by the microphone of a browser."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any, Final

from media.resample import resample_clip
from tests.fakes.speech import spoken

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final[dict[str, Any]] = {
    "flows": str(ROOT / "flows"),
    "queues": {"vendor-desk": "sip:desk@127.0.0.1:9"},
    "endpoints": {"order-webhook": {"url": "http://127.0.0.1:9/orders"}},
    "engines": {"asr_deadline_s": 10.0},  # a busy machine understands late, but it understands
}
WORD: Final = "मंज़ूर है"
_FIRST_S: Final = 3
_EVERY_S: Final = 4
_TIMES: Final = 30
_RATE: Final = 48_000


def word(rate: int) -> bytes:
    """As it is said, PCM."""
    return resample_clip(spoken(WORD, "hi"), 8000, rate)


def write_caller(path: Path) -> None:
    """A WAV file in which the word is said again and again: whenever the call is ready for it, it comes."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(bytes(_FIRST_S * _RATE * 2))
        for _ in range(_TIMES):
            file.writeframes(word(_RATE).ljust(_EVERY_S * _RATE * 2, b"\0"))
