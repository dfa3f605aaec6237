"""What a caller on a wideband call says reaches the detector at its rate and the recogniser at that of the
call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from ivr.flow.protocol import SpeechSpec
from ivr.hearing import Ear, Utterance
from media.codecs import G722
from media.tones import Partial, tone
from tests.fakes.engines import ScriptedRecognizer
from tests.fakes.leg import FakeLeg

FRAME = 640
CHUNK = 256


class Detector:
    """Says speech of every whole chunk of 32 ms at 8 kHz that has sound in it."""

    def __init__(self) -> None:
        self.pcm = b""
        self.told = 0

    def open(self, on_probability: Callable[[float, int], None]) -> Detector:
        self.tell = on_probability
        return self

    def write(self, frame: bytes) -> None:
        self.pcm += frame
        while (self.told + CHUNK) * 2 <= len(self.pcm):
            chunk = np.frombuffer(self.pcm, "<i2")[self.told : self.told + CHUNK]
            self.told += CHUNK
            self.tell(1.0 if np.abs(chunk).max() > 1000 else 0.0, self.told)

    def close(self) -> None: ...


async def test_the_detector_hears_8_khz_and_the_recogniser_what_was_said() -> None:
    leg, detector, recogniser = FakeLeg(), Detector(), ScriptedRecognizer(["yes"])
    leg.codec, leg.sample_rate = G722, G722.sample_rate
    began: list[bool] = []
    heard: list[Utterance] = []
    ear = Ear(
        leg,
        detector,
        recogniser,
        1.0,
        asyncio.create_task,
        lambda: began.append(True),
        heard.append,
    )
    ear.listen(SpeechSpec("en", ("yes",), end_silence_s=0.5, max_s=10.0))
    assert leg.sink is not None
    word = tone((Partial(1000, -10.0),), 600, 16000)
    said = word + bytes(16000 * 2)
    for at in range(0, len(said), FRAME):
        leg.sink(said[at : at + FRAME])
        if at == FRAME * 20:
            assert began == [True]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [utterance.transcript.text for utterance in heard if utterance.transcript] == ["yes"]
    assert recogniser.streams[0].request.rate == 16000
    assert word in recogniser.streams[0].audio
    # Half the samples, and still the same pitch.
    assert abs(len(detector.pcm) - len(said) // 2) < 200
    spectrum = np.abs(np.fft.rfft(np.frombuffer(detector.pcm, "<i2")[800:4000]))
    assert int(np.argmax(spectrum)) * 8000 / 3200 == 1000
