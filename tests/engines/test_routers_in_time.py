"""The routers in virtual time: exact moments, and whatever the engines do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.asr.router import RoutedRecognizer
from engines.contract import (
    EngineDown,
    EngineError,
    OnPartial,
    Reason,
    RecognitionRequest,
    SpeechRequest,
    Transcript,
)
from tests.fakes.engines import routed, routes_by_language
from tests.fakes.virtual_time import run_virtually

HELLO = SpeechRequest("Hello.", "en")
YES_NO = RecognitionRequest("en", 8000, ("yes", "no"))
HEDGE_S = 0.3
DEADLINE_S = 0.8
NEVER_S = 1e6
CHUNK_BYTES = 3200
"""0.2 s of sound."""


@dataclass
class Voice:
    """Gives a chunk after each of `waits` seconds; after `end_s` more it ends, or fails. `down`: refuses."""

    number: int
    waits: list[float]
    end_s: float = 0.0
    fails: bool = False
    down: bool = False
    open: int = 0
    asked_at: list[float] = field(default_factory=list)
    version: str = "1"
    sample_rate: int = 8000

    @property
    def name(self) -> str:
        return f"voice {self.number}"

    @property
    def pcm(self) -> bytes:
        return bytes([self.number]) * CHUNK_BYTES * len(self.waits)

    def supports(self, language: str) -> bool:
        return True

    def voices(self, language: str) -> frozenset[str]:
        return frozenset()

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        self.asked_at.append(asyncio.get_running_loop().time())
        if self.down:
            raise EngineDown("starting")
        self.open += 1
        try:
            for wait_s in self.waits:
                await asyncio.sleep(wait_s)
                yield bytes([self.number]) * CHUNK_BYTES
            await asyncio.sleep(self.end_s)
            if self.fails:
                raise EngineError("CUDA out of memory")
        finally:
            self.open -= 1


@dataclass
class Spoken:
    first_at: float
    pcm: bytes
    by: str
    reason: Reason


async def speak(*voices: Voice, texts: int = 1) -> list[Spoken]:
    """So many texts by one router, one after the other; every one listened to as it comes."""
    router = routed(*voices, hedge_s=HEDGE_S, deadline_s=DEADLINE_S)
    now = asyncio.get_running_loop().time
    spoken = []
    for _ in range(texts):
        began, first_at, pcm, owners = now(), None, b"", set[int]()
        speech = router.speak(HELLO, "prompt")
        async with contextlib.aclosing(speech.sound()) as sounds:
            async for sound in sounds:
                first_at = now() - began if first_at is None else first_at
                pcm, owners = (sound.pcm, set()) if sound.begins else (pcm + sound.pcm, owners)
                owners.add(sound.pcm[0])
                assert len(owners) == 1, "one voice at a time"
        assert first_at is not None
        assert speech.route is not None
        spoken.append(Spoken(round(first_at, 6), pcm, speech.route.engine, speech.route.reason))
    await router.close()
    return spoken


def test_a_hang_costs_exactly_one_hedge_and_later_texts_nothing() -> None:
    hung, last = Voice(1, [NEVER_S]), Voice(2, [0.01, 0.1])
    first_at = [one.first_at for one in run_virtually(speak(hung, last, texts=5))]
    assert first_at == [0.31, 0.31, 0.31, 0.01, 0.01]
    assert hung.open == 0


def test_a_hang_in_the_middle_is_noticed_a_hedge_after_the_sound_ran_out() -> None:
    stalls, last = Voice(1, [0.1, 0.0, NEVER_S]), Voice(2, [0.01])
    (one,) = run_virtually(speak(stalls, last))
    assert (one.first_at, one.pcm, one.reason) == (0.1, last.pcm, Reason.ERROR)
    assert [round(at, 6) for at in last.asked_at] == [0.1 + 2 * 0.2 + HEDGE_S]


def test_sound_that_comes_as_fast_as_it_is_heard_is_left_alone() -> None:
    slow, last = Voice(1, [0.2, *[0.25] * 20]), Voice(2, [0.01])
    (one,) = run_virtually(speak(slow, last))
    assert (one.by, one.pcm) == (slow.name, slow.pcm)
    assert last.asked_at == []


def test_two_that_hang_cost_two_hedges_and_the_last_has_its_time() -> None:
    voices = [Voice(number, [NEVER_S]) for number in range(1, 6)]
    last = Voice(9, [0.15])
    (one,) = run_virtually(speak(*voices, last))
    assert one.first_at == pytest.approx(0.75 * DEADLINE_S + 0.15)
    assert [voice.open for voice in voices] == [0] * 5
    (two,) = run_virtually(speak(Voice(1, [NEVER_S]), Voice(2, [NEVER_S]), Voice(3, [0.15])))
    assert two.first_at == pytest.approx(2 * HEDGE_S + 0.15)


_WAIT_S = st.sampled_from((0.0, 0.02, 0.1, 0.25, 0.3, 0.45, 0.8, 1.5, NEVER_S))
_VOICES = st.lists(
    st.builds(
        Voice,
        number=st.just(0),
        waits=st.lists(_WAIT_S, max_size=4),
        end_s=_WAIT_S,
        fails=st.booleans(),
        down=st.booleans(),
    ),
    max_size=4,
)


@given(voices=_VOICES, texts=st.integers(1, 5))
def test_while_the_last_one_speaks_every_text_is_spoken_whole_and_in_time(
    voices: list[Voice], texts: int
) -> None:
    for number, voice in enumerate(voices, start=1):
        voice.number = number
    last = Voice(len(voices) + 1, [0.01, 0.05, 0.05])
    all_of_them = [*voices, last]
    for one in run_virtually(speak(*all_of_them, texts=texts)):
        assert one.pcm in [voice.pcm for voice in all_of_them], "all of one voice, and nothing else"
        assert one.first_at <= DEADLINE_S
    assert [voice.open for voice in all_of_them] == [0] * len(all_of_them)


@dataclass
class Ear:
    """Answers `text` so many seconds after it was told that speech is over, or fails then. `down`: takes
    nothing."""

    number: int
    after_s: float
    text: str = "yes"
    fails: bool = False
    down: bool = False
    busy: int = 0
    audio: list[bytes] = field(default_factory=list)
    version: str = "1"

    @property
    def name(self) -> str:
        return f"ear {self.number}"

    def supports(self, request: RecognitionRequest) -> bool:
        return True

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> EarStream:
        if self.down:
            raise EngineDown("starting")
        return EarStream(self)


class EarStream:
    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._said = b""
        self._open = True
        ear.busy += 1

    def write(self, pcm: bytes) -> None:
        self._said += pcm

    async def finish(self, *, deadline_s: float) -> Transcript:
        self._ear.audio.append(self._said)
        await asyncio.sleep(self._ear.after_s)
        if self._ear.fails:
            raise EngineError("CUDA out of memory")
        return Transcript(self._ear.text, "en", 0.9)

    def cancel(self) -> None:
        self._ear.busy -= self._open
        self._open = False


async def hear(*ears: Ear, turns: int = 1) -> list[tuple[float, str, str]]:
    """When each turn was understood after its end, what, and by whom."""
    names = [f"engine {number}" for number, _ in enumerate(ears[:-1])]
    named = dict(zip(names, ears, strict=False))
    router = RoutedRecognizer(routes_by_language({"en": names}, HEDGE_S), named, ears[-1:], embedded="last")
    now = asyncio.get_running_loop().time
    heard = []
    for turn in range(turns):
        stream = router.open(YES_NO)
        for _ in range(10):
            stream.write(bytes([turn]) * 320)
            await asyncio.sleep(0.02)
        began = now()
        transcript = await stream.finish(deadline_s=DEADLINE_S)
        assert transcript.route is not None
        heard.append((round(now() - began, 6), transcript.text, transcript.route.engine))
    return heard


def test_a_recogniser_that_hangs_costs_exactly_one_hedge_and_later_turns_nothing() -> None:
    hung, last = Ear(1, NEVER_S), Ear(2, 0.05)
    assert run_virtually(hear(hung, last, turns=4)) == [
        (0.35, "yes", "ear 2"),
        (0.35, "yes", "ear 2"),
        (0.35, "yes", "ear 2"),
        (0.05, "yes", "ear 2"),
    ]
    assert (hung.busy, last.busy) == (0, 0)


_EARS = st.lists(
    st.builds(
        Ear,
        number=st.just(0),
        after_s=_WAIT_S,
        text=st.sampled_from(("", "yes", "no")),
        fails=st.booleans(),
        down=st.booleans(),
    ),
    max_size=4,
)


@given(ears=_EARS, turns=st.integers(1, 5))
def test_while_the_last_one_hears_every_turn_is_understood_in_time_and_all_of_it_was_heard(
    ears: list[Ear], turns: int
) -> None:
    for number, ear in enumerate(ears, start=1):
        ear.number = number
    last = Ear(len(ears) + 1, 0.05)
    for at, text, by in run_virtually(hear(*ears, last, turns=turns)):
        assert at <= DEADLINE_S
        who = next(ear for ear in (*ears, last) if ear.name == by)
        assert text == who.text
        assert not who.fails
    for ear in (*ears, last):
        assert ear.busy == 0
        assert all(said == said[:1] * 3200 for said in ear.audio), "each hears whole turns"
