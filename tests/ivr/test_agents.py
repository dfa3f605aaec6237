"""A live call and an agent: it is told what happens, its words are played, and it ends with the call."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ivr.agents import NoAgents, Send, warn_of_missing_agents
from ivr.flow.agent_protocol import (
    AgentCalls,
    AgentFills,
    AgentPrepares,
    AgentSays,
    Converse,
    Conversed,
    Said,
)
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.protocol import Heard, Key, SpeechBegan
from tests.fakes.engines import ToneSynthesizer
from tests.fakes.gated import GatedSynthesizer
from tests.fakes.leg import FakeLeg
from tests.ivr.test_call import Scene, is_prompt

FLOW = """
flow: help
languages: [en]
params: {shop: text}
result: {order: optional digits}
limits: {call: 5m}
events: {hangup: bye, operator: bye}
start: talk
steps:
  talk:
    agent:
      instructions: "Help callers of {{ shop }}."
      slots: {order: "its number"}
      limits: {time: 2m}
    next: thanks
    otherwise: sorry
  thanks: {say: {en: "Order {{ order }}."}, next: bye}
  sorry: {say: {en: "Sorry."}, next: bye}
  bye: {end: normal}
"""

SPEECH = [b"\x10\x10" * 160] * 20 + [bytes(320)] * 60


class ScriptedAgents:
    """One conversation, done by the test: `begun`, what it was `told`, and whether it was stopped."""

    def __init__(self) -> None:
        self.begun: Converse | None = None
        self.told: list[Any] = []
        self.stopped = 0
        self.send: Send = lambda event: None

    def open(self, begin: Converse, send: Send) -> ScriptedAgents:
        self.begun, self.send = begin, send
        return self

    def tell(self, news: Any) -> None:
        self.told.append(news)

    def stop(self) -> None:
        self.stopped += 1

    async def until(self, *kinds: type) -> None:
        """Waits until it was told one of each kind."""
        async with asyncio.timeout(10):
            while not set(kinds) <= {type(news) for news in self.told}:
                await asyncio.sleep(0.01)


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    path = tmp_path / "help.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


async def test_it_talks_with_the_caller_and_finds_out_what_is_wanted(flow: Flow, tmp_path: Path) -> None:
    agents = ScriptedAgents()
    call = Scene(flow, tmp_path, FakeLeg(), ToneSynthesizer(), ["four eight two"], agents=agents)
    await call.leg.until(lambda leg: leg.sink is not None)
    assert agents.begun is not None
    assert agents.begun.instructions == "Help callers of Sharma."
    agents.send(AgentSays(agents.begun.id, "Which order?", "m1", "sorry", 0.7))
    assert is_prompt(await call.leg.hears(), call.voice, "Which order?")
    (asked,) = (request for request in call.voice.requests if request.text == "Which order?")
    assert (asked.emotion, asked.intensity) == ("sorry", 0.7)
    call.leg.finish()
    await agents.until(Said)
    call.leg.speak(SPEECH)
    await agents.until(SpeechBegan, Heard)
    call.leg.press("7")
    await agents.until(Key)
    agents.send(AgentFills(agents.begun.id, {"order": "482"}))
    agents.send(Conversed(agents.begun.id, "next", {}, "found"))
    assert is_prompt(await call.leg.hears(), call.voice, "Order four eight two.")
    assert agents.told == [Said("m1"), SpeechBegan(), Heard("four eight two", 0.9), Key("7")]
    assert agents.stopped == 1
    assert call.notebook.commits == [{"order": "482"}]
    call.leg.finish()
    assert (await call.ends()).result == {"order": "482"}
    kinds = [kind for kind in call.notebook.order if kind.startswith("agent")]
    assert kinds == ["agent", "agent_filled", "agent_over"]


async def test_the_sound_of_what_it_may_say_is_made_before_and_ends_when_it_may_not(
    flow: Flow, tmp_path: Path
) -> None:
    agents, voice = ScriptedAgents(), GatedSynthesizer()
    call = Scene(flow, tmp_path, FakeLeg(), voice, [], agents=agents)
    voice.let("Sorry.", "On its way.")
    await call.leg.until(lambda leg: leg.sink is not None)
    assert agents.begun is not None
    agents.send(AgentPrepares(agents.begun.id, "It is lost."))
    await voice.is_asked("It is lost.")
    agents.send(AgentPrepares(agents.begun.id, "On its way."))
    await voice.is_cancelled("It is lost.")
    await voice.is_asked("On its way.")
    agents.send(AgentSays(agents.begun.id, "On its way.", "m1"))
    assert is_prompt(await call.leg.hears(), voice, "On its way.")
    assert voice.begun.count("On its way.") == 1
    call.leg.far_end_hangs_up()
    await call.ends()
    said = [data["text"] for kind, data in call.notebook.notes if kind == "prompt"]
    assert said == ["On its way."]


async def test_it_learns_which_of_its_words_were_heard_when_the_caller_cuts_in(
    flow: Flow, tmp_path: Path
) -> None:
    agents = ScriptedAgents()
    call = Scene(flow, tmp_path, FakeLeg(), ToneSynthesizer(), ["my order please"], agents=agents)
    await call.leg.until(lambda leg: leg.sink is not None)
    assert agents.begun is not None
    agents.send(AgentSays(agents.begun.id, "Which order do you mean?", "m1"))
    agents.send(AgentSays(agents.begun.id, "Tell me the number.", "m2"))
    first = await call.leg.hears()
    await call.leg.until(lambda leg: len(leg.playing) == 2)
    # Of 24 characters 14 are out.
    call.leg.sent_samples = len(first.frames) * 160 * 14 // 24
    call.leg.speak(SPEECH)
    await agents.until(Heard)
    assert agents.told == [
        Said("m1", cut=True, heard="Which order"),
        Said("m2", cut=True, heard=""),
        SpeechBegan(),
        Heard("my order please", 0.9),
    ]
    assert call.leg.cut == 2
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_a_listeners_word_cuts_nothing_and_is_told_to_nobody(flow: Flow, tmp_path: Path) -> None:
    agents = ScriptedAgents()
    call = Scene(flow, tmp_path, FakeLeg(), ToneSynthesizer(), ["hmm okay"], agents=agents)
    await call.leg.until(lambda leg: leg.sink is not None)
    assert agents.begun is not None
    agents.send(AgentSays(agents.begun.id, "Let me tell you.", "m1"))
    await call.leg.hears()
    call.leg.speak(SPEECH[:20])
    assert call.leg.paused
    call.leg.speak(SPEECH[20:])
    await call.leg.until(lambda leg: not leg.paused)
    call.leg.finish()
    await agents.until(Said)
    assert agents.told == [Said("m1")]
    assert "prompt_resumed" in call.notebook.order
    call.leg.far_end_hangs_up()
    await call.ends()


async def test_a_hang_up_stops_it_and_what_it_sends_after_that_is_nothing(flow: Flow, tmp_path: Path) -> None:
    agents = ScriptedAgents()
    call = Scene(flow, tmp_path, FakeLeg(), ToneSynthesizer(), [], agents=agents)
    await call.leg.until(lambda leg: leg.sink is not None)
    assert agents.begun is not None
    call.leg.far_end_hangs_up()
    agents.send(AgentSays(agents.begun.id, "Still there?"))
    await call.ends()
    assert agents.stopped == 1
    agents.send(AgentCalls(agents.begun.id, "c1", "x", {}))
    assert not call.leg.played


async def test_without_an_agent_the_call_goes_on_at_once(flow: Flow, tmp_path: Path) -> None:
    call = Scene(flow, tmp_path, FakeLeg(), ToneSynthesizer(), [])
    assert is_prompt(await call.leg.hears(), call.voice, "Sorry.")
    assert ("agent_over", {"outcome": "otherwise", "reason": "no agent"}) in call.notebook.notes
    call.leg.finish()
    await call.ends()


def test_missing_agents_are_told_at_the_start(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_missing_agents([flow], ScriptedAgents())
        assert caplog.messages == []
        warn_of_missing_agents([flow], NoAgents())
    assert caplog.messages == [
        "no agent service is configured: the agent steps of help are left by otherwise"
    ]
