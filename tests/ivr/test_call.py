"""A live call over a leg without a network: what the machine commands is carried out, in order, and all of it
ends."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from engines.contract import EngineUnavailable
from ivr.agents import Agents, NoAgents
from ivr.call import CallSession
from ivr.call_parts import Ended, Services
from ivr.classifiers import Classifiers
from ivr.config import Endpoint
from ivr.endpoints import Endpoints
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.prompts import Prompts
from ivr.queueing import direct
from ivr.screening import OnMachine, Screening
from ivr.switchboard import Switchboard
from ivr.waterfall import CACHE, About, Stage, TurnTimes
from media.amd import Timings
from media.clip import Clip
from media.leg import Cause, TransferOutcome
from tests.fakes.agents import nobody
from tests.fakes.engines import ScriptedRecognizer, ToneSynthesizer, routed, tone_of
from tests.fakes.leg import FakeLeg

FLOW = """
flow: confirm
languages: [en]
params: {shop: text}
result:
  decision: {one_of: [accepted, rejected, unreached], default: unreached}
limits: {call: 2m, visits: 4}
events: {hangup: report, failure: sorry}
start: offer
steps:
  offer:
    menu:
      prompt: {en: "Accept?"}
      barge_in: any
      choices:
        accept: {key: "1", intent: affirm, set: {decision: accepted}, next: thanks}
        reject: {key: "2", intent: deny, set: {decision: rejected}, next: thanks}
        person: {key: "0", next: desk}
      retry: {wait: 5s, prompts: [{en: "Again."}]}
      otherwise: report
  thanks: {say: {en: "Thanks."}, next: report}
  desk: {transfer: {to: help, context: result}, next: report, otherwise: sorry}
  sorry: {say: {en: "Sorry."}, next: report}
  report:
    request: {post: orders, body: result, timeout: 2s, background: true}
    next: bye
    otherwise: bye
  bye: {end: normal}
