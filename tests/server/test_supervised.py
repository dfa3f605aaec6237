"""Operators on real calls: who hears whom, told by tones, in every mode, and what the record says of it."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from media.tones import Partial, tone
from tests.media.spectrum import tones_in
from tests.server.conftest import KEY, OpenBench
from tests.server.operators import Listener, Operator
from tests.server.talkers import Talker, phones, write_tone
from tests.web.web_phone import RATE, WebPhone

CALLER_HZ, AGENT_HZ, PROMPT_HZ, OPERATOR_HZ = 450, 700, 1000, 1200

FLOW = """
flow: help
languages: [en]
result: {outcome: {one_of: [waiting, done, gone], default: waiting}}
limits: {call: 5m, visits: 20}
events: {hangup: gone}
start: ask
steps:
  ask:
    menu:
      prompt: {en: {audio: ask.wav, text: What is it?}}
      choices:
        desk: {key: "1", next: desk}
        bye: {key: "2", next: done}
      retry: {wait: 60s, prompts: [{en: Again.}]}
      otherwise: done
  desk:
    transfer: {to: desk, mode: attended, whisper: {en: {audio: whisper.wav, text: A call.}}, sound: silence}
    next: done
    otherwise: done
  done: {set: {outcome: done}, next: bye}
  gone: {set: {outcome: gone}, next: bye}
  bye: {end: normal}
"""

Open = Callable[..., Any]


class Stage:
    """A server with a caller, an agent's phone, and operators."""

    def __init__(self, stack: AsyncExitStack, bench: Any, agent: Any) -> None:
        self.stack = stack
        self.bench = bench
        self.agent_phone = agent

    async def caller(self) -> tuple[Talker, str]:
        """Who hums, and the id of his call."""
        call = await self.bench.phone.call(self.bench.uri)
        await call.until_answered()
        talker = Talker(call)
        talker.hum(CALLER_HZ)
        (active,) = (await self.bench.api.get("/admin/calls/active")).json()["calls"]
        return talker, active["id"]

    async def follow(self, call_id: str) -> list[tuple[str, dict[str, Any]]]:
        """All that is told of the call until it has ended, from its first event on."""
        told: list[tuple[str, dict[str, Any]]] = []
        first = {"Last-Event-ID": f"{self.bench.server.overview.log.run}-0"}
        query = {"call": call_id}
        async with self.bench.api.stream("GET", "/admin/events", params=query, headers=first) as answer:
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    told.append((name, json.loads(line[6:])))
        return told

    async def operator(self, call_id: str, hz: int = OPERATOR_HZ) -> Operator:
        operator = Operator(self.bench.server, self.bench.api, call_id, hz)
        return await self.stack.enter_async_context(operator)

    async def is_empty(self) -> None:
        """Waits until nothing of any call, and of no operator, is left."""
        server = self.bench.server
        async with asyncio.timeout(20):
            while server.live_calls or server.supervisors.count or server.plane.streams:
                await asyncio.sleep(0.02)


