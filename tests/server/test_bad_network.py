"""Whole calls over a relay with 5 % loss, 50 ms jitter, 2 % reordering and duplicates: a phone, the network,
a server. Keys arrive once, prompts can be understood, nothing is left behind, and the record tells of it."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import numpy as np

from ivr.phone.calling import CallOver, PhoneCall
from tests.relay import BAD, RelayedPorts, Weather
from tests.server.conftest import Bench, OpenBench
from tests.speech_like import worst_correlation

KEYS = 30
FLOW = f"""
flow: dictation
languages: [en]
params: {{}}
result: {{number: optional digits}}
limits: {{call: 3m, visits: 2}}
events: {{hangup: bye, failure: bye, operator: bye}}
start: greet
steps:
  greet: {{say: greet, next: number}}
  number:
    collect:
      prompt: number
      into: number
      keys: {{length: {KEYS}}}
      retry: {{wait: 10s, prompts: []}}
      next: bye
      otherwise: bye
  bye: {{end: normal}}
prompts:
  greet: {{en: "Please dictate the long number of your delivery note."}}
  number: {{en: "Now."}}
"""


def open_dictation(bench: OpenBench, folder: Path) -> Any:
    flows = folder / "flows"
    flows.mkdir()
    (flows / "dictation.yaml").write_text(FLOW, encoding="utf-8")
    return bench(flows=str(flows), numbers={"1001": {"flow": "dictation"}}, endpoints={}, queues={})


def put_between(bench: Bench, weather: Weather, seed: int) -> RelayedPorts:
    """From now on the phone's calls pass through a relay."""
    plane = bench.phone._plane
    plane._ports = ports = RelayedPorts(bench.phone._ports, weather, seed)
    return ports


async def hear_greeting(call: PhoneCall) -> bytes:
    """All that the phone hears until the prompts are over."""
    frames: list[bytes] = []
    meter = call._hear_frame

    def sink(frame: bytes) -> None:
        frames.append(frame)
        meter(frame)

    call.leg.listen(sink)
    await call.hear()
    await call.quiet(for_s=0.9, within_s=30)
    return b"".join(frames)


async def test_a_call_over_a_bad_network_takes_each_key_once_and_is_understood(
    bench: OpenBench, tmp_path: Path
) -> None:
    keys = "".join(random.Random(7).choice("0123456789") for _ in range(KEYS))
    async with open_dictation(bench, tmp_path) as b:
        clean_call = await b.phone.call(b.uri)
        await clean_call.until_answered()
        clean = await hear_greeting(clean_call)
        await clean_call.close()
        await b.ended()

        ports = put_between(b, BAD, seed=3)
        call = await b.phone.call(b.uri)
        await call.until_answered()
        heard = await hear_greeting(call)
        phone_quality = call.leg.quality()
        with contextlib.suppress(CallOver):  # the last key ends it
            await call.press(keys)
        await call.until_hung_up()
        record = await b.ended()
        relay = ports.relays[0]
        assert relay.lost > 0.02 * relay.passed

        # What it heard begins with silence of another length.
        samples = np.frombuffer(clean, "<i2")
        loud = np.flatnonzero(np.abs(samples.astype(int)) > 300)
        said = samples[loud[0] : loud[-1]]
        other = np.frombuffer(heard, "<i2")
        start = max(0, int(np.flatnonzero(np.abs(other.astype(int)) > 300)[0]) - 800)
        mean, _ = worst_correlation(said.tobytes(), other[start:].astype(float), 8000)
        assert mean > 0.9

        assert record["result"] == {"number": keys}
        assert [e["data"]["key"] for e in record["events"] if e["kind"] == "key"] == list(keys)
        quality = record["quality"]
        assert quality["packets_lost"] > 0
        assert 1.5 < quality["mos"] < 4.35
        assert phone_quality.buffer_ms >= 40
        assert phone_quality.mos is not None
        assert phone_quality.mos < 4.35

        # Nothing of either call is left.
        assert b.phone._plane.streams == 0
        assert all(relay.inner.fileno() == -1 for relay in ports.relays)
        figures = (await b.api.get("/metrics")).text
        assert 'ivr_calls_active{direction="inbound"} 0.0' in figures
        assert 'ivr_call_mos_count{heard_by="us"} 2.0' in figures
