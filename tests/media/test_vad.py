"""Voice activity: speech is told from silence and noise, many streams give what each would alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from media import silero
from media.silero import CHUNK_SAMPLES, SileroModel, VadUnavailable, model_path
from media.vad import VadBatch, VadStream
from tests.fakes.speech import frames, noise, silence, spoken

SENTENCE = "नमस्ते, आपका ऑर्डर तैयार है।"


def probabilities(model: SileroModel, pcm: bytes, slot: int = 0) -> list[float]:
    """One stream alone, straight through the model."""
    model.reset(slot)
    size = CHUNK_SAMPLES * 2
    chunks = [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
    return [model.probabilities([slot], chunk)[0] for chunk in chunks]


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel(model_path())


class Listener:
    """Writes a text's audio into a stream and collects what comes back."""

    def __init__(self, vad: VadBatch) -> None:
        self.heard: list[tuple[float, int]] = []
        self.stream: VadStream = vad.open(self._take)
        self._news = asyncio.Event()

    def _take(self, probability: float, sample: int) -> None:
        self.heard.append((probability, sample))
        self._news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()


def test_speech_is_heard_and_noise_is_not(model: SileroModel) -> None:
    speech = probabilities(model, silence(4000) + spoken(SENTENCE, "hi") + silence(4000))
    assert max(speech[:15]) == 0.0  # the silence before it
    assert sum(p > 0.5 for p in speech) * 32 > 1000  # of two seconds or so, most is speech
    assert speech[-1] == 0.0
    assert max(probabilities(model, noise(16000, rms=1000))) < 0.5


def test_the_onset_comes_within_a_fifth_of_a_second(model: SileroModel) -> None:
    pcm = silence(8000) + spoken(SENTENCE, "hi")
    first = next(i for i, p in enumerate(probabilities(model, pcm)) if p > 0.5)
    assert 8000 <= (first + 1) * CHUNK_SAMPLES <= 8000 + 1600


def test_a_batch_gives_what_single_calls_give(model: SileroModel) -> None:
    """Three streams of different content, interleaved in one batch, chunk by chunk."""
    streams = [spoken(SENTENCE, "hi"), noise(12000, rms=500), silence(3000) + spoken("yes, thank you", "en")]
    length = min(len(pcm) for pcm in streams) // (2 * CHUNK_SAMPLES)
    size = CHUNK_SAMPLES * 2
    for slot in (1, 2, 3):
        model.reset(slot)
    together = [
        model.probabilities([3, 1, 2], b"".join(streams[k][i * size : (i + 1) * size] for k in (2, 0, 1)))
        for i in range(length)
    ]
    for column, pcm in ((0, streams[2]), (1, streams[0]), (2, streams[1])):
        alone = probabilities(model, pcm[: length * size], slot=4)
        assert [row[column] for row in together] == pytest.approx(alone, abs=1e-5)


def test_silence_costs_no_inference_and_is_forgotten(model: SileroModel) -> None:
    before = model.inferences
    assert probabilities(model, silence(16000) + noise(16000, rms=8)) == [0.0] * 125
    assert model.inferences == before
    speech = spoken(SENTENCE, "hi")
    whole = len(speech) // 512 * 512
    alone = probabilities(model, speech[:whole])
    after_speech_and_silence = probabilities(model, speech[:whole] + silence(256 * 20) + speech[:whole])
    assert after_speech_and_silence[-len(alone) :] == pytest.approx(alone, abs=1e-5)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "_DISTRIBUTION", "silero-vad-that-is-not-there")
    with pytest.raises(VadUnavailable, match="pip install --no-deps silero-vad"):
        model_path()


async def test_a_broken_model_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(VadUnavailable, match=r"broken\.onnx"):
        await VadBatch(path).start()


async def test_many_streams_each_hear_themselves(model: SileroModel) -> None:
    """Frames of 20 ms from eight streams; each gets the probabilities of its own audio, in order, with
    positions.
    """
    texts = ["हाँ जी", "नहीं चाहिए", "yes please", "no thank you"] * 2
    audio = [spoken(text, "hi" if index % 4 < 2 else "en") for index, text in enumerate(texts)]
    vad = VadBatch()
    await vad.start()
    try:
        listeners = [Listener(vad) for _ in texts]
        for step in range(max(map(len, audio)) // 320):
            for listener, pcm in zip(listeners, audio, strict=True):
                if frame := pcm[step * 320 : (step + 1) * 320]:
                    listener.stream.write(frame)
            await asyncio.sleep(0.001)
        for listener, pcm in zip(listeners, audio, strict=True):
            alone = probabilities(model, pcm)
            await listener.until(len(alone))
            assert [sample for _, sample in listener.heard] == [256 * (i + 1) for i in range(len(alone))]
            assert [p for p, _ in listener.heard] == pytest.approx(alone, abs=1e-5)
    finally:
        await vad.close()


async def test_a_closed_stream_is_heard_no_more_and_its_place_starts_afresh(model: SileroModel) -> None:
    pcm = spoken(SENTENCE, "hi")
    vad = VadBatch()
    await vad.start()
    try:
        first = Listener(vad)
        for frame in frames(pcm):
            first.stream.write(frame)
        await first.until(1)
        first.stream.close()
        heard = len(first.heard)
        second = Listener(vad)
        first.stream.write(bytes(320))  # too late: does nothing
        for frame in frames(pcm[:8000]):
            second.stream.write(frame)
        await second.until(4000 // 256)
        assert len(first.heard) == heard
        assert [p for p, _ in second.heard] == pytest.approx(
            probabilities(model, pcm[:8000])[: 4000 // 256], abs=1e-5
        )
        assert vad.streams == 1
    finally:
        await vad.close()
    assert vad.streams == 0


async def test_a_failing_listener_does_not_stop_the_others() -> None:
    vad = VadBatch()
    await vad.start()
    try:

        def fail(_p: float, _sample: int) -> None:
            raise RuntimeError("a bug of the listener")

        broken = vad.open(fail)
        good = Listener(vad)
        for frame in frames(spoken(SENTENCE, "hi")):
            broken.write(frame)
            good.stream.write(frame)
        await good.until(10)
    finally:
        await vad.close()


async def test_a_stalled_loop_skips_what_is_older_than_a_second() -> None:
    """Three seconds arrive at once: the last one is looked at, and its position is right."""
    vad = VadBatch()
    await vad.start()
    try:
        listener = Listener(vad)
        for frame in frames(noise(24000, rms=500)):
            listener.stream.write(frame)
        await listener.until(31)
        positions = [sample for _, sample in listener.heard]
        assert positions[0] >= 24000 - 33 * 256
        assert positions[-1] == 24000 // 256 * 256
    finally:
        await vad.close()


async def test_it_must_be_started() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        VadBatch().open(lambda _p, _sample: None)
