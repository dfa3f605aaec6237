"""What a caller says reaches the detector at its rate and the recogniser at that of the call; and our own
voice gives way to it, goes on, or is not taken for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from engines.contract import EngineUnavailable
from ivr.flow.agent_protocol import Dropped, Presumed
from ivr.flow.protocol import BargeIn, EndSilence, NothingSaid, SpeechBegan, SpeechSpec
from ivr.hearing import Ear, Told, Utterance
from ivr.waterfall import Stage
from media.clip import Clip
from media.codecs import G722, PCMA
from media.tones import Partial, tone
from tests.fakes.engines import ScriptedRecognizer
from tests.fakes.leg import FakeLeg

FRAME = 640
CHUNK = 256
FREE = SpeechSpec("hi", (), 10.0, EndSilence(0.4, 1.0))
YES_NO = SpeechSpec("hi", (), 10.0, EndSilence(0.4, 1.0), {"affirm": (), "deny": ()})


class Detector:
    """Says speech of every whole chunk of 32 ms at 8 kHz that has sound in it."""

    def __init__(self) -> None:
        self.pcm = b""
        self.told = 0
        self.closed = False

    def open(self, on_probability: Callable[[float, int], None]) -> Detector:
        self.pcm, self.told, self.closed = b"", 0, False
        self.tell = on_probability
        return self

    def write(self, frame: bytes) -> None:
        self.pcm += frame
        while (self.told + CHUNK) * 2 <= len(self.pcm):
            chunk = np.frombuffer(self.pcm, "<i2")[self.told : self.told + CHUNK]
            self.told += CHUNK
            self.tell(1.0 if np.abs(chunk).max() > 1000 else 0.0, self.told)

    def close(self) -> None:
        self.closed = True


class Scene:
    """A caller on a leg, what the ear makes of him, and what is done to the prompt."""

    def __init__(self, answers: Iterable[str] = (), **engine: bool) -> None:
        self.leg, self.detector = FakeLeg(), Detector()
        self.recogniser = ScriptedRecognizer(answers, **engine)
        self.told: list[Told] = []
        self.marks: list[Stage] = []
        self.notes: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.asked: list[tuple[bytes, int, Callable[[float], None]]] = []
        self.ear = Ear(
            self.leg,
            self.detector,
            self.recogniser,
            1.0,
            asyncio.create_task,
            self.told.append,
            lambda stage, at, by: self.marks.append(stage),
            self.notes.append,
            self,
        )

    def ask(self, pcm: bytes, rate: int, answer: Callable[[float], None]) -> None:
        """As an advisor is asked."""
        self.asked.append((pcm, rate, answer))

    def plays(self, mode: BargeIn = BargeIn.ANY) -> None:
        self.leg.play(Clip(PCMA, [PCMA.silence] * 500, True), "prompt")
        self.ear.playing(mode)

    def hears(self, seconds: float, level: int = 6000) -> None:
        pcm = np.full(160, level, "<i2").tobytes()
        for _ in range(round(seconds * 50)):
            assert self.leg.sink is not None
            self.leg.sink(pcm)

    async def settles(self) -> None:
        """Finals that are asked for are there."""
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def kinds(self) -> list[str]:
        return [type(told).__name__ for told in self.told]


async def test_the_detector_hears_8_khz_and_the_recogniser_what_was_said() -> None:
    scene = Scene(["yes"])
    leg, detector = scene.leg, scene.detector
    leg.codec, leg.sample_rate = G722, G722.sample_rate
    scene.ear.listen(SpeechSpec("en", ("yes",), 10.0, EndSilence(0.5, 0.5)))
    assert leg.sink is not None
    word = tone((Partial(1000, -10.0),), 600, 16000)
    said = word + bytes(16000 * 2)
    for at in range(0, len(said), FRAME):
        leg.sink(said[at : at + FRAME])
        if at == FRAME * 20:
            assert scene.told == [SpeechBegan()]
    await scene.settles()
    assert [
        told.transcript.text for told in scene.told if isinstance(told, Utterance) and told.transcript
    ] == ["yes"]
    assert scene.recogniser.streams[0].request.rate == 16000
    assert word in scene.recogniser.streams[0].audio
    # Half the samples, and still the same pitch.
    assert abs(len(detector.pcm) - len(said) // 2) < 200
    spectrum = np.abs(np.fft.rfft(np.frombuffer(detector.pcm, "<i2")[800:4000]))
    assert int(np.argmax(spectrum)) * 8000 / 3200 == 1000


async def test_a_turn_leaves_its_stages() -> None:
    scene = Scene(["मुझे ऑर्डर चाहिए"])
    scene.ear.listen(FREE)
    scene.hears(1.0)
    scene.hears(1.5, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]
    assert scene.marks == [Stage.SPEECH_END, Stage.PAUSE, Stage.ENDPOINT, Stage.FINAL]


async def test_what_may_be_all_is_told_and_dropped_when_the_caller_goes_on() -> None:
    scene = Scene(["मुझे ऑर्डर चाहिए"])
    scene.ear.listen(FREE)
    scene.hears(0.8)
    scene.hears(0.3, 0)
    scene.recogniser.streams[0].partial("मुझे")
    scene.hears(0.4)
    scene.hears(0.3, 0)
    scene.recogniser.streams[0].partial("मुझे ऑर्डर चाहिए")
    scene.hears(1.0, 0)
    await scene.settles()
    said, rest = Presumed("मुझे ऑर्डर चाहिए", "hi"), scene.told[-1]
    assert scene.told[:-1] == [SpeechBegan(), Presumed("मुझे", "hi"), Dropped(), said]
    assert isinstance(rest, Utterance)


async def test_an_answer_that_is_asked_for_ends_at_once() -> None:
    scene = Scene(["हाँ"])
    scene.ear.listen(YES_NO)
    scene.hears(0.6)
    scene.recogniser.streams[0].partial("हाँ")
    scene.hears(0.16, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]


async def test_a_prompt_is_softer_at_once_then_silent_and_the_flow_is_told_at_the_first_words() -> None:
    scene = Scene(["रुको मुझे"])
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.1)
    assert scene.leg.ducked
    assert not scene.leg.paused
    scene.hears(0.25)
    assert scene.leg.paused
    assert scene.told == []
    scene.recogniser.streams[0].partial("रुको")
    assert scene.told == [SpeechBegan()]
    scene.leg.stop()
    scene.ear.playing(None)
    scene.hears(0.5)
    scene.hears(1.2, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]


@pytest.mark.parametrize("partials", [True, False])
@pytest.mark.parametrize("said", ["हाँ", "जी", "हम्म", ""])
async def test_a_listeners_word_or_a_cough_lets_the_prompt_go_on(said: str, partials: bool) -> None:
    scene = Scene([said])
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.4)
    assert scene.leg.paused
    scene.hears(0.25, 0)
    if partials:
        scene.recogniser.streams[0].partial(said)
    scene.hears(0.5, 0)
    await scene.settles()
    assert scene.told == []
    assert not scene.leg.paused
    assert not scene.leg.ducked
    assert scene.leg.cut == 0
    assert scene.notes == ["prompt_resumed"]
    assert scene.recogniser.streams[0].cancelled


async def test_a_listeners_word_is_the_answer_where_it_is_asked_for() -> None:
    scene = Scene(["हाँ"])
    scene.ear.listen(YES_NO)
    scene.plays()
    scene.hears(0.4)
    scene.hears(0.6, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]
    assert scene.marks == [Stage.SPEECH_END, Stage.ENDPOINT, Stage.FINAL]


async def test_over_a_prompt_a_recogniser_of_a_few_phrases_is_told_what_a_listener_may_murmur() -> None:
    scene = Scene(["हम्म", "हाँ"])
    scene.ear.listen(replace(YES_NO, phrases=("हाँ", "नहीं")))
    scene.plays()
    scene.hears(0.4)
    scene.hears(0.8, 0)
    await scene.settles()
    assert scene.told == [], "a murmur is no answer"
    scene.leg.stop()
    scene.ear.playing(None)
    scene.hears(0.4)
    scene.hears(0.8, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]
    over, after = (stream.request for stream in scene.recogniser.streams)
    assert "हम्म" in over.murmurs
    assert not set(over.murmurs) & set(over.phrases)
    assert over.phrases == after.phrases
    assert after.murmurs == ()


async def test_in_free_speech_there_is_nothing_to_tell_murmurs_from() -> None:
    scene = Scene(["रुको"])
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.4)
    assert scene.recogniser.streams[0].request.murmurs == ()


async def test_a_cough_where_nothing_is_said_is_taken_back() -> None:
    scene = Scene([""])
    scene.ear.listen(FREE)
    scene.hears(0.2)
    scene.hears(1.0, 0)
    await scene.settles()
    assert scene.told == [SpeechBegan(), NothingSaid()]


async def test_a_recogniser_that_fails_is_no_cough() -> None:
    scene = Scene()
    scene.recogniser.failures.append(EngineUnavailable("down"))
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.5)
    scene.hears(0.6, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]
    assert isinstance(scene.told[-1], Utterance)
    assert scene.told[-1].failure == "down"


async def test_without_a_recogniser_who_speaks_takes_the_turn() -> None:
    scene = Scene(free_speech=False)
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.5)
    scene.hears(0.6, 0)
    assert scene.told == [SpeechBegan(), Utterance(None)]


async def test_who_goes_on_while_his_words_are_weighed_loses_none() -> None:
    scene = Scene(["मुझे", "ऑर्डर चाहिए"])
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.4)
    scene.hears(0.5, 0)
    scene.hears(0.3, 7000)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]
    scene.leg.stop()
    scene.ear.playing(None)
    scene.hears(0.3, 7000)
    scene.hears(1.2, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"] * 2
    second = np.frombuffer(bytes(scene.recogniser.streams[1].audio), "<i2")
    assert int(np.sum(second == 7000)) >= 0.6 * 8000


async def test_what_was_said_first_is_told_first() -> None:
    scene = Scene(["of the second", "of the first"])  # in the order in which they are known
    scene.recogniser.delay_s = 0.05
    scene.ear.listen(FREE)
    scene.hears(0.6)
    scene.hears(1.1, 0)
    await asyncio.sleep(0)
    scene.recogniser.delay_s = 0.0
    scene.hears(0.6)
    scene.hears(1.1, 0)
    async with asyncio.timeout(20):
        while len(scene.told) < 4:
            await asyncio.sleep(0.01)
    texts = [t.transcript.text for t in scene.told if isinstance(t, Utterance) and t.transcript]
    assert texts == ["of the first", "of the second"]


async def test_a_key_lets_the_prompt_be_the_flows_affair() -> None:
    scene = Scene(["नहीं"])
    scene.ear.listen(FREE)
    scene.plays()
    scene.hears(0.5)
    scene.ear.key()
    assert not scene.leg.paused
    assert scene.recogniser.streams[0].cancelled
    scene.hears(1.0, 0)
    await scene.settles()
    assert scene.told == []


async def test_our_own_voice_out_of_a_speakerphone_does_not_interrupt_itself() -> None:
    scene = Scene(["रुको"])
    scene.ear.listen(FREE)
    scene.plays()
    chance = np.random.default_rng(4)
    said = np.convolve(chance.normal(0, 6000, 8000 * 3), np.ones(3) / 3, "same")
    late = np.concatenate((np.zeros(1200), 0.5 * said))
    own = chance.normal(0, 9000, 8000 * 3)

    def hears(at: int, over: float) -> None:
        """One frame of the echo, and of the caller over it."""
        sent = np.clip(said[: at + 160], -32768, 32767).astype("<i2").tobytes()
        scene.leg.echo = bytes(16000) + sent
        heard = late[at : at + 160] + over * own[at : at + 160]
        assert scene.leg.sink is not None
        scene.leg.sink(np.clip(heard, -32768, 32767).astype("<i2").tobytes())

    for at in range(0, 12000, 160):
        hears(at, 0.0)
        assert not scene.leg.ducked or at < 4000, "only before enough of it was heard"
    assert scene.told == []
    assert scene.recogniser.streams == []
    for at in range(12000, 18000, 160):
        hears(at, 1.0)
    assert scene.leg.paused, "a caller who speaks over it is heard"


async def test_who_knows_the_sound_of_an_end_shortens_the_silence() -> None:
    scene = Scene(["one two three"])
    scene.ear.listen(FREE)
    scene.hears(0.6)
    scene.hears(0.3, 0)
    ((pcm, rate, answer),) = scene.asked
    assert rate == 8000
    assert len(pcm) >= 0.8 * 2 * 8000
    answer(1.0)
    scene.hears(0.16, 0)
    await scene.settles()
    assert scene.kinds == ["SpeechBegan", "Utterance"]
    answer(1.0)  # too late, and harmless
    scene.ear.stop()
    answer(0.0)


async def test_a_prompt_that_gave_way_is_as_loud_as_ever_when_nobody_listens_any_more() -> None:
    for seconds in (0.1, 0.5):
        scene = Scene()
        scene.ear.listen(FREE)
        scene.plays()
        scene.hears(seconds)
        assert scene.leg.ducked or scene.leg.paused
        scene.ear.stop()
        assert not scene.leg.ducked
        assert not scene.leg.paused


async def test_nothing_is_told_once_nobody_listens() -> None:
    scene = Scene(["one"])
    scene.ear.listen(FREE)
    scene.hears(0.6)
    scene.hears(1.1, 0)
    scene.ear.stop()
    await scene.settles()
    assert scene.told == [SpeechBegan()]
    assert scene.detector.closed
    assert scene.leg.sink is None
