"""espeak-ng speaks the three languages, many callers at once, and gives up at once when told to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np
import numpy.typing as npt
import pytest

from engines.contract import EngineError, EngineTimeout, EngineUnavailable, SpeechRequest
from engines.supervisor import WorkerState
from engines.tts.clauses import clauses
from engines.tts.espeak import EspeakSynthesizer

HINDI = SpeechRequest("नमस्ते, आपका ऑर्डर तैयार है।", "hi")
MARATHI = SpeechRequest("नमस्कार, तुमची ऑर्डर तयार आहे।", "mr")
ENGLISH = SpeechRequest("Hello, your order is ready.", "en")
LONG = SpeechRequest("आपका ऑर्डर तैयार है, कृपया रुकिए। " * 30, "hi")


@pytest.fixture
async def engine() -> AsyncIterator[EspeakSynthesizer]:
    engine = EspeakSynthesizer()
    await engine.start()
    yield engine
    await engine.close()


async def speak(engine: EspeakSynthesizer, request: SpeechRequest) -> bytes:
    return await rest(engine.synthesize(request, deadline_s=20))


async def rest(stream: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in stream])


def seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / 22050


def loudness(pcm: bytes) -> npt.NDArray[np.float64]:
    """RMS of every 20 ms: what was said when; the fine structure differs from one time to the next."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    size = 441
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    return np.sqrt((blocks**2).mean(axis=1))


def likeness(one: bytes, other: bytes) -> float:
    """Correlation of the loudness over time, 1 for the same text."""
    a, b = loudness(one), loudness(other)
    size = min(len(a), len(b))
    return float(np.corrcoef(a[:size], b[:size])[0, 1])


def pitch(pcm: bytes) -> float:
    """Hz, by the best lag of the autocorrelation of the loudest 100 ms, between 60 and 400 Hz."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    at = int(loudness(pcm).argmax()) * 441
    block = samples[max(0, at - 1102) : at + 1103]
    correlation = np.correlate(block, block, "full")[len(block) - 1 :]
    return float(22050 / (55 + int(correlation[55:368].argmax())))


@pytest.mark.parametrize("request_", [HINDI, MARATHI, ENGLISH], ids=lambda r: r.language)
async def test_each_language_is_spoken(engine: EspeakSynthesizer, request_: SpeechRequest) -> None:
    pcm = await speak(engine, request_)
    assert engine.sample_rate == 22050
    assert 1.2 < seconds(pcm) < 5
    assert loudness(pcm).max() > 1000
    assert engine.supports(request_.language)
    assert engine.supports(request_.language + "-IN")


async def test_languages_and_voices_differ(engine: EspeakSynthesizer) -> None:
    """The same letters are said differently in Hindi and Marathi (Hindi drops the last vowel), as in another
    voice.
    """
    text = "आपका ऑर्डर तैयार है"
    hindi, again, marathi = [
        await speak(engine, SpeechRequest(text, language)) for language in ("hi", "hi", "mr")
    ]
    woman = await speak(engine, SpeechRequest(text, "hi", voice="f2"))
    assert likeness(hindi, again) > 0.9
    assert abs(seconds(hindi) - seconds(again)) < 0.1
    assert abs(seconds(hindi) - seconds(marathi)) > 0.1 or likeness(hindi, marathi) < 0.9
    assert pitch(woman) > pitch(hindi) * 1.2


async def test_speed_changes_the_length(engine: EspeakSynthesizer) -> None:
    slow, normal, fast = [
        seconds(await speak(engine, SpeechRequest(HINDI.text, "hi", speed=speed)))
        for speed in (0.7, 1.0, 1.6)
    ]
    assert slow > normal * 1.15 > fast * 1.3


async def test_audio_comes_before_the_text_is_done(engine: EspeakSynthesizer) -> None:
    sizes = [len(chunk) async for chunk in engine.synthesize(LONG, deadline_s=20)]
    assert sizes[0] < 22050 * 2 * 0.1  # the first piece is short, so that it comes soon
    assert len(sizes) > 20


async def test_many_callers_hear_their_own_text(engine: EspeakSynthesizer) -> None:
    """Fifty at once in three languages: each hears what a single caller hears, by length and by loudness over
    time.
    """
    texts = [HINDI, MARATHI, ENGLISH, SpeechRequest("नहीं", "hi"), SpeechRequest("one moment please", "en")]
    alone = [await speak(engine, request) for request in texts]
    together = await asyncio.gather(*(speak(engine, texts[n % 5]) for n in range(50)))
    for n, pcm in enumerate(together):
        assert abs(seconds(pcm) - seconds(alone[n % 5])) < 0.1
        assert max(range(5), key=lambda k: likeness(pcm, alone[k])) == n % 5


async def test_leaving_early_frees_the_worker(engine: EspeakSynthesizer) -> None:
    for _ in range(20):
        stream = engine.synthesize(LONG, deadline_s=20)
        assert await anext(stream)
        await stream.aclose()
    assert engine.health.jobs == 0
    assert seconds(await speak(engine, ENGLISH)) > 1


async def test_a_dead_worker_is_an_error_at_once_and_speaks_again_soon(engine: EspeakSynthesizer) -> None:
    stream = engine.synthesize(LONG, deadline_s=20)
    await anext(stream)
    pid = engine.health.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        await rest(stream)
    async with asyncio.timeout(20):
        while engine.health.restarts < 1 or engine.health.state is not WorkerState.UP:
            await asyncio.sleep(0.01)
    assert seconds(await speak(engine, ENGLISH)) > 1


async def test_a_stopped_worker_is_a_timeout(engine: EspeakSynthesizer) -> None:
    pid = engine.health.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        await anext(engine.synthesize(ENGLISH, deadline_s=0.1))
    os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (SpeechRequest("வணக்கம்", "ta"), "does not speak 'ta'"),
        (SpeechRequest("hello", "en", voice="../../etc"), "no voice"),
        (SpeechRequest("x" * 5000, "en"), "5000 characters is too long"),
    ],
)
async def test_what_it_cannot_do_is_said(
    engine: EspeakSynthesizer, request_: SpeechRequest, said: str
) -> None:
    with pytest.raises(EngineError, match=said):
        await anext(engine.synthesize(request_, deadline_s=5))


async def test_nothing_to_say_is_silence(engine: EspeakSynthesizer) -> None:
    assert await speak(engine, SpeechRequest(" \x01\n ", "hi")) == b""


async def test_texts_are_not_commands(engine: EspeakSynthesizer) -> None:
    """Neither markup nor espeak-ng's embedded commands do anything but be read out or skipped."""
    assert (
        seconds(await speak(engine, SpeechRequest("<break time='60s'/> yes \x01450S yes [[h@]]", "en"))) < 20
    )


async def test_the_version_names_the_library(engine: EspeakSynthesizer) -> None:
    assert engine.version.startswith("1.5")


def test_clauses_end_where_a_speaker_breathes() -> None:
    assert clauses("नमस्ते, आपके लिए एक ऑर्डर है। स्वीकार करें? धन्यवाद") == [
        "नमस्ते,",
        "आपके लिए एक ऑर्डर है।",
        "स्वीकार करें?",
        "धन्यवाद",
    ]
    assert clauses("It is 1.5 at 10:30") == ["It is 1.5 at 10:30"]
    assert clauses("Dr. Rao called.") == ["Dr. Rao called."]
    assert clauses("  \n ") == []
    words = "शब्द " * 100
    assert all(len(piece) <= 160 for piece in clauses(words))
    assert " ".join(clauses(words)) == words.strip()
