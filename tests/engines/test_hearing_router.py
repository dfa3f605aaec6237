"""Recognisers that hang, fail in the end, die or understand nothing: what was said is not lost."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.asr.router import RoutedRecognizer
from engines.contract import (
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    OnPartial,
    Passed,
    Reason,
    RecognitionRequest,
    Recognizer,
    Route,
    Transcript,
)
from engines.routing.routes import Chain, Purpose, Routes
from tests.fakes.engines import ScriptedRecognizer, ScriptedStream, routes_by_language

YES_NO = RecognitionRequest("en", 8000, ("yes", "no"))
FREE = RecognitionRequest("en", 8000)
SPEECH = bytes(range(256)) * 50
NEVER_S = 3600.0
SOON_S = 0.05


def hearing(*engines: Recognizer, hedge_s: float = 20.0, watch: Notes | None = None) -> RoutedRecognizer:
    names = [f"engine {number}" for number, _ in enumerate(engines[:-1], start=1)]
    routes = routes_by_language(dict.fromkeys(("en", "hi"), names), hedge_s)
    named = dict(zip(names, engines, strict=False))
    return RoutedRecognizer(routes, named, engines[-1:], embedded="last", watch=watch)


class Notes:
    def __init__(self) -> None:
        self.answers: list[tuple[str, Purpose]] = []
        self.passes: list[Passed] = []

    def answered(self, route: Route, purpose: Purpose, took_s: float) -> None:
        self.answers.append((route.engine, purpose))

    def passed(self, passed: Passed) -> None:
        self.passes.append(passed)


class Named(ScriptedRecognizer):
    def __init__(self, name: str, answers: list[str] | None = None, *, free_speech: bool = True) -> None:
        super().__init__(answers or [], free_speech=free_speech)
        self.name = name  # type: ignore[misc]


async def said(recognizer: Recognizer, request: RecognitionRequest = YES_NO) -> Transcript:
    stream = recognizer.open(request)
    for at in range(0, len(SPEECH), 320):
        stream.write(SPEECH[at : at + 320])
    async with asyncio.timeout(30):
        return await stream.finish(deadline_s=20)


def why(transcript: Transcript) -> tuple[str, Reason, list[tuple[str, Reason]]]:
    route = transcript.route
    assert route is not None
    return route.engine, route.reason, [(each.engine, each.reason) for each in route.passed]


async def test_the_first_choice_hears_the_caller_speak_and_nobody_else_is_asked() -> None:
    best, last, notes = Named("best", ["yes"]), Named("last", ["no"]), Notes()
    transcript = await said(hearing(best, last, watch=notes))
    assert (transcript.text, why(transcript)) == ("yes", ("best", Reason.FIRST, []))
    assert bytes(best.streams[0].audio) == SPEECH
    assert best.streams[0].cancelled, "it is free of the utterance"
    assert last.streams == []
    assert (notes.answers, notes.passes) == ([("best", "phrases")], [])


@pytest.mark.parametrize("error", [EngineError("CUDA out of memory"), EngineTimeout(), EngineUnavailable()])
async def test_one_that_fails_in_the_end_is_followed_by_the_next_with_all_that_was_said(
    error: EngineError,
) -> None:
    best, last, notes = Named("best", ["no"]), Named("last", ["yes"]), Notes()
    best.failures.append(error)
    transcript = await said(hearing(best, last, watch=notes))
    assert transcript.text == "yes"
    assert why(transcript)[0] == "last"
    assert bytes(last.streams[0].audio) == SPEECH
    assert best.streams[0].cancelled
    assert [each.engine for each in notes.passes] == ["engine 1"]


async def test_one_that_hangs_in_the_end_costs_a_hedge_and_is_cancelled() -> None:
    best, last = Named("best", ["no"]), Named("last", ["yes"])
    best.delay_s = NEVER_S
    transcript = await said(hearing(best, last, hedge_s=SOON_S))
    assert (transcript.text, why(transcript)) == (
        "yes",
        ("last", Reason.LATE, [("engine 1", Reason.LATE)]),
    )
    assert best.streams[0].cancelled


async def test_one_that_takes_no_utterance_is_passed_over() -> None:
    best, last = Named("best"), Named("last", ["yes"])
    best.available = False
    transcript = await said(hearing(best, last))
    assert (transcript.text, why(transcript)) == (
        "yes",
        ("last", Reason.DOWN, [("engine 1", Reason.DOWN)]),
    )
    last.available = False
    with pytest.raises(EngineUnavailable, match="the worker is down"):
        hearing(best, last).open(YES_NO)


async def test_who_understood_nothing_waits_for_one_before_it() -> None:
    best, last = Named("best", ["yes"]), Named("last", [""])
    best.delay_s = 4 * SOON_S
    transcript = await said(hearing(best, last, hedge_s=SOON_S))
    assert (transcript.text, why(transcript)[0]) == ("yes", "best")
    nothing = await said(hearing(Named("best", [""]), last))
    assert (nothing.text, why(nothing)) == ("", ("best", Reason.FIRST, []))
    best.failures.append(EngineError("gone"))
    best.delay_s = 4 * SOON_S
    fallen = await said(hearing(best, Named("last", [""]), hedge_s=SOON_S))
    assert (fallen.text, why(fallen)[0]) == ("", "last")


async def test_when_nobody_can_each_is_told_with_its_reason() -> None:
    best, last = Named("best"), Named("last")
    best.failures.append(EngineError("no"))
    last.failures.append(EngineError("neither"))
    with pytest.raises(EngineError, match="engine 1: no; last: neither"):
        await said(hearing(best, last))
    hung = Named("hung")
    hung.delay_s = NEVER_S
    stream = hearing(hung).open(YES_NO)
    with pytest.raises(EngineError, match=r"last: (late|no answer)"):
        await stream.finish(deadline_s=SOON_S)
    assert hung.streams[0].cancelled


async def test_who_is_asked_depends_on_what_is_listened_for() -> None:
    menus, free, last = Named("menus", ["yes"]), Named("free", ["hello"]), Named("last", free_speech=False)
    routes = Routes(20, {"en": {"phrases": Chain(("menus",), 20), "free": Chain(("free",), 20)}})
    router = RoutedRecognizer(routes, {"menus": menus, "free": free}, [last])
    assert (await said(router, YES_NO)).text == "yes"
    assert (await said(router, FREE)).text == "hello"
    assert router.supports(RecognitionRequest("hi-IN", 8000, ("हाँ",)))
    assert not router.supports(RecognitionRequest("hi", 8000)), "the last one hears no free speech"
    with pytest.raises(EngineError, match="'hi'"):
        router.open(RecognitionRequest("hi", 8000))


async def test_an_utterance_that_is_dropped_frees_all_that_hear_it() -> None:
    engines = [Named("best"), Named("last")]
    engines[0].delay_s = engines[1].delay_s = NEVER_S
    early = hearing(*engines).open(YES_NO)
    early.write(SPEECH)
    early.cancel()
    early.cancel()
    assert engines[0].streams[0].cancelled
    late = hearing(*engines, hedge_s=0.01).open(YES_NO)
    finishing = asyncio.create_task(late.finish(deadline_s=20))
    async with asyncio.timeout(30):
        while not engines[1].streams:
            await asyncio.sleep(0.005)
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    assert engines[0].streams[1].cancelled
    assert engines[1].streams[0].cancelled


async def test_an_utterance_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.asr.router._MOST_KEPT_S", 0.5)
    best, last = Named("best"), Named("last")
    best.failures.append(EngineError("no"))
    with pytest.raises(EngineError, match="last: the utterance is too long to be told again"):
        await said(hearing(best, last))
    assert last.streams == []


async def test_partials_come_from_who_hears_the_caller_and_never_after_the_end() -> None:
    class Telling(Named):
        def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> ScriptedStream:
            assert on_partial is not None
            self.tell = on_partial
            return super().open(request)

    best, last = Telling("best"), Telling("last", ["yes"])
    heard: list[str] = []
    stream = hearing(best, last).open(YES_NO, lambda partial: heard.append(partial.text))
    best.tell(Transcript("ye", "en", 0.0, final=False))
    best.failures.append(EngineError("no"))
    await stream.finish(deadline_s=20)
    best.tell(Transcript("late", "en", 0.0, final=False))
    last.tell(Transcript("late", "en", 0.0, final=False))
    assert heard == ["ye"]


async def test_a_worker_that_is_killed_while_it_hears_costs_no_turn() -> None:
    real, last = PocketsphinxRecognizer(), Named("last", ["yes"])
    await real.start()
    try:
        stream = hearing(real, last).open(YES_NO)
        stream.write(SPEECH)
        pid = real.health.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            transcript = await stream.finish(deadline_s=20)
        assert transcript.text == "yes"
        assert "died" in transcript.route.passed[0].detail  # type: ignore[union-attr]
    finally:
        await real.close()
