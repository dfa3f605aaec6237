"""Callers who are handed over to agents who were called first, with real calls on all sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ivr import handover
from ivr.phone.phone import Phone, open_phone
from ivr.phone.timeline import Timeline
from media.leg import Cause
from sip.user_agent import UserAgent
from tests.server.conftest import Bench, OpenBench
from tests.server.talkers import Talker, phones, write_tone

WHISPER_HZ, SORRY_HZ, PLACE_HZ = 1000, 1100, 1200
CALLER_HZ, AGENT_HZ = 500, 700

FLOW = """
flow: person
languages: [en]
variables: {{place: {{type: count, default: 0}}}}
result: {{outcome: {{one_of: [waiting, reached, alone, gone], default: waiting}}}}
limits: {{call: 5m}}
events: {{hangup: gone}}
start: person
steps:
  person:
    transfer:
      to: desk
      mode: attended
      whisper: {{en: {{audio: whisper.wav, text: A call.}}}}
      {options}
    next: reached
    otherwise: alone
  reached: {{set: {{outcome: reached}}, next: bye}}
  alone: {{set: {{outcome: alone}}, next: sorry}}
  sorry: {{say: {{en: {{audio: sorry.wav, text: Sorry.}}}}, next: bye}}
  gone: {{set: {{outcome: gone}}, next: bye}}
  bye: {{end: normal}}
prompts:
  place: {{en: {{audio: place.wav, text: "You are number {{{{ place }}}}."}}}}