@pytest.fixture
def stage(bench: OpenBench, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_stage() -> AsyncIterator[Stage]:
        folder = tmp_path / "flows"
        folder.mkdir()
        (folder / "help.yaml").write_text(FLOW, encoding="utf-8")
        write_tone(folder / "ask.wav", PROMPT_HZ, 20_000)
        write_tone(folder / "whisper.wav", PROMPT_HZ, 100)
        scopes = ["calls:read", "calls:write", "calls:supervise", "recordings:read", "audit:read"]
        async with AsyncExitStack() as stack:
            (agent,) = await phones(stack, 1)
            b = await stack.enter_async_context(
                bench(
                    flows=str(folder),
                    numbers={"1001": {"flow": "help"}},
                    queues={"desk": {"agents": [agent.address]}},
                    api={"port": 0, "keys": {"test": {"key": KEY, "scopes": scopes}}},
                )
            )
            yield Stage(stack, b, agent)

    return open_stage


def supervised(record: dict[str, Any]) -> list[str]:
    return [event["data"]["mode"] for event in record["events"] if event["kind"] == "supervised"]


async def test_an_operator_listens_takes_over_gives_back_and_ends_the_call(stage: Open) -> None:
    async with stage() as s:
        caller, call_id = await s.caller()
        following = asyncio.create_task(s.follow(call_id))
        operator = await s.operator(call_id)
        await operator.join("listen")
        await operator.hears(CALLER_HZ, PROMPT_HZ)
        await caller.hears(PROMPT_HZ)
        assert OPERATOR_HZ not in caller.heard
        (active,) = (await s.bench.api.get("/admin/calls/active")).json()["calls"]
        assert [(each["operator"], each["mode"]) for each in active["supervisors"]] == [("test", "listen")]

        await operator.change("take_over")
        await caller.hears(OPERATOR_HZ)
        await operator.hears(CALLER_HZ)
        await operator.change("listen")
        await operator.hears(CALLER_HZ, PROMPT_HZ)
        await operator.change("take_over")
        await caller.hears(OPERATOR_HZ)
        await operator.leave()
        record = await s.bench.ended(f"/api/voice/calls/{call_id}")
        async with asyncio.timeout(30):
            told = await following
        await s.is_empty()
    assert supervised(record) == ["listen", "take_over", "listen", "take_over", "over"]
    noted = [data["kind"] for name, data in told if name == "call.event"]
    assert [kind for kind in noted if kind in ("step", "supervised")] == [
        kind for kind in s.bench.kinds(record) if kind in ("step", "supervised")
    ]
    assert told[-1][0] == "call.ended"
    assert told[-1][1]["result"] == {"outcome": "gone"}
    assert record["result"] == {"outcome": "gone"}
    assert (record["cause"], record["hung_up_by"]) == ("normal", "us")
    steps = [event["data"]["step"] for event in record["events"] if event["kind"] == "step"]
    assert steps == ["ask", "ask", "gone", "bye"]


async def test_a_whisper_is_for_the_agent_and_he_can_be_relieved(stage: Open) -> None:
    async with stage() as s:
        caller, call_id = await s.caller()
        refused = await s.bench.api.post(f"/admin/calls/{call_id}/supervise", json={"mode": "whisper"})
        assert (refused.status_code, refused.json()["why"]) == (409, "no_agent")
        await caller.call.press("1")
        call = await s.agent_phone.answer(20)
        await call.until_answered()
        agent = Talker(call)
        agent.hum(AGENT_HZ)
        await caller.hears(AGENT_HZ)

        operator, second = await s.operator(call_id), await s.operator(call_id, 1600)
        await operator.join("whisper")
        await second.join("listen")
        await operator.hears(CALLER_HZ, AGENT_HZ)
        await second.hears(CALLER_HZ, AGENT_HZ)
        await Listener(call.leg).hears(CALLER_HZ, OPERATOR_HZ)
        await Listener(caller.call.leg).hears(AGENT_HZ)

        await operator.change("take_over")
        await Listener(caller.call.leg).hears(OPERATOR_HZ)
        await operator.hears(CALLER_HZ)
        await second.hears(CALLER_HZ, OPERATOR_HZ)
        refused = await s.bench.api.patch(f"{operator.url}/{operator.session_id}", json={"mode": "listen"})
        assert (refused.status_code, refused.json()["why"]) == (409, "flow_over")
        await second.leave()
        await caller.call.hang_up()
        record = await s.bench.ended(f"/api/voice/calls/{call_id}")
        await s.is_empty()
        recording = await s.bench.api.get(f"/api/voice/calls/{call_id}/recording")
        assert operator.over is not None
        path = Path(s.bench.server.config.store.path) / "copy.wav"
        path.write_bytes(recording.content)
    assert supervised(record) == ["whisper", "listen", "take_over", "over", "over"]
    assert "talk_over" in s.bench.kinds(record)
    with wave.open(str(path)) as file:
        stereo = file.readframes(file.getnframes())
    last = stereo[-8000 * 4 :]
    assert OPERATOR_HZ in tones_in(b"".join(last[at + 2 : at + 4] for at in range(0, len(last), 4)), 8000)


async def test_an_operator_comes_with_a_browser(stage: Open) -> None:
    """By ICE, DTLS and Opus, as from the dashboard."""
    async with stage() as s, WebPhone(s.bench.api) as page:
        caller, call_id = await s.caller()
        url = f"/admin/calls/{call_id}/supervise"
        token = (await s.bench.api.post(url, json={"mode": "listen"})).json()["token"]
        page.microphone.say(tone([Partial(float(OPERATOR_HZ), 0.2)], 60_000, RATE))
        await page.start(token)
        assert page.begun["call_id"] == call_id
        await heard_by(page, {CALLER_HZ, PROMPT_HZ})
        assert OPERATOR_HZ not in caller.heard
        session = page.begun["session_id"]
        assert (await s.bench.api.patch(f"{url}/{session}", json={"mode": "take_over"})).status_code == 200
        await caller.hears(OPERATOR_HZ)
        await heard_by(page, {CALLER_HZ})
        assert await page.hang_up() == 204
        record = await s.bench.ended(f"/api/voice/calls/{call_id}")
    assert supervised(record) == ["listen", "take_over", "over"]
    assert record["hung_up_by"] == "us"


async def heard_by(page: WebPhone, wanted: set[int]) -> None:
    """Waits until the last 600 ms have these tones, and no others."""
    found: set[int] = set()
    page.heard.clear()
    async with asyncio.timeout(30):
        while found != wanted:
            await asyncio.sleep(0.1)
            found = tones_in(b"".join(frame.astype("<i2").tobytes() for frame in page.heard[-30:]), RATE)
