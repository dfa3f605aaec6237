"""faster-whisper on a tiny model with random weights: what it says is nonsense, but the same nonsense for the
same audio, whoever else speaks.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from engines.asr.remote import WorkerRecognizer
from engines.asr.whisper import whisper
from engines.contract import EngineError, EngineTimeout, EngineUnavailable, RecognitionRequest, Transcript
from ivr.bench.random_whisper import write_model
from tests.fakes.speech import frames, noise, silence, spoken

WITHOUT_GUARDS = {
    "no_speech": None,
    "log_prob": None,
    "compression": None,
    "device": "cpu",
    "threads": 1,
    # Of random weights many answers are nearly as good: int8 would round a batch to another one.
    "compute_type": "float32",
}
pytestmark = pytest.mark.asyncio(loop_scope="module")

HINDI = RecognitionRequest("hi", 8000)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("whisper"))


@asynccontextmanager
async def running(model: Path, **settings: object) -> AsyncIterator[WorkerRecognizer]:
    """A worker of its own, which costs a second or two."""
    engine = whisper(model, sys.executable, {**WITHOUT_GUARDS, **settings})
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(model: Path) -> AsyncIterator[WorkerRecognizer]:
    async with running(model, batch=5) as engine:
        yield engine


def voice(index: int) -> bytes:
    """A different utterance for each index."""
    texts = ["मुझे खाना चाहिए", "ऑर्डर कहाँ है", "नमस्ते", "दो किलो चावल"]
    return silence(800) + spoken(texts[index % 4], "hi", speed=1.0 + index // 4 * 0.1) + silence(800)


async def hear(engine: WorkerRecognizer, pcm: bytes, request: RecognitionRequest = HINDI) -> Transcript:
    stream = engine.open(request)
    stream.write(pcm)
    return await stream.finish(deadline_s=60)


async def test_an_utterance_becomes_a_transcript(engine: WorkerRecognizer) -> None:
    assert engine.health.rss_bytes is None or engine.health.rss_bytes > 0
    heard = await hear(engine, voice(0))
    assert heard.text
    assert (heard.language, heard.final) == ("hi", True)
    assert 0 < heard.confidence <= 1
    assert heard.segments[0].end_s <= len(voice(0)) / 16000 + 0.1
    assert await hear(engine, voice(0)) == heard
    assert (await hear(engine, silence(8000))).text == ""
    assert engine.health.jobs == 0


async def test_many_callers_at_once_each_get_their_own(engine: WorkerRecognizer) -> None:
    """They are decoded in batches; each gets exactly what it gets alone, also beside others with phrases."""
    requests = [HINDI, RecognitionRequest("mr", 8000, ("हो", "नाही")), RecognitionRequest("", 8000)]
    asked = [(voice(n), requests[n % 3]) for n in range(12)]
    alone = [await hear(engine, pcm, request) for pcm, request in asked]
    together = await asyncio.gather(*(hear(engine, pcm, request) for pcm, request in asked))
    assert [(t.text, t.language) for t in together] == [(t.text, t.language) for t in alone]
    # The arithmetic of a batch rounds otherwise.
    assert [t.confidence for t in together] == pytest.approx([t.confidence for t in alone], abs=0.1)
    assert len({transcript.text for transcript in alone}) > 3
    assert all(transcript.language for transcript in alone)


async def test_partials_come_while_the_caller_speaks(engine: WorkerRecognizer) -> None:
    partials: list[Transcript] = []
    pcm = b"".join(voice(n) for n in range(4))
    stream = engine.open(HINDI, partials.append)
    async with asyncio.timeout(60):
        for at, frame in enumerate(frames(pcm)):
            stream.write(frame)
            if at % 40 == 39:
                count = len(partials)
                while len(partials) == count and at < 120:
                    await asyncio.sleep(0.01)
        final = await stream.finish(deadline_s=60)
    assert len(partials) >= 3
    assert not any(partial.final for partial in partials)
    assert all(0 <= partial.stable <= len(partial.text) for partial in partials)
    count = len(partials)
    assert final.final
    await asyncio.sleep(0.05)
    assert len(partials) == count  # none after the final


async def test_a_pause_makes_the_final_ready(model: Path) -> None:
    """Decoded while the caller is silent; when the turn ends, the answer needs no more decoding."""
    async with running(model, beam=5) as engine:
        partials: list[Transcript] = []
        stream = engine.open(HINDI, partials.append)
        for frame in frames(voice(0) + silence(4000)):
            stream.write(frame)
        async with asyncio.timeout(60):
            while not partials:
                await asyncio.sleep(0.01)
        final = await stream.finish(deadline_s=60)
        assert final.text == partials[-1].text


async def test_speech_longer_than_the_window_loses_nothing(engine: WorkerRecognizer) -> None:
    sentence = spoken("मुझे अपने ऑर्डर के बारे में पूछना है", "hi") + silence(4000)
    pcm = sentence * (-(-70 * 16000 // len(sentence)))
    heard = await hear(engine, pcm)
    assert len(heard.segments) >= 3
    ends = [segment.end_s for segment in heard.segments]
    starts = [segment.start_s for segment in heard.segments]
    assert starts[1:] == ends[:-1]
    assert ends[-1] > len(pcm) / 16000 - 2
    assert heard.text == " ".join(segment.text for segment in heard.segments)


async def test_words_have_times(engine: WorkerRecognizer) -> None:
    heard = await hear(engine, voice(0), RecognitionRequest("hi", 8000, words=True))
    words = heard.segments[0].words
    assert " ".join(word.text for word in words).split() == heard.text.split()
    assert all(word.start_s <= word.end_s <= len(voice(0)) / 16000 + 0.1 for word in words)


async def test_a_recording_comes_in_segments(engine: WorkerRecognizer) -> None:
    request = RecognitionRequest("hi", 16000, words=True)
    pcm = b"".join(spoken("नमस्ते आप कैसे हैं मैं ठीक हूँ", "hi") + silence(1600) for _ in range(6))
    heard = await engine.transcribe(pcm, RecognitionRequest("hi", 8000, words=True), idle_s=60, deadline_s=60)
    assert heard.segments
    assert heard.text == " ".join(segment.text for segment in heard.segments)
    assert all(0 <= part.start_s <= part.end_s for part in heard.segments)
    assert heard.segments[0].words
    empty = await engine.transcribe(silence(32000), request, idle_s=60, deadline_s=60)
    assert (empty.text, empty.segments) == ("", ())


async def test_callers_go_before_recordings(engine: WorkerRecognizer) -> None:
    """Each window of a long recording waits for the callers that are there: the caller is served before the
    recording is done."""
    pcm = b"".join(voice(n) for n in range(60))
    order: list[str] = []

    async def recording() -> None:
        await engine.transcribe(pcm, HINDI, idle_s=60, deadline_s=100)
        order.append("recording")

    async def caller() -> None:
        await hear(engine, voice(1))
        order.append("caller")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(recording())
        await asyncio.sleep(0.05)
        tasks.create_task(caller())
    assert order == ["caller", "recording"]


async def test_the_language_is_found(engine: WorkerRecognizer) -> None:
    found = await engine.detect(voice(0), HINDI, deadline_s=60)
    assert len(found) > 90
    assert found == sorted(found, key=lambda pair: -pair[1])
    assert sum(probability for _, probability in found) == pytest.approx(1, abs=0.01)
    unnamed = await hear(engine, voice(0), RecognitionRequest("", 8000))
    assert unnamed.language in dict(found)


async def test_a_cancelled_utterance_frees_its_place(engine: WorkerRecognizer) -> None:
    alone = await hear(engine, voice(1))
    streams = [engine.open(HINDI, lambda _: None) for _ in range(10)]
    for stream in streams:
        for frame in frames(voice(2) * 4):
            stream.write(frame)
    for stream in streams:
        stream.cancel()
        stream.write(b"\0\0")
    assert await hear(engine, voice(1)) == alone
    assert engine.health.jobs == 0
    with pytest.raises(EngineUnavailable):
        await streams[0].finish(deadline_s=1)


async def test_deadlines(engine: WorkerRecognizer) -> None:
    stream = engine.open(HINDI)
    stream.write(voice(0))
    with pytest.raises(EngineTimeout):
        await stream.finish(deadline_s=0.0)
    assert engine.health.jobs == 0


async def test_guards_drop_what_a_random_model_says(model: Path) -> None:
    """Its tokens are improbable, and it never says that there is no speech: log_prob -1 and no_speech 0 call
    all of it a hallucination."""
    async with running(model, log_prob=-0.01, no_speech=-1.0) as engine:
        assert (await hear(engine, voice(0))).text == ""


async def test_what_it_does_not_do(engine: WorkerRecognizer) -> None:
    assert engine.supports(HINDI)
    assert engine.supports(RecognitionRequest("", 16000))
    assert not engine.supports(RecognitionRequest("tlh", 8000))
    assert not engine.supports(RecognitionRequest("hi", 4000))
    with pytest.raises(EngineError, match="does not speak 'tlh'"):
        engine.open(RecognitionRequest("tlh", 8000))


async def test_without_weights_it_says_what_to_do(tmp_path: Path) -> None:
    engine = whisper(tmp_path / "none", sys.executable, WITHOUT_GUARDS)
    with pytest.raises(EngineUnavailable, match="none"):
        await engine.start()


async def test_noise_goes_through(engine: WorkerRecognizer) -> None:
    assert (await hear(engine, noise(16000, 2000))).final
