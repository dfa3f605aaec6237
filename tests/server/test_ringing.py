"""Numbers that ring before they are answered."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime

from tests.server.conftest import PARAMS, OpenBench


async def test_a_number_rings_and_is_then_answered(bench: OpenBench) -> None:
    numbers = {"1001": {"flow": "vendor-order", "params": PARAMS, "ring_s": 0.5}}
    async with bench(numbers=numbers) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered(10)
        await call.hear()
        await call.hang_up()
        record = await b.ended()
        assert record["answered_at"] > record["created_at"]
        assert record["cause"] == "normal"
        metrics = (await b.api.get("/metrics")).text
        (setup,) = re.findall(r'ivr_call_setup_seconds_sum\{direction="inbound"\} (\S+)', metrics)
        lasted = record["answered_at"], record["created_at"]
        waited = datetime.fromisoformat(lasted[0]) - datetime.fromisoformat(lasted[1])
        assert float(setup) < waited.total_seconds() - 0.4


async def test_early_ringing_is_heard_before_the_answer(bench: OpenBench) -> None:
    numbers = {"1001": {"flow": "vendor-order", "params": PARAMS, "ring_s": 3.0, "early_media": True}}
    async with bench(numbers=numbers) as b:
        call = await b.phone.call(b.uri)
        await call.hear(within_s=10)
        assert not call.answered
        await call.until_answered(10)
        await call.hear()
        await call.hang_up()


async def test_who_gives_up_while_it_rings_leaves_nothing_behind(bench: OpenBench) -> None:
    numbers = {"1001": {"flow": "vendor-order", "params": PARAMS, "ring_s": 60.0}}
    async with bench(numbers=numbers) as b:
        call = await b.phone.call(b.uri)
        async with asyncio.timeout(10):
            while b.server.live_calls == 0:
                await asyncio.sleep(0.01)
        await call.hang_up()
        async with asyncio.timeout(10):
            while b.server.live_calls:
                await asyncio.sleep(0.01)
        record = await b.ended()
        assert record["answered_at"] is None
        assert record["cause"] == "cancelled"