"""

Open = Callable[..., Any]


class Office:
    """A server with a queue, its caller, and the phones of its agents."""

    def __init__(self, bench: Bench, agents: list[Phone], stack: AsyncExitStack) -> None:
        self.bench = bench
        self.agents = agents
        self.stack = stack

    async def caller(self) -> Talker:
        (phone,) = await phones(self.stack, 1)
        call = await phone.call(self.bench.uri)
        await call.until_answered()
        return Talker(call)

    async def agent(self, number: int = 0, within_s: float = 20.0) -> Talker:
        call = await self.agents[number].answer(within_s)
        await call.until_answered()
        return Talker(call)

    async def connected(self, number: int = 0) -> tuple[Talker, Talker]:
        """A caller and an agent who talk."""
        caller = await self.caller()
        agent = await self.agent(number)
        await agent.call.press("1")
        await talk(caller, agent)
        return caller, agent

    async def is_empty(self) -> None:
        """Waits until nothing of any call is left."""
        server = self.bench.server
        async with asyncio.timeout(20):
            while server.live_calls or server._stack.calls("local"):
                await asyncio.sleep(0.02)
        switchboard = server._desk._services.switchboard
        assert (switchboard.legs, switchboard._seats) == (0, {})
        agent = server._stack
        assert isinstance(agent, UserAgent)
        assert (agent.load().legs, agent.load().dialogs, agent._plane.streams) == (0, 0, 0)
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
        assert not {name for name in names if name.startswith(("CallSession", "Switchboard", "Handover"))}


async def talk(caller: Talker, agent: Talker) -> None:
    """Waits until the two hear each other."""
    caller.hum(CALLER_HZ)
    agent.hum(AGENT_HZ)
    await asyncio.gather(caller.hears(AGENT_HZ), agent.hears(CALLER_HZ))


@pytest.fixture
def office(bench: OpenBench, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def open_office(
        agents: int = 1,
        options: str = 'accept: "1"',
        queue: dict[str, Any] | None = None,
        sound: str = "sound: silence",
        **changes: Any,
    ) -> AsyncIterator[Office]:
        folder = tmp_path / "office"
        folder.mkdir()
        (folder / "person.yaml").write_text(
            FLOW.format(options=f"{options}\n      {sound}"), encoding="utf-8"
        )
        for name, hz in (("whisper", WHISPER_HZ), ("sorry", SORRY_HZ), ("place", PLACE_HZ)):
            write_tone(folder / f"{name}.wav", hz, 800)
        async with AsyncExitStack() as stack:
            made = await phones(stack, agents)
            called = {"agents": [phone.address for phone in made], **(queue or {})}
            b = await stack.enter_async_context(
                bench(
                    flows=str(folder),
                    numbers={"1001": {"flow": "person"}},
                    queues={"desk": called},
                    **changes,
                )
            )
            yield Office(b, made, stack)

    return open_office


def told(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in record["events"] if event["kind"] == kind]


async def test_the_agent_who_takes_the_call_and_the_caller_hear_each_other(office: Open) -> None:
    async with office(agents=2) as o:
        caller = await o.caller()
        await o.agents[0].refuse(Cause.BUSY, 20)
        agent = await o.agent(1)
        await agent.hears(WHISPER_HZ)
        await agent.call.press("1")
        await talk(caller, agent)
        assert caller.heard[WHISPER_HZ] == 0
        await agent.call.press("57")
        await caller.call.until_digits("57")
        await caller.call.press("3")
        await agent.call.until_digits("3")
        await agent.call.hang_up()
        await caller.call.until_hung_up()
        record = await o.bench.ended()
        assert (record["result"], record["cause"]) == ({"outcome": "reached"}, "transferred")
        assert told(record, "agent_refused") == [{"to": o.agents[0].address, "outcome": "busy"}]
        assert told(record, "connected") == [{"to": o.agents[1].address}]
        (over,) = told(record, "talk_over")
        assert (over["by"], over["cause"]) == ("agent", "normal")
        assert over["talked_s"] > 0.3
        assert over["agent_quality"]["packets_received"] > 10
        assert record["quality"]["packets_received"] > 10
        await o.is_empty()


async def test_an_agent_who_presses_nothing_does_not_get_the_caller(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "ACCEPT_S", 0.3)
    async with office(agents=2) as o:
        caller = await o.caller()
        deaf = await o.agent(0)
        await deaf.call.until_hung_up()
        assert deaf.heard[WHISPER_HZ] > 50  # twice
        agent = await o.agent(1)
        await agent.call.press("1")
        await talk(caller, agent)
        await caller.call.hang_up()
        await agent.call.until_hung_up()
        record = await o.bench.ended()
        assert told(record, "agent_refused") == [{"to": o.agents[0].address, "outcome": "no_answer"}]
        assert told(record, "talk_over")[0]["by"] == "caller"
        assert (record["cause"], record["hung_up_by"]) == ("transferred", "caller")
        await o.is_empty()


async def test_without_a_key_to_press_the_whisper_is_heard_to_its_end(office: Open) -> None:
    async with office(options="wait: 20s") as o:
        caller = await o.caller()
        caller.hum(CALLER_HZ)
        agent = await o.agent()
        await agent.hears(CALLER_HZ)
        assert agent.heard[WHISPER_HZ] > 25
        assert caller.heard[WHISPER_HZ] == 0
        await agent.call.hang_up()
        await caller.call.until_hung_up()
        await o.is_empty()


@pytest.mark.parametrize("cause", [Cause.REJECTED, Cause.BUSY])
async def test_where_nobody_takes_the_call_the_flow_goes_on(office: Open, cause: Cause) -> None:
    async with office(options="wait: 3s") as o:
        caller = await o.caller()
        await o.agents[0].refuse(cause, 20)
        await caller.hears(SORRY_HZ)
        await caller.call.until_hung_up()
        record = await o.bench.ended()
        assert (record["result"], record["cause"]) == ({"outcome": "alone"}, "normal")
        outcome = "busy" if cause is Cause.BUSY else "failed"
        assert [o["via"] for o in told(record, "outcome") if o["step"] == "person"] == [outcome]
        await o.is_empty()


async def test_who_hangs_up_while_it_rings_stops_the_ringing(office: Open) -> None:
    async with office() as o:
        caller = await o.caller()
        leg = await asyncio.wait_for(o.agents[0]._incoming.get(), 20)
        await caller.call.hang_up()
        agent = o.agents[0]._take(leg)
        ended = await agent.until_hung_up()
        assert ended.cause is Cause.CANCELLED
        record = await o.bench.ended()
        assert record["result"] == {"outcome": "gone"}
        await o.is_empty()


@pytest.mark.parametrize("stage", ["whisper", "talk"])
@pytest.mark.parametrize("who", ["caller", "agent"])
async def test_whoever_hangs_up_whenever_nothing_is_left(office: Open, stage: str, who: str) -> None:
    async with office(options='{accept: "1", wait: 4s}'[1:-1].replace(", ", "\n      ")) as o:
        if stage == "talk":
            caller, agent = await o.connected()
        else:
            caller, agent = await o.caller(), await o.agent()
            await agent.hears(WHISPER_HZ)
        await (caller if who == "caller" else agent).call.hang_up()
        await caller.call.until_hung_up(40)
        await agent.call.until_hung_up()
        record = await o.bench.ended()
        expected = {"talk": "reached", "whisper": "gone" if who == "caller" else "alone"}[stage]
        assert record["result"] == {"outcome": expected}
        await o.is_empty()


async def test_all_agents_ring_and_the_first_to_take_it_has_the_caller(office: Open) -> None:
    async with office(agents=3, queue={"strategy": "all_at_once"}) as o:
        caller = await o.caller()
        legs = [await asyncio.wait_for(phone._incoming.get(), 20) for phone in o.agents]
        ringing = [phone._take(leg) for phone, leg in zip(o.agents, legs, strict=True)]
        await legs[2].answer()
        await ringing[2].until_answered()
        agent = Talker(ringing[2])
        await agent.call.press("1")
        await talk(caller, agent)
        for other in ringing[:2]:
            # It was answered elsewhere (RFC 3326): no missed call.
            assert (await other.until_hung_up()).cause is Cause.NORMAL
        await caller.call.hang_up()
        await o.is_empty()


async def test_who_waits_is_told_his_place_and_is_next(office: Open) -> None:
    options = 'accept: "1"\n      wait: 60s\n      queued: {prompt: place, into: place, every: 5s}'
    async with office(options=options) as o:
        first, agent = await o.connected()
        second = await o.caller()
        await second.hears(PLACE_HZ)
        third = await o.caller()
        await third.hears(PLACE_HZ)
        await second.call.hang_up()
        await first.call.hang_up()
        await agent.call.until_hung_up()
        agent = await o.agent()
        await agent.call.press("1")
        await talk(third, agent)
        await agent.call.hang_up()
        await third.call.until_hung_up()
        record = await o.bench.ended()
        assert [data["place"] for data in told(record, "queued")] == [2, 1]
        metrics = (await o.bench.api.get("/metrics")).text
        assert 'ivr_queue_waiting{queue="desk"} 0.0' in metrics
        assert 'ivr_agent_wait_seconds_count{outcome="found"} 2.0' in metrics
        assert 'ivr_agent_wait_seconds_count{outcome="gone"} 1.0' in metrics
        await o.is_empty()


async def test_who_is_put_on_hold_by_the_agent_hears_music_and_then_the_agent(office: Open) -> None:
    async with office() as o:
        caller, agent = await o.connected()
        assert await agent.call.leg.hold(True)
        already = caller.call.heard_s
        async with asyncio.timeout(20):
            while caller.call.heard_s < already + 1.0:
                await asyncio.sleep(0.02)
        assert await agent.call.leg.hold(False)
        await caller.hears(AGENT_HZ)
        await agent.call.hang_up()
        await caller.call.until_hung_up()
        await o.is_empty()


async def test_a_talk_lasts_no_longer_than_the_trunk_allows(office: Open) -> None:
    trunks = {"local": {"allow": ["127.0.0.1"], "caller_id": "1000", "call_s": 4.0}}
    async with office(trunks=trunks) as o:
        caller, agent = await o.connected()
        await caller.call.until_hung_up()
        await agent.call.until_hung_up()
        record = await o.bench.ended()
        assert record["cause"] == "limit"
        assert told(record, "talk_over")[0]["cause"] == "limit"
        await o.is_empty()


async def test_an_agent_whom_the_trunk_may_not_call_is_not_called(office: Open) -> None:
    trunks = {
        "local": {"allow": ["127.0.0.1"], "caller_id": "1000"},
        "other": {"proxy": "sip:127.0.0.1:9", "destinations": ["+91"]},
    }
    queue = {"agents": [{"to": "+15551234567", "trunk": "other"}]}
    async with office(agents=0, queue=queue, options="wait: 2s", trunks=trunks) as o:
        caller = await o.caller()
        await caller.hears(SORRY_HZ)
        await caller.call.until_hung_up()
        record = await o.bench.ended()
        assert told(record, "agent_refused")[0]["outcome"] == "failed"
        await o.is_empty()


async def test_while_the_server_drains_who_waits_still_gets_an_agent(office: Open) -> None:
    async with office() as o:
        caller = await o.caller()
        await o.agents[0].refuse(Cause.BUSY, 20)
        draining = asyncio.create_task(o.bench.server.drain(60))
        agent = await o.agent(within_s=30)  # he is called again after a while
        await agent.call.press("1")
        await talk(caller, agent)
        assert not draining.done()
        await agent.call.hang_up()
        await asyncio.wait_for(draining, 20)
        await o.is_empty()


async def test_the_callers_network_may_call_the_agent_in_our_place(office: Open) -> None:
    trunks = {"local": {"allow": ["127.0.0.1"], "caller_id": "1000", "transfer": "replaces"}}
    async with office(trunks=trunks, sound="") as o:
        phone = await o.stack.enter_async_context(
            open_phone(language="en", timeline=Timeline(), refer_to=("sip:127.0.0.1",))
        )
        call = await phone.call(o.bench.uri)
        await call.until_answered()
        caller, agent = Talker(call), await o.agent()
        await caller.call.hear()  # he is on hold, with music
        await agent.call.press("1")
        await talk(caller, agent)
        record = await o.bench.ended()
        assert (record["result"], record["cause"]) == ({"outcome": "reached"}, "transferred")
        assert "talk_over" not in o.bench.kinds(record)
        await o.is_empty()
        await agent.call.hang_up()
        await caller.call.until_hung_up()


async def test_where_the_callers_network_refuses_the_two_are_bridged(office: Open) -> None:
    trunks = {"local": {"allow": ["127.0.0.1"], "caller_id": "1000", "transfer": "replaces"}}
    async with office(trunks=trunks) as o:
        caller, agent = await o.connected()  # a phone that follows no REFER
        await caller.call.hang_up()
        await agent.call.until_hung_up()
        record = await o.bench.ended()
        assert [kind for kind in o.bench.kinds(record) if kind in ("referred", "connected")] == [
            "referred",
            "connected",
        ]
        await o.is_empty()


async def test_a_call_that_is_ended_by_the_api_ends_the_talk(office: Open) -> None:
    async with office() as o:
        caller, agent = await o.connected()
        live = await o.bench.record()
        assert live["state"] == "answered"
        await o.bench.api.post(f"/api/voice/calls/{live['id']}/hangup")
        await asyncio.gather(caller.call.until_hung_up(), agent.call.until_hung_up())
        record = await o.bench.ended()
        assert told(record, "talk_over")[0]["by"] == "us"
        await o.is_empty()


async def test_a_recording_has_caller_and_agent(office: Open) -> None:
    async with office() as o:
        caller, agent = await o.connected()
        await asyncio.gather(caller.hears(AGENT_HZ), agent.hears(CALLER_HZ))
        await agent.call.hang_up()
        await caller.call.until_hung_up()
        record = await o.bench.ended()
        audio = (await o.bench.api.get(f"/api/voice/calls/{record['id']}/recording")).content
        assert {CALLER_HZ, AGENT_HZ} <= {round(hz / 50) * 50 for hz in tones_in(audio)}


def tones_in(audio: bytes) -> set[float]:
    """The steady tones of both channels of a stereo WAV file."""
    import io
    import wave

    import numpy as np

    from media.sounds import Sound, SoundMeter

    with wave.open(io.BytesIO(audio)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    found = set()
    for channel in (samples[0::2], samples[1::2]):
        meter, size = SoundMeter(rate), rate // 50
        for at in range(0, len(channel) - size, size):
            heard = meter.take(channel[at : at + size].tobytes())
            if heard.sound is Sound.TONE:
                found.add(heard.hz)
    return found


async def test_of_ten_talks_at_once_nobody_hears_another(office: Open) -> None:
    async with office(agents=10, limits={"loop_lag_ms": 10_000, "calls": 100}) as o:
        pairs: list[tuple[Talker, Talker]] = []
        for number in range(10):
            caller = await o.caller()
            agent = await o.agent(number, 30)
            await agent.call.press("1")
            pairs.append((caller, agent))
        for number, (caller, agent) in enumerate(pairs):
            caller.hum(400 + 100 * number)
            agent.hum(450 + 100 * number)
        await asyncio.gather(
            *(caller.hears(450 + 100 * n, 60) for n, (caller, _) in enumerate(pairs)),
            *(agent.hears(400 + 100 * n, 60) for n, (_, agent) in enumerate(pairs)),
        )
        for number, (caller, agent) in enumerate(pairs):
            assert {hz for hz, count in caller.heard.items() if count > 5} == {450 + 100 * number}
            assert {hz for hz, count in agent.heard.items() if count > 5} - {WHISPER_HZ} == {
                400 + 100 * number
            } - {WHISPER_HZ}
        for caller, _ in pairs:
            await caller.call.hang_up()
        await o.is_empty()
