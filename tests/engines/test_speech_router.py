"""Engines that hang, break off, die or raise: each costs a hedge, none a text."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from engines.breaker import BreakerState
from engines.contract import EngineError, EngineUnavailable, Passed, Reason, Route, SpeechRequest
from engines.launch import WorkerCommand
from engines.routing.routes import Chain, Purpose, Routes
from engines.supervisor import SupervisedWorker
from engines.tts.pace import Pace
from engines.tts.router import Speech, SpeechRouter
from tests.fakes.engines import ToneSynthesizer, routed

HELLO = SpeechRequest("Hello there, caller.", "en")
NEVER_S = 3600.0
SOON_S = 0.05
"""A hedge for an engine that never answers: how busy the machine is does not matter."""


@dataclass
class Notes:
    answers: list[tuple[Route, Purpose]] = field(default_factory=list)
    passes: list[Passed] = field(default_factory=list)

    def answered(self, route: Route, purpose: Purpose, took_s: float) -> None:
        assert 0 <= took_s <= route.wait_s + 0.001
        self.answers.append((route, purpose))

    def passed(self, passed: Passed) -> None:
        self.passes.append(passed)


async def pcm_of(speech: Speech) -> bytes:
    """What is heard in the end: of the last engine that began."""
    pcm = b""
    async with asyncio.timeout(30), contextlib.aclosing(speech.sound()) as sounds:
        async for sound in sounds:
            pcm = sound.pcm if sound.begins else pcm + sound.pcm
    return pcm


async def gone(voice: ToneSynthesizer, count: int = 1) -> None:
    async with asyncio.timeout(30):
        while len(voice.cancelled) < count:
            await asyncio.sleep(0.005)


def why(speech: Speech) -> tuple[str, Reason, list[tuple[str, Reason]]]:
    assert speech.route is not None
    return speech.route.engine, speech.route.reason, [(p.engine, p.reason) for p in speech.route.passed]


async def test_the_first_choice_speaks_and_nobody_else_is_asked() -> None:
    best, last, notes = ToneSynthesizer(name="best"), ToneSynthesizer(name="last"), Notes()
    speech = routed(best, last, watch=notes).speak(HELLO, "prompt")
    assert await pcm_of(speech) == best.pcm(HELLO.text)
    assert why(speech) == ("best", Reason.FIRST, [])
    assert (len(last.requests), notes.passes) == (0, [])
    assert [(route.engine, purpose) for route, purpose in notes.answers] == [("best", "prompt")]


async def test_one_that_hangs_before_its_first_sound_costs_a_hedge_and_is_cancelled() -> None:
    best, last, notes = ToneSynthesizer(name="best", delay_s=NEVER_S), ToneSynthesizer(name="last"), Notes()
    speech = routed(best, last, hedge_s=SOON_S, watch=notes).speak(HELLO, "prompt")
    assert await pcm_of(speech) == last.pcm(HELLO.text)
    assert why(speech) == ("last", Reason.LATE, [("voice 1", Reason.LATE)])
    await gone(best)


async def test_one_that_hangs_in_the_middle_is_followed_by_the_next_from_the_beginning() -> None:
    best, last = ToneSynthesizer(name="best", chunk_delay_s=NEVER_S), ToneSynthesizer(name="last")
    speech = routed(best, last, hedge_s=SOON_S).speak(HELLO, "prompt")
    assert await pcm_of(speech) == last.pcm(HELLO.text)
    assert why(speech) == ("last", Reason.ERROR, [("voice 1", Reason.ERROR)])
    await gone(best)


@pytest.mark.parametrize("after", [0, 2])
async def test_one_that_dies_is_followed_by_the_next_at_once(after: int) -> None:
    best, last = ToneSynthesizer(name="best", breaks_after=after), ToneSynthesizer(name="last")
    speech = routed(best, last).speak(HELLO, "prompt")  # with a hedge of 20 s: nothing waits for it
    assert await pcm_of(speech) == last.pcm(HELLO.text)
    assert why(speech)[0] == "last"


async def test_one_that_breaks_in_a_way_of_no_engine_is_followed_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(ToneSynthesizer):
        async def synthesize(
            self, request: SpeechRequest, *, deadline_s: float
        ) -> AsyncGenerator[bytes, None]:
            raise ZeroDivisionError
            yield b""

    last = ToneSynthesizer(name="last")
    assert await pcm_of(routed(Faulty(), last).speak(HELLO, "prompt")) == last.pcm(HELLO.text)
    assert "ZeroDivisionError" in caplog.text


async def test_one_that_gives_no_sound_is_followed_too() -> None:
    class Mute(ToneSynthesizer):
        def pcm(self, text: str) -> bytes:
            return b""

    last = ToneSynthesizer(name="last")
    assert await pcm_of(routed(Mute(), last).speak(HELLO, "prompt")) == last.pcm(HELLO.text)


async def test_one_that_does_not_let_itself_be_cancelled_keeps_nobody_waiting() -> None:
    held = asyncio.Event()

    class Deaf(ToneSynthesizer):
        async def synthesize(
            self, request: SpeechRequest, *, deadline_s: float
        ) -> AsyncGenerator[bytes, None]:
            while not held.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await held.wait()
            yield b"too late"

    last = ToneSynthesizer(name="last")
    router = routed(Deaf(), last, hedge_s=SOON_S)
    assert await pcm_of(router.speak(HELLO, "prompt")) == last.pcm(HELLO.text)
    held.set()
    async with asyncio.timeout(30):
        await router.close()


async def test_when_nobody_can_each_is_told_with_its_reason() -> None:
    one = ToneSynthesizer(name="one", failures=deque([EngineError("CUDA out of memory")]))
    two = ToneSynthesizer(name="two", failures=deque([EngineUnavailable("two is starting")]))
    with pytest.raises(EngineError, match="voice 1: CUDA out of memory; last: two is starting"):
        await pcm_of(routed(one, two).speak(HELLO, "prompt"))
    hung = ToneSynthesizer(name="hung", delay_s=NEVER_S)
    with pytest.raises(EngineError, match=r"last: (late|no answer)"):
        await pcm_of(routed(hung, deadline_s=SOON_S).speak(HELLO, "prompt"))
    await gone(hung)
    with pytest.raises(EngineError, match="no engine speaks 'fr'"):
        routed(one).speak(SpeechRequest("bonjour", "fr"), "prompt")


async def test_a_caller_who_leaves_ends_all_that_was_begun_for_him() -> None:
    voices = [ToneSynthesizer(name=f"{n}", delay_s=NEVER_S, chunk_delay_s=NEVER_S) for n in range(3)]
    router = routed(*voices, hedge_s=0.01)
    taking = asyncio.create_task(pcm_of(router.speak(HELLO, "prompt")))
    async with asyncio.timeout(30):
        while not all(voice.requests for voice in voices):
            await asyncio.sleep(0.005)
    taking.cancel()
    for voice in voices:
        await gone(voice)
    async with asyncio.timeout(30):
        await router.close()
    speaking = ToneSynthesizer(chunk_delay_s=NEVER_S)
    sounds = routed(speaking).speak(HELLO, "prompt").sound()
    await anext(sounds)
    await sounds.aclose()
    await gone(speaking)


async def test_what_is_made_ahead_has_time_until_somebody_waits_for_it() -> None:
    best, last = ToneSynthesizer(name="best", delay_s=NEVER_S), ToneSynthesizer(name="last")
    speech = routed(best, last, hedge_s=SOON_S).speak(HELLO, "prompt", urgent=False)
    taking = asyncio.create_task(pcm_of(speech))
    await asyncio.sleep(4 * SOON_S)
    assert best.requests
    assert not last.requests
    speech.hurry()
    assert await taking == last.pcm(HELLO.text)
    assert speech.route is not None
    assert speech.route.reason is Reason.LATE


async def test_what_fails_again_and_again_is_left_alone_but_the_last_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engines.routing.board.FIRST_S", 3600.0)
    best, last = ToneSynthesizer(name="best", breaks_after=1), ToneSynthesizer(name="last")
    router = routed(best, last)
    for _ in range(5):
        speech = router.speak(HELLO, "prompt")
        await pcm_of(speech)
    assert len(best.requests) == 3
    assert why(speech) == ("last", Reason.OPEN, [("voice 1", Reason.OPEN)])
    assert router.standing()["voice 1"]() is BreakerState.OPEN
    assert not router.asks(router.choices(HELLO, "prompt")[0])
    last.breaks_after = 1
    for _ in range(5):
        with pytest.raises(EngineError):
            await pcm_of(router.speak(HELLO, "prompt"))
    last.breaks_after = None
    assert await pcm_of(router.speak(HELLO, "prompt")) == last.pcm(HELLO.text)


def voices(**chains: tuple[str, ...]) -> tuple[SpeechRouter, dict[str, ToneSynthesizer]]:
    named = {name: ToneSynthesizer(name=name, known_voices=frozenset({f"of {name}"})) for name in "ab"}
    routes = Routes(20, {"en": {purpose: Chain(names, 20) for purpose, names in chains.items()}})  # type: ignore[misc]
    last = ToneSynthesizer(name="espeak", known_voices=frozenset({"m1"}))
    return SpeechRouter(routes, named, [last, last], deadline_s=20), {**named, "espeak": last}


def row(router: SpeechRouter, request: SpeechRequest, purpose: Purpose) -> list[str]:
    return [choice.key + ("*" if choice.request.voice else "") for choice in router.choices(request, purpose)]


async def test_each_purpose_has_its_chain_and_the_embedded_voice_is_always_last() -> None:
    router, engines = voices(prompt=("a", "b"), reply=("b",), number=("espeak",))
    assert row(router, HELLO, "prompt") == ["a", "b", "espeak", "espeak#2"]
    assert row(router, HELLO, "reply") == ["b", "espeak", "espeak#2"]
    assert row(router, HELLO, "number") == ["espeak", "espeak#2"]
    assert row(router, SpeechRequest("नमस्ते", "hi"), "prompt") == ["espeak", "espeak#2"]
    assert row(router, SpeechRequest("Hello", "en-IN"), "reply") == ["b", "espeak", "espeak#2"]
    engines["a"].languages = frozenset({"hi"})
    assert row(router, HELLO, "prompt") == ["b", "espeak", "espeak#2"]
    await pcm_of(router.speak(HELLO, "number"))
    assert len(engines["espeak"].requests) == 1


async def test_a_voice_is_spoken_by_an_engine_that_has_it() -> None:
    router, engines = voices(prompt=("a", "b"), reply=("b",))
    by_b = SpeechRequest("Hello", "en", "of b")
    assert row(router, by_b, "prompt") == ["b*", "a", "espeak", "espeak#2"]
    by_a = SpeechRequest("Hello", "en", "of a")
    assert row(router, by_a, "reply") == ["a*", "b", "espeak", "espeak#2"], "of another chain of the language"
    embedded = SpeechRequest("Hello", "en", "m1")
    assert row(router, embedded, "prompt") == ["espeak*", "espeak#2*", "a", "b", "espeak#2*"]
    nobodys = SpeechRequest("Hello", "en", "nobody's")
    speech = router.speak(nobodys, "prompt")
    await pcm_of(speech)
    assert why(speech) == ("a", Reason.VOICE, [])
    assert engines["a"].requests[-1].voice == ""


@dataclass
class WorkerVoice:
    """A voice in a real worker, which gives one chunk and then computes until it is cancelled, or killed."""

    worker: SupervisedWorker
    name: str = "worker"
    version: str = "1"
    sample_rate: int = 8000

    def supports(self, language: str) -> bool:
        return True

    def voices(self, language: str) -> frozenset[str]:
        return frozenset()

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        job = self.worker.open({"spin": True})
        try:
            while frame := await job.receive(asyncio.get_running_loop().time() + 30):
                yield frame.data
        finally:
            job.cancel()


async def test_a_worker_that_hangs_is_freed_and_one_that_is_killed_is_replaced_by_the_next_engine() -> None:
    worker = SupervisedWorker("sample", WorkerCommand("tests.engines.sample_engine:SampleEngine"))
    await worker.start()
    try:
        last = ToneSynthesizer(name="last")
        hung = routed(WorkerVoice(worker), last, hedge_s=SOON_S).speak(HELLO, "prompt")
        assert await pcm_of(hung) == last.pcm(HELLO.text)
        job = worker.open({"count": True})
        frame = await job.receive(asyncio.get_running_loop().time() + 30)
        assert frame is not None
        assert frame.fields["open"] == 1, "the job of the text is gone from the worker"
        job.cancel()

        killed = routed(WorkerVoice(worker), last).speak(HELLO, "prompt")
        async with asyncio.timeout(30), contextlib.aclosing(killed.sound()) as sounds:
            assert (await anext(sounds)).pcm == b"spinning"
            pid = worker.health.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            rest = [sound async for sound in sounds]
        assert rest[0].begins
        assert b"".join(sound.pcm for sound in rest) == last.pcm(HELLO.text)
        assert "died" in killed.route.passed[0].detail  # type: ignore[union-attr]
    finally:
        await worker.close()


def test_sound_has_broken_off_when_it_is_missing_for_a_hedge() -> None:
    pace = Pace(0.0, 0.3, 10.0, heard=True)
    pace.came(0.2, 2.0)
    assert pace.due == 2.5
    pace.came(0.3, 1.0)
    assert pace.due == 3.5
    pace.came(5.0, 0.5)
    assert pace.due == 5.8, "after a hole it is listened to from now on"


def test_what_nobody_listens_to_yet_may_take_longer() -> None:
    pace = Pace(0.0, 0.3, 10.0, heard=False)
    pace.came(0.5, 2.0)
    assert pace.due == 10.5
    pace.hurry(4.0)
    assert pace.due == 6.3
