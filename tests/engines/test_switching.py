"""Another model in a place that is in use: what had begun ends on the old one, what comes next is the new
one's, and nothing fails; whatever goes wrong, somebody has the place or the chain goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import product

import pytest

from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.contract import (
    EngineError,
    EngineUnavailable,
    RecognitionRequest,
    SpeechRequest,
)
from engines.gpu.budget import CardBudget, Part, Share, card_budget
from engines.settled import in_use, settled
from engines.supervisor import WorkerHealth, WorkerState
from engines.switching.machine import Command, Event, Stage, Switch
from engines.switching.places import RecogniserPlace, VoicePlace
from engines.switching.switcher import Candidate, Order, Place, Switcher, SwitchRefused
from engines.tts.espeak import EspeakSynthesizer
from engines.tts.levelled import LevelledSynthesizer
from tests.fakes.engines import ToneSynthesizer, routed
from tests.fakes.speech import silence, spoken

WAIT_S = 30


# --- the machine


@pytest.mark.parametrize("unload_first", [False, True])
def test_every_course_of_events_ends_well_or_with_the_old_model(unload_first: bool) -> None:
    """All answers to all commands: the old model is unloaded only once nobody comes to it any more and what
    it had is done, and in the end exactly one of them has the place, unless neither would start."""
    for events in product(Event, repeat=6):
        switch = Switch(unload_first=unload_first)
        routed: str | None = "old"
        loaded = {"old"}
        drained = False
        commands = list(switch.begin())
        answers = iter(events)
        while commands:
            command = commands.pop(0)
            works = True
            if command.name.startswith(("LOAD", "WARM")):
                works = next(answers) is Event.DONE
            match command:
                case Command.LOAD_NEW if works:
                    loaded.add("new")
                case Command.LOAD_OLD if works:
                    loaded.add("old")
                case Command.ROUTE_NEW:
                    assert "new" in loaded
                    routed = "new"
                case Command.ROUTE_OLD:
                    assert "old" in loaded
                    routed = "old"
                case Command.ROUTE_NOBODY:
                    routed = None
                case Command.DRAIN_OLD:
                    assert routed != "old"
                    drained = True
                case Command.UNLOAD_OLD:
                    assert drained
                    loaded.discard("old")
                case Command.UNLOAD_NEW:
                    assert routed != "new"
                    loaded.discard("new")
            if command.name.startswith("ROUTE"):
                continue
            commands = list(switch.handle(Event.DONE if works else Event.FAILED, "why"))
        assert switch.over
        if switch.stage is Stage.DONE:
            assert (routed, loaded) == ("new", {"new"})
        else:
            assert switch.reason.startswith("why")
            assert (routed, loaded) in (("old", {"old"}), (None, set()))
            assert routed == "old" or unload_first
        if not unload_first:
            assert routed is not None


# --- the switcher


@dataclass
class Model(ToneSynthesizer):
    """A tone at `hertz` a character, with a life that a test can see and spoil."""

    name: str = "kokoro"
    fails_to_start: list[str] = field(default_factory=list)
    running: bool = False
    log: list[str] = field(default_factory=list)

    @property
    def health(self) -> WorkerHealth:
        state = WorkerState.UP if self.running else WorkerState.DOWN
        return WorkerHealth(self.name, state, 0, 0, 1 if self.running else None, None, None, "")

    async def start(self) -> None:
        self.log.append("start")
        if self.fails_to_start:
            raise EngineUnavailable(self.fails_to_start.pop())
        self.running = True

    async def close(self) -> None:
        self.log.append("close")
        self.running = False

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float):  # type: ignore[no-untyped-def]
        if not self.running:
            raise EngineUnavailable(f"{self.name} {self.version} is down")
        async for chunk in super().synthesize(request, deadline_s=deadline_s):
            if not self.running:
                raise EngineUnavailable(f"{self.name} {self.version} was unloaded in the middle")
            yield chunk


@dataclass
class Scene:
    """A place with an old model that runs, and a new one."""

    old: Model = field(default_factory=lambda: Model(version="old", running=True))
    new: Model = field(default_factory=lambda: Model(version="new"))
    budgets: tuple[CardBudget, ...] = ()
    gb: float | None = 1.0
    card: int | None = 0
    warmed: list[str] = field(default_factory=list)
    cold: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place = VoicePlace(self.old)
        self.switcher = Switcher(
            {"kokoro": self.place}, self.make, self.warm_up, self.budgets, drain_s=WAIT_S, grace_s=0.0
        )

    def make(self, place: Place, order: Order) -> Candidate:
        return Candidate(self.new, self.card, self.gb)

    async def warm_up(self, engine: Model) -> None:
        if self.cold:
            raise EngineError(self.cold.pop())
        assert await heard(engine)
        self.warmed.append(engine.version)

    async def switch(self, *, unload_first: bool = False) -> None:
        self.switcher.order(Order("kokoro", "kokoro", unload_first=unload_first), "tester")
        async with asyncio.timeout(WAIT_S):
            await self.switcher.wait()


async def heard(engine: object, text: str = "hello there") -> bytes:
    request = SpeechRequest(text, "en")
    return b"".join([chunk async for chunk in engine.synthesize(request, deadline_s=5)])  # type: ignore[attr-defined]


async def test_what_had_begun_ends_on_the_old_and_the_next_is_on_the_new() -> None:
    scene = Scene()
    whole = await heard(scene.old)
    under_way = scene.place.synthesize(SpeechRequest("hello there", "en"), deadline_s=5)
    first = await anext(under_way)
    switching = asyncio.create_task(scene.switch())
    async with asyncio.timeout(WAIT_S):
        while scene.place.version != "new":
            await asyncio.sleep(0)
    assert scene.warmed == ["new"], "warm before anybody came to it"
    assert scene.old.running, "it has a stream yet"
    assert await heard(scene.place) == whole
    assert scene.new.requests, "the next one is the new model's"
    assert b"".join([first, *[chunk async for chunk in under_way]]) == whole
    await switching
    assert (scene.old.running, scene.new.running) == (False, True)
    standing = scene.switcher.standings[0]
    assert (standing.stage, standing.before, standing.after, standing.cut_off) == (
        Stage.DONE,
        "kokoro old",
        "kokoro new",
        0,
    )


async def test_many_streams_through_many_switches_never_fail() -> None:
    """Callers come and go all the time while models change: each hears all of his text, of one model."""
    models = [Model(version=str(number), running=number == 0) for number in range(6)]
    scene = Scene(old=models[0])
    whole = await heard(models[0])
    done = asyncio.Event()
    count = 0

    async def caller() -> None:
        nonlocal count
        while not done.is_set():
            assert await heard(scene.place) == whole
            count += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as callers:
        for _ in range(8):
            callers.create_task(caller())
        for model in models[1:]:
            scene.new = model
            await scene.switch()
            assert scene.place.version == model.version
        done.set()
    assert count > 8
    assert [model.running for model in models] == [False] * 5 + [True]


async def test_a_text_keeps_its_model_between_its_sentences() -> None:
    scene = Scene()
    engine = settled(LevelledSynthesizer(scene.place))
    with in_use(engine):
        first = await heard(engine, "one")
        switching = asyncio.create_task(scene.switch())
        async with asyncio.timeout(WAIT_S):
            while scene.place.version != "new":
                await asyncio.sleep(0)
        assert engine.version == "old-level2"
        assert len(await heard(engine, "one")) == len(first)
        assert not switching.done()
    await switching
    assert len(scene.old.requests) == 2
    assert settled(scene.old) is scene.old, "an engine that is what it is"


async def test_a_text_on_its_way_keeps_the_rate_that_it_began_with() -> None:
    scene = Scene(new=Model(version="new", sample_rate=16000))
    speech = routed(scene.place).speak(SpeechRequest("hello there", "en"), "prompt")
    rates = []
    async with aclosing(speech.sound()) as sounds:
        async for sound in sounds:
            scene.place.seat.give(scene.new)
            rates.append(sound.rate)
    assert set(rates) == {8000}
    assert len(rates) > 1
    assert scene.place.sample_rate == 16000


@pytest.mark.parametrize("where", ["start", "warm-up"])
async def test_a_new_model_that_does_not_come_up_leaves_the_old_one(where: str) -> None:
    scene = Scene()
    (scene.new.fails_to_start if where == "start" else scene.cold).append("CUDA out of memory")
    await scene.switch()
    standing = scene.switcher.standings[0]
    assert (standing.stage, standing.reason, standing.after) == (
        Stage.FAILED,
        "CUDA out of memory",
        "kokoro old",
    )
    assert (scene.old.running, scene.new.running) == (True, False)
    assert await heard(scene.place)
    scene.new = Model(version="better")
    await scene.switch()
    assert scene.place.version == "better"


async def test_where_both_do_not_fit_the_old_goes_first_and_the_chain_serves() -> None:
    scene = Scene()
    under_way = scene.place.synthesize(SpeechRequest("hello there", "en"), deadline_s=5)
    await anext(under_way)
    switching = asyncio.create_task(scene.switch(unload_first=True))
    async with asyncio.timeout(WAIT_S):
        while scene.place.health.state is not WorkerState.DOWN:
            await asyncio.sleep(0)
    assert scene.place.health.last_failure == "kokoro is being switched"
    with pytest.raises(EngineUnavailable, match="kokoro is being switched"):
        await heard(scene.place)
    assert [chunk async for chunk in under_way], "what had begun is not cut"
    await switching
    assert scene.old.log[-1:] + scene.new.log[:1] == ["close", "start"]
    assert await heard(scene.place)
    assert scene.place.version == "new"


async def test_the_old_one_comes_back_when_the_new_one_fails_in_its_stead() -> None:
    scene = Scene()
    scene.new.fails_to_start.append("no such file")
    await scene.switch(unload_first=True)
    assert scene.switcher.standings[0].stage is Stage.FAILED
    assert scene.old.running
    assert await heard(scene.place)


async def test_when_neither_comes_up_the_place_says_so_and_another_switch_fills_it() -> None:
    scene = Scene()
    scene.new.fails_to_start.append("no such file")
    scene.old.fails_to_start.append("the card fell off the bus")
    await scene.switch(unload_first=True)
    assert scene.switcher.standings[0].reason == (
        "no such file; the old model does not come back either: the card fell off the bus"
    )
    with pytest.raises(EngineUnavailable):
        await heard(scene.place)
    await scene.switch(unload_first=True)
    assert await heard(scene.place)


async def test_a_stream_that_does_not_end_is_cut_and_counted() -> None:
    scene = Scene()
    scene.switcher = Switcher({"kokoro": scene.place}, scene.make, scene.warm_up, drain_s=0.05, grace_s=0.0)
    under_way = scene.place.synthesize(SpeechRequest("hello there", "en"), deadline_s=5)
    await anext(under_way)
    await scene.switch()
    assert scene.switcher.standings[0].cut_off == 1
    with pytest.raises(EngineUnavailable, match="in the middle"):
        await anext(under_way)


async def test_one_at_a_time_and_only_what_can_be() -> None:
    scene = Scene()
    second = VoicePlace(Model(name="glm-tts"))
    scene.switcher.places["glm-tts"] = second
    scene.switcher.order(Order("kokoro", "kokoro"), "tester")
    for order, code in (
        (Order("kokoro", "kokoro"), "switch_under_way"),
        (Order("espeak", "espeak"), "unknown_engine"),
        (Order("kokoro", "glm-tts"), "engine_in_use"),
    ):
        if code != "switch_under_way":
            await scene.switcher.wait()
        with pytest.raises(SwitchRefused) as refused:
            scene.switcher.order(order, "tester")
        assert refused.value.code == code
    assert len(scene.switcher.standings) == 1, "what is refused never began"
    far = Switcher({}, scene.make, scene.warm_up, elsewhere={"kokoro": "http://gpu-1:7002"})
    with pytest.raises(SwitchRefused, match="kokoro runs at http://gpu-1:7002: switch it there"):
        far.order(Order("kokoro", "kokoro"), "tester")


def budget(total_gb: float) -> CardBudget:
    return card_budget([Share("kokoro", 2.0), Share("faster-whisper", 2.0)], total_gb=total_gb)


async def test_both_must_fit_beside_each_other() -> None:
    roomy = Scene(budgets=(budget(8),), gb=3.0)
    await roomy.switch()
    (after,) = roomy.switcher.budgets
    assert after.share("kokoro") == Share("kokoro", 3.0)
    assert after.needed_gb == 6.0
    tight = Scene(budgets=(budget(7),), gb=3.0)
    with pytest.raises(SwitchRefused, match=r"1\.0 GB too much") as refused:
        await tight.switch()
    assert "kokoro (new)" in str(refused.value)
    assert "with unload_first" in str(refused.value)
    assert tight.new.log == []
    await tight.switch(unload_first=True)
    assert tight.place.version == "new"
    for scene, says in (
        (Scene(budgets=(budget(7),), gb=5.0), "do not fit"),
        (Scene(budgets=(budget(7),), gb=None), "say it with vram_gb"),
    ):
        with pytest.raises(SwitchRefused, match=says):
            await scene.switch(unload_first=True)
    elsewhere = Scene(budgets=(budget(5),), card=None, gb=None)
    await elsewhere.switch()
    assert elsewhere.switcher.budgets[0].share("kokoro") is None
    assert elsewhere.switcher.budgets[0].share("CUDA") == Share("CUDA", 1.0, Part.CUDA)


async def test_a_switch_that_is_broken_off_leaves_one_model() -> None:
    scene = Scene()
    under_way = scene.place.synthesize(SpeechRequest("hello there", "en"), deadline_s=5)
    await anext(under_way)
    scene.switcher.order(Order("kokoro", "kokoro"), "tester")
    async with asyncio.timeout(WAIT_S):
        while scene.switcher.standings[0].stage is not Stage.DRAINING:
            await asyncio.sleep(0)
    await scene.switcher.close()
    assert (scene.old.running, scene.new.running) == (False, True)
    assert scene.switcher.standings[0].reason == "it was broken off"
    fresh = Scene()
    scene = Scene()
    scene.switcher.order(Order("kokoro", "kokoro"), "tester")
    await scene.switcher.close()
    assert (scene.old.running, scene.new.running) == (True, False)
    await fresh.switcher.close()  # nothing is under way


async def test_it_is_written_down_who_switched_what(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ivr.audit"):
        await Scene().switch()
    told = [record.getMessage() for record in caplog.records if record.name == "ivr.audit"]
    assert told == [
        "tester switches kokoro old to kokoro",
        "the switch of kokoro is done: kokoro new",
    ]


# --- the embedded engines, in real worker processes


@asynccontextmanager
async def switched(place: Place, new: object) -> AsyncIterator[Switcher]:
    async def warm_up(engine: object) -> None:
        pass

    switcher = Switcher(
        {place.name: place}, lambda _place, _order: Candidate(new, None, None), warm_up, grace_s=0.0
    )
    await place.start()
    try:
        yield switcher
    finally:
        await switcher.close()
        await place.close()


async def test_a_real_voice_is_replaced_while_it_speaks() -> None:
    place = VoicePlace(EspeakSynthesizer())
    new = EspeakSynthesizer()
    async with switched(place, new) as switcher:
        text = "One sentence after the other, without an end. " * 40
        whole = await heard(place, text)
        old_pid = place.health.pid
        under_way = place.synthesize(SpeechRequest(text, "en"), deadline_s=20)
        first = await anext(under_way)
        switcher.order(Order("espeak", "espeak"), "tester")
        async with asyncio.timeout(WAIT_S):
            while place.health.pid in (old_pid, None):
                await asyncio.sleep(0.005)
        # The sound depends a little on what a process has said before.
        length = pytest.approx(len(whole), rel=0.001)
        assert len(await heard(place, text)) == length, "the next text, by the new process"
        assert len(first + b"".join([chunk async for chunk in under_way])) == length
        await switcher.wait()
        assert switcher.standings[0].stage is Stage.DONE
        assert place.health.pid == new.health.pid != old_pid


async def test_a_real_recogniser_is_replaced_while_somebody_speaks() -> None:
    place = RecogniserPlace(PocketsphinxRecognizer())
    async with switched(place, PocketsphinxRecognizer()) as switcher:
        old_pid = place.health.pid
        request = RecognitionRequest("en", 8000, ("yes", "no"))
        said = silence(4000) + spoken("yes", "en") + silence(4000)
        under_way = place.open(request)
        under_way.write(said)
        switcher.order(Order("pocketsphinx", "pocketsphinx"), "tester")
        async with asyncio.timeout(WAIT_S):
            while place.health.pid in (old_pid, None):
                await asyncio.sleep(0.005)
        assert (await place.transcribe(said, request, idle_s=20, deadline_s=20)).text == "yes"
        assert (await under_way.finish(deadline_s=20)).text == "yes"
        await switcher.wait()
        assert switcher.standings[0].stage is Stage.DONE
        dropped = place.open(request)
        dropped.cancel()
        assert await place.seat.idle(place.seat.last, 5) == 0
        with pytest.raises(EngineError, match="does not find out languages"):
            await place.detect(said, request, deadline_s=1)
