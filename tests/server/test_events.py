"""Calls that wait for what happens outside, and tell a broker what happens in them; the broker is killed
while they do."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

from ivr.phone.calling import CallOver
from tests.broker.mosquitto import mosquitto_at, subscribed
from tests.server.conftest import Bench, OpenBench

TICKER = """
flow: ticker
languages: [en]
params: {order: digits}
result: {n: {type: count, default: 0}}
limits: {call: 2m, visits: 8}
events: {hangup: last}
start: more
steps:
  more: {set: {n: "{{ n + 1 }}"}, next: tick}
  tick: {publish: {to: ticks, body: {order: "{{ order }}", n: "{{ n }}"}}, next: rest}
  rest: {wait: 400ms, next: enough}
  enough:
    branch:
      - {if: "n >= 6", next: last}
      - {else: more}
  last: {publish: {to: ticks, body: {order: "{{ order }}", n: 99}}, next: bye}
  bye: {end: normal}
"""

FINDING = """
flow: finding
languages: [en]
result: {rider: optional text}
limits: {call: 2m}
start: search
steps:
  search: {wait: {for: 60s, sound: music, until: rider-found, values: [rider], key: "#"}, next: found}
  found:
    branch:
      - {if: "rider is not none", next: told}
      - {else: bye}
  told: {say: {en: "{{ rider }} comes to you with the order."}, next: bye}
  bye: {end: normal}
"""


def flows(folder: Path, **texts: str) -> str:
    place = folder / "flows"
    place.mkdir()
    for name, text in texts.items():
        (place / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(place)


async def live(bench: Bench) -> str:
    """The href of the call that lives."""
    async with asyncio.timeout(30):
        while not (calls := (await bench.api.get("/api/voice/calls?state=answered")).json()["calls"]):
            await asyncio.sleep(0.02)
    return str(calls[0]["href"])


async def test_events_of_calls_survive_the_death_of_the_broker(tmp_path: Path, bench: OpenBench) -> None:
    numbers = {str(n): {"flow": "ticker", "params": {"order": str(n)}} for n in (1, 2, 3)}
    async with mosquitto_at(tmp_path / "broker") as broker, subscribed(broker.port) as watcher:
        await broker.stop()  # its database knows the subscription from here on
        await watcher.until_gone()
        await broker.start()
        await watcher.until_here()
        settings = {
            "url": f"mqtt://127.0.0.1:{broker.port}",
            "topics": {"ticks": "orders/{body.order}/ticks"},
            "results": "results/{flow}",
        }
        async with bench(
            flows=flows(tmp_path, ticker=TICKER), numbers=numbers, queues={}, endpoints={}, broker=settings
        ) as b:
            at = b.uri.partition("@")[2]
            calls = [await b.phone.call(f"sip:{number}@{at}") for number in numbers]
            await watcher.until(lambda: len(watcher.events(event="ticks")) >= 4)
            await broker.stop(signal.SIGKILL)
            await watcher.until_gone()
            await asyncio.gather(*(call.until_hung_up(60) for call in calls))
            metrics = (await b.api.get("/metrics")).text
            assert "ivr_broker_up 0.0" in metrics
            await broker.start()
            await watcher.until(lambda: len(watcher.events()) == 24)
    for number in numbers:
        ticks = [e["body"]["n"] for e in watcher.events(event="ticks") if e["body"]["order"] == number]
        assert ticks == [1, 2, 3, 4, 5, 6, 99]
    ended = watcher.events(event="call.ended")
    assert [event["body"]["result"] for event in ended] == [{"n": 6}] * 3
    assert {event["call_id"] for event in ended} == {e["call_id"] for e in watcher.events(event="ticks")}
    topics = {topic for topic, _ in watcher.messages}
    assert topics == {"orders/1/ticks", "orders/2/ticks", "orders/3/ticks", "results/ticker"}


async def test_a_caller_hears_music_until_a_signal_comes(tmp_path: Path, bench: OpenBench) -> None:
    numbers = {"1001": {"flow": "finding"}}
    async with bench(flows=flows(tmp_path, finding=FINDING), numbers=numbers, queues={}, endpoints={}) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        href = await live(b)
        wrong = await b.api.post(f"{href}/signals", json={"name": "rider-lost"})
        assert (wrong.status_code, wrong.json()["known"]) == (422, ["rider-found"])
        wrong = await b.api.post(f"{href}/signals", json={"name": "rider-found", "values": {"rider": 7}})
        assert wrong.json()["fields"] == [{"field": "values.rider", "message": "must be a text, in quotes"}]
        sent = await b.api.post(f"{href}/signals", json={"name": "rider-found", "values": {"rider": "Ravi"}})
        assert sent.status_code == 202
        await call.until_hung_up(60)
        record = await b.ended(href)
        late = await b.api.post(f"{href}/signals", json={"name": "rider-found", "values": {"rider": "Ravi"}})
        assert late.status_code == 409
    assert record["result"] == {"rider": "Ravi"}
    told = [event["data"] for event in record["events"] if event["kind"] in ("wait", "signal", "prompt")]
    assert [told[0], told[1]] == [
        {"sound": "music"},
        {"name": "rider-found", "values": {"rider": "Ravi"}},
    ]
    assert told[2]["text"] == "Ravi comes to you with the order."


async def test_a_caller_ends_the_music_with_a_key(tmp_path: Path, bench: OpenBench) -> None:
    numbers = {"1001": {"flow": "finding"}}
    async with bench(flows=flows(tmp_path, finding=FINDING), numbers=numbers, queues={}, endpoints={}) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        with contextlib.suppress(CallOver):  # it may end before the key is up again
            await call.press("5#")
        await call.until_hung_up(30)
        record = await b.ended()
    ways = [event["data"]["via"] for event in record["events"] if event["kind"] == "outcome"]
    assert ways[0] == "key"
    assert record["cause"] == "normal"