"""


class Notebook:
    """A journal that a test can read."""

    call_id = "c1"

    def __init__(self) -> None:
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.commits: list[Mapping[str, Any]] = []
        self.posts: list[tuple[str, Mapping[str, Any] | None]] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.order: list[str] = []
        self.known = True

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.notes.append((kind, data))
        self.order.append(kind)

    async def commit(self, result: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        self.commits.append(dict(result))
        self.order.append("commit")

    async def post(
        self, endpoint: str, method: Literal["GET", "POST", "PUT"], body: Mapping[str, Any] | None
    ) -> None:
        self.posts.append((endpoint, body))

    async def suppress(self) -> bool:
        self.order.append("suppress")
        return self.known

    async def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        self.events.append((topic, body))
        self.order.append(f"publish {topic}")


class LevelVad:
    """Calls anything that is not silence speech; a chunk for every frame."""

    class _Stream:
        def __init__(self, tell: Callable[[float, int], None]) -> None:
            self._tell = tell
            self._sample = 0

        def write(self, frame: bytes) -> None:
            self._sample += len(frame) // 2
            self._tell(0.9 if any(frame) else 0.0, self._sample)

        def close(self) -> None: ...

    def open(self, on_probability: Callable[[float, int], None]) -> "LevelVad._Stream":
        return self._Stream(on_probability)


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    path = tmp_path / "confirm.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


class Scene:
    """One call under test."""

    def __init__(
        self,
        flow: Flow,
        folder: Path,
        leg: FakeLeg,
        voice: ToneSynthesizer,
        heard: list[str],
        screening: Screening | None = None,
        max_call_s: float = 60.0,
        classifiers: Classifiers | None = None,
        agents: Agents | None = None,
    ) -> None:
        self.leg = leg
        self.notebook = Notebook()
        self.voice = voice
        self.turns: list[TurnTimes] = []
        self.prompts = Prompts(routed(voice), folder / "prompts")
        self.client = httpx.AsyncClient()
        services = Services(
            prompts=self.prompts,
            vad=LevelVad(),
            recognizer=ScriptedRecognizer(deque(heard)),
            asr_deadline_s=0.5,
            endpoints=Endpoints({"orders": Endpoint(url="http://127.0.0.1:1/")}, self.client),
            switchboard=Switchboard({"help": direct("sip:help@127.0.0.1")}, nobody),
            max_call_s=max_call_s,
            classifiers=classifiers or Classifiers(),
            agents=agents or NoAgents(),
        )
        machine = FlowMachine(flow, flow.bind({"shop": "Sharma"}))
        self.session = CallSession(
            leg, machine, self.notebook, services, screening=screening, on_turn=self.turns.append
        )
        self.task = asyncio.create_task(self.session.run())

    async def ends(self) -> Ended:
        async with asyncio.timeout(5):
            ended = await self.task
        await self.prompts.close()
        await self.client.aclose()
        return ended


def is_prompt(clip: Clip, voice: ToneSynthesizer, text: str) -> bool:
    """Whether the clip is as long as the tone that stands for the text."""
    return abs(clip.duration_ms - len(text) * voice.ms_per_character) <= 20


@pytest.fixture
def scene(flow: Flow, tmp_path: Path) -> Callable[..., Scene]:
    def start(
        *, heard: list[str] | None = None, leg: FakeLeg | None = None, voice: ToneSynthesizer | None = None
    ) -> Scene:
        return Scene(flow, tmp_path, leg or FakeLeg(), voice or ToneSynthesizer(), heard or [])

    return start


async def test_a_key_cuts_the_prompt_and_the_result_is_durable_before_it_is_announced(
    scene: Callable[..., Scene],
) -> None:
    call = scene()
    assert is_prompt(await call.leg.hears(), call.voice, "Accept?")
    call.leg.press("1")
    await call.leg.until(lambda leg: len(leg.played) == 2)
    assert call.leg.cut == 1
    assert call.notebook.commits == [{"decision": "accepted"}]
    order = call.notebook.order
    assert order.index("commit") < len(order) - 1 - order[::-1].index("prompt")
    assert is_prompt(await call.leg.hears(), call.voice, "Thanks.")
    call.leg.finish()
    ended = await call.ends()
    assert ended == Ended({"decision": "accepted"}, "normal", "us")
    assert call.notebook.posts == [("orders", {"decision": "accepted"})]
    (turn,) = call.turns
    assert (turn.trigger, turn.about) == ("key", About("offer", "menu", "en"))
    assert list(turn.marks) == [
        Stage.KEY,
        Stage.INTENT,
        Stage.FIRST_SENTENCE,
        Stage.FIRST_AUDIO,
        Stage.FIRST_PACKET,
    ]
    assert turn.by[Stage.FIRST_AUDIO] in (CACHE, call.voice.name)


async def test_the_next_prompts_are_made_before_they_are_needed(scene: Callable[..., Scene]) -> None:
    call = scene()
    await call.leg.hears()
    async with asyncio.timeout(5):
        while {request.text for request in call.voice.requests} != {"Accept?", "Thanks.", "Again."}:
            await asyncio.sleep(0.001)
    assert len(call.leg.played) == 1
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_a_hang_up_runs_the_silent_steps_once(scene: Callable[..., Scene]) -> None:
    call = scene()
    await call.leg.hears()
    call.leg.far_end_hangs_up()
    ended = await call.ends()
    assert ended == Ended({"decision": "unreached"}, "normal", "caller")
    assert [endpoint for endpoint, _ in call.notebook.posts] == ["orders"]
    assert len(call.leg.played) == 1


async def test_speech_is_understood_and_interrupts_the_prompt(scene: Callable[..., Scene]) -> None:
    call = scene(heard=["no"])
    await call.leg.hears()
    await call.leg.until(lambda leg: leg.sink is not None)
    speech, silence = b"\x10\x10" * 160, bytes(320)
    call.leg.speak([speech] * 20 + [silence] * 60)
    await call.leg.until(lambda leg: len(leg.played) == 2)
    assert call.notebook.commits == [{"decision": "rejected"}]
    assert call.leg.cut == 1
    call.leg.finish()
    assert (await call.ends()).result == {"decision": "rejected"}
    (told,) = (data for kind, data in call.notebook.notes if kind == "turn")
    stages = ["speech_end", "endpoint", "final", "intent", "first_sentence", "first_audio", "first_packet"]
    assert list(told["ms"]) == stages
    assert told["by"]["final"] == "scripted"
    assert told["ms"]["endpoint"] >= 0
    assert told["reply_ms"] == told["ms"]["first_packet"]


async def test_a_transfer_hands_the_caller_over(scene: Callable[..., Scene]) -> None:
    call = scene()
    await call.leg.hears()
    call.leg.press("0")
    ended = await call.ends()
    assert call.leg.transfers == ["sip:help@127.0.0.1"]
    assert ended.result == {"decision": "unreached"}


async def test_a_transfer_that_fails_goes_on_with_the_caller(scene: Callable[..., Scene]) -> None:
    leg = FakeLeg()
    leg.transfer_outcome = TransferOutcome.BUSY
    call = scene(leg=leg)
    await call.leg.hears()
    call.leg.press("0")
    await call.leg.until(lambda leg: len(leg.played) == 2)
    assert is_prompt(await call.leg.hears(), call.voice, "Sorry.")
    call.leg.finish()
    await call.ends()


async def test_an_outbound_call_waits_for_the_answer(scene: Callable[..., Scene]) -> None:
    call = scene(leg=FakeLeg("outbound"))
    await asyncio.sleep(0.01)
    assert call.leg.played == []
    call.leg.far_end_answers()
    assert is_prompt(await call.leg.hears(), call.voice, "Accept?")
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_finding_out_who_answered_counts_as_part_of_the_call(flow: Flow, tmp_path: Path) -> None:
    leg = FakeLeg("outbound")
    screening = Screening(OnMachine.HANG_UP, Timings(total_ms=20_000))
    call = Scene(flow, tmp_path, leg, ToneSynthesizer(), [], screening, max_call_s=0.1)
    leg.far_end_answers()
    await call.ends()
    assert leg.ended is Cause.LIMIT
    assert "answered_by" in call.notebook.order


async def test_a_call_that_is_not_answered_has_the_default_result(scene: Callable[..., Scene]) -> None:
    call = scene(leg=FakeLeg("outbound"))
    await call.leg.hang_up(Cause.BUSY)
    assert await call.ends() == Ended({"decision": "unreached"}, "busy", "us")


async def test_without_any_voice_the_call_ends_by_the_failure_event(scene: Callable[..., Scene]) -> None:
    voice = ToneSynthesizer(failures=deque(EngineUnavailable("down") for _ in range(50)))
    call = scene(voice=voice)
    async with asyncio.timeout(5):
        while not call.task.done():
            if all(clip.finished for _, clip in call.leg.playing):
                call.leg.finish()
            await asyncio.sleep(0.001)
    ended = await call.ends()
    assert ("failure", {"reason": "no voice could speak a prompt"}) in call.notebook.notes
    assert ended.result == {"decision": "unreached"}


async def test_everything_of_a_call_dies_with_it(scene: Callable[..., Scene]) -> None:
    before = asyncio.all_tasks()
    call = scene(heard=["no"])
    await call.leg.hears()
    await call.leg.until(lambda leg: leg.sink is not None)
    call.leg.speak([b"\x10\x10" * 160] * 20)
    call.leg.far_end_hangs_up()
    await call.ends()
    assert call.leg.sink is None
    assert asyncio.all_tasks() == before


def test_the_texts_of_this_file_sound_different() -> None:
    assert len({tone_of(text) for text in ("Accept?", "Thanks.", "Sorry.", "Again.")}) >= 3


OPT_OUT = """
flow: stop
languages: [en]
params: {shop: text}
limits: {call: 2m, visits: 4}
events: {hangup: bye}
start: stop
steps:
  stop: {request: {post: suppress-caller}, next: done, otherwise: unknown}
  done: {say: {en: "Done."}, next: bye}
  unknown: {say: {en: "Who are you?"}, next: bye}
  bye: {end: normal}
"""


@pytest.mark.parametrize(("known", "said"), [(True, "Done."), (False, "Who are you?")])
async def test_a_flow_puts_its_caller_on_the_suppression_list(tmp_path: Path, known: bool, said: str) -> None:
    path = tmp_path / "stop.yaml"
    path.write_text(OPT_OUT, encoding="utf-8")
    call = Scene(load_flow(path), tmp_path, FakeLeg(), ToneSynthesizer(), [])
    call.notebook.known = known
    assert is_prompt(await call.leg.hears(), call.voice, said)
    call.leg.finish()
    await call.ends()
    assert call.notebook.order.index("suppress") < call.notebook.order.index("prompt")
    assert call.notebook.posts == [], "nobody outside is asked"
