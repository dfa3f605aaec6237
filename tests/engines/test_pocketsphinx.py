"""The embedded recogniser on synthesised telephone speech: yes and no in three languages, and nothing
else.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from engines.asr.pocketsphinx import PocketsphinxRecognizer, PocketsphinxStream
from engines.asr.pocketsphinx_worker import PocketsphinxEngine
from engines.contract import EngineError, EngineUnavailable, RecognitionRequest, Transcript
from engines.supervisor import WorkerState
from engines.wire import Fields
from engines.worker.engine import Progress
from engines.worker.queue import Priority, Want
from media.codecs import PCMA
from tests.fakes.speech import frames, noise, silence, spoken

YES_NO = {"hi": ("हाँ", "जी हाँ", "नहीं"), "mr": ("हो", "होय", "नाही"), "en": ("yes", "yeah", "no")}


@pytest.fixture
async def engine() -> AsyncIterator[PocketsphinxRecognizer]:
    engine = PocketsphinxRecognizer()
    await engine.start()
    yield engine
    await engine.close()


def line(pcm: bytes) -> bytes:
    """Silence around it, through A-law, as a call would hand it over."""
    return PCMA.new_decoder()(PCMA.new_encoder()(silence(3200) + pcm + silence(4000)))


def say(engine: PocketsphinxRecognizer, pcm: bytes, request: RecognitionRequest) -> PocketsphinxStream:
    stream = engine.open(request)
    for frame in frames(pcm):
        stream.write(frame)
    return stream


async def hear(engine: PocketsphinxRecognizer, pcm: bytes, language: str, *phrases: str) -> Transcript:
    request = RecognitionRequest(language, 8000, phrases or YES_NO[language])
    return await say(engine, line(pcm), request).finish(deadline_s=20)


@pytest.mark.parametrize(
    ("text", "language"),
    [("जी हाँ", "hi"), ("नहीं", "hi"), ("होय", "mr"), ("नाही", "mr"), ("yes", "en"), ("no", "en")],
)
async def test_yes_and_no_are_heard(engine: PocketsphinxRecognizer, text: str, language: str) -> None:
    for voice in ("", "f2"):
        transcript = await hear(engine, spoken(text, language, voice), language)
        assert transcript.text == text
        assert transcript.language == language
        assert 0.25 < transcript.confidence <= 1
        assert transcript.final


async def test_a_recording_may_begin_and_end_with_the_word(engine: PocketsphinxRecognizer) -> None:
    for text, language in (("नहीं", "hi"), ("नाही", "mr"), ("yes", "en")):
        request = RecognitionRequest(language, 8000, YES_NO[language])
        stream = say(engine, spoken(text, language), request)
        assert (await stream.finish(deadline_s=20)).text == text


async def test_what_is_none_of_the_phrases_gives_no_text(engine: PocketsphinxRecognizer) -> None:
    nothing = Transcript("", "hi", 0.0)
    assert await hear(engine, silence(8000), "hi") == nothing
    assert await hear(engine, noise(8000, rms=500), "hi") == nothing
    assert await hear(engine, b"", "hi") == nothing
    assert await hear(engine, spoken("आलू", "hi"), "hi") == nothing
    long = spoken("मुझे आज शाम को बाज़ार जाना है, और फिर मैं घर लौट कर आपको फ़ोन करूँगा", "hi")
    assert await hear(engine, long, "hi") == nothing


async def test_the_grammar_decides_what_can_be_heard(engine: PocketsphinxRecognizer) -> None:
    pcm = spoken("operator", "en")
    assert (await hear(engine, pcm, "en", "operator", "repeat")).text == "operator"
    assert (await hear(engine, pcm, "en", "yes", "no")).text == ""
    assert (await hear(engine, pcm, "en", "?!")).text == ""  # a phrase without a sound
    assert (await hear(engine, spoken("yes", "en"), "hi", "yes", "no")).text == "yes"  # English among Hindi


async def test_a_murmur_is_heard_as_one_and_an_answer_beside_it_as_the_answer(
    engine: PocketsphinxRecognizer,
) -> None:
    for text, language in (("हूँ", "hi"), ("नहीं", "hi"), ("होय", "mr")):
        request = RecognitionRequest(language, 8000, YES_NO[language], murmurs=("हम्म", "हूँ"))
        stream = say(engine, line(spoken(text, language)), request)
        assert (await stream.finish(deadline_s=20)).text == text


async def test_many_callers_at_once_are_heard_each_for_themselves(engine: PocketsphinxRecognizer) -> None:
    """Twelve utterances, their frames interleaved, in three languages."""
    words = [("जी हाँ", "hi"), ("नाही", "mr"), ("no", "en"), ("नहीं", "hi"), ("होय", "mr"), ("yes", "en")] * 2
    audio = [frames(line(spoken(text, language))) for text, language in words]
    streams = [engine.open(RecognitionRequest(language, 8000, YES_NO[language])) for _, language in words]
    for step in range(max(map(len, audio))):
        for stream, pieces in zip(streams, audio, strict=True):
            if step < len(pieces):
                stream.write(pieces[step])
    heard = await asyncio.gather(*(stream.finish(deadline_s=30) for stream in streams))
    assert [transcript.text for transcript in heard] == [text for text, _ in words]
    assert engine.health.jobs == 0


async def test_speech_after_a_pause_counts(engine: PocketsphinxRecognizer) -> None:
    """The first word was decoded in the pause; then the caller goes on, and the whole is something else."""
    request = RecognitionRequest("en", 8000, ("yes", "no", "no operator"))
    stream = say(engine, line(spoken("no", "en")), request)
    await asyncio.sleep(0.3)
    for frame in frames(spoken("operator", "en") + silence(4000)):
        stream.write(frame)
    assert (await stream.finish(deadline_s=20)).text in ("no operator", "")


async def test_an_utterance_may_be_dropped_at_any_time(engine: PocketsphinxRecognizer) -> None:
    request = RecognitionRequest("en", 8000, YES_NO["en"])
    for frames_sent in (0, 10, 200):
        stream = engine.open(request)
        for _ in range(frames_sent):
            stream.write(noise(160, 1000))
        stream.cancel()
        stream.cancel()
        stream.write(bytes(320))
        with pytest.raises(EngineUnavailable):
            await stream.finish(deadline_s=1)
    assert engine.health.jobs == 0
    assert (await hear(engine, spoken("yes", "en"), "en")).text == "yes"


async def test_a_dead_worker_fails_the_utterance_and_hears_the_next(engine: PocketsphinxRecognizer) -> None:
    stream = engine.open(RecognitionRequest("en", 8000, YES_NO["en"]))
    pid = engine.health.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        await stream.finish(deadline_s=20)
    async with asyncio.timeout(30):
        while engine.health.restarts < 1 or engine.health.state is not WorkerState.UP:
            await asyncio.sleep(0.01)
    assert (await hear(engine, spoken("yes", "en"), "en")).text == "yes"


class Answers:
    """The way back of a job inside the worker."""

    cancelled = False

    def __init__(self) -> None:
        self.texts: list[str] = []

    def send(self, data: bytes, fields: Fields | None = None) -> None:
        assert fields is not None
        self.texts.append(str(fields["text"]))


def test_words_share_the_decoder_a_pass_at_a_time() -> None:
    """Who needs it works off what it is at, whose caller paused; who leaves in the middle frees it."""
    engine = PocketsphinxEngine()
    answers = [Answers() for _ in range(3)]
    words = ("yes", "no", "yes")
    jobs = [
        engine.open({"language": "en", "rate": 8000, "phrases": YES_NO["en"]}, reply) for reply in answers
    ]
    for job, word in zip(jobs, words, strict=True):
        assert job.want() == Want(Priority.FIRST_PARTIAL)
        job.step()
        job.feed(line(spoken(word, "en")))
        assert job.want() == Want(Priority.PAUSE)
    pausing, over, leaving = jobs
    leaving.step()  # one pass of it
    pausing.step()  # finds the decoder taken, and does the next pass
    leaving.close()
    pausing.step()
    assert pausing.want() == Want(Priority.PAUSE)
    over.finish()
    assert over.want() == Want(Priority.FINAL)
    steps = 1
    while over.step() is not Progress.DONE:
        steps += 1
    assert steps == 3  # the second pass of who paused, and two of its own
    pausing.finish()
    assert pausing.step() is Progress.DONE  # it was worked off
    assert [reply.texts for reply in answers] == [["yes"], ["no"], []]


def test_it_says_what_it_cannot_do() -> None:
    engine = PocketsphinxRecognizer()
    assert engine.supports(RecognitionRequest("hi-IN", 8000, ("हाँ",)))
    assert not engine.supports(RecognitionRequest("hi", 8000))  # free speech
    assert not engine.supports(RecognitionRequest("ta", 8000, ("ஆம்",)))
    assert not engine.supports(RecognitionRequest("hi", 4000, ("हाँ",)))
    assert not engine.supports(RecognitionRequest("en", 8000, tuple(f"word {n}" for n in range(600))))
    with pytest.raises(EngineError, match="0 phrases"):
        engine.open(RecognitionRequest("hi", 8000))
    with pytest.raises(EngineUnavailable):
        engine.open(RecognitionRequest("hi", 8000, ("हाँ",)))  # not started


async def test_grammars_from_live_data_do_not_pile_up(engine: PocketsphinxRecognizer) -> None:
    """A hundred different grammars, more than are kept: the first still works after the others."""
    pcm = line(spoken("yes", "en"))
    first = RecognitionRequest("en", 8000, ("yes", "no"))
    assert (await say(engine, pcm, first).finish(deadline_s=20)).text == "yes"
    for number in range(100):
        request = RecognitionRequest("en", 8000, ("yes", f"choice {'abcdefghij'[number % 10]} {number}"))
        stream = engine.open(request)
        stream.write(silence(800))
        assert (await stream.finish(deadline_s=20)).text == ""
    assert (await say(engine, pcm, first).finish(deadline_s=20)).text == "yes"
