"""What goes wrong in production, done to a whole server with a real call on it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.phone.calling import CallOver, PhoneCall
from tests.server.conftest import PARAMS, Bench, OpenBench


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def answered(bench: Bench) -> PhoneCall:
    call = await bench.phone.call(bench.uri)
    await call.until_answered()
    await call.hear()
    return call


async def test_an_engine_that_dies_in_a_call_is_replaced_and_the_call_goes_on(bench: OpenBench) -> None:
    async with bench() as b:
        call = await answered(b)
        first = b.server.voices[0]
        pid = first.health.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        # The first key cuts the offer; what follows the minutes holds them, so no cache can have it.
        await call.press("1")
        await call.hear()
        await call.press("20#")
        await call.hear()
        await call.until_hung_up()
        record = await b.ended()
        assert record["result"] == {"decision": "accepted", "eta": 20, "reason": None}
        await until(lambda: first.health.pid not in (None, pid))
        assert first.health.restarts == 1


async def test_a_caller_who_vanishes_is_noticed(bench: OpenBench) -> None:
    async with bench(media={"ports": [0, 0], "timeout_s": 0.6}) as b:
        call = await answered(b)
        await b.vanish()
        await call.until_hung_up()
        record = await b.ended()
        assert record["cause"] == "media_timeout"
        assert record["result"] == {"decision": "unreached", "eta": None, "reason": None}


async def test_a_full_house_says_when_to_come_back(bench: OpenBench) -> None:
    async with bench(limits={"calls": 1, "loop_lag_ms": 10_000}) as b:
        call = await answered(b)
        body = {"to": "sip:a@127.0.0.1:9", "trunk": "local", "flow": "vendor-order", "params": PARAMS}
        refused = await b.api.post("/api/voice/call/initiate", json=body)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        second = await b.phone.call(b.uri)
        with pytest.raises(CallOver):
            await second.until_answered()
        assert second.ended is not None
        assert second.ended.code == 503
        assert call.ended is None
        await second.close()
        await call.close()


async def test_no_more_calls_are_placed_at_once_than_there_is_room_for(bench: OpenBench) -> None:
    async with bench(limits={"calls": 2, "loop_lag_ms": 10_000}) as b:
        body = {"to": b.phone.address, "trunk": "local", "flow": "vendor-order", "params": PARAMS}
        asked = [b.api.post("/api/voice/call/initiate", json=body) for _ in range(8)]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert sorted(answers) == [202] * 2 + [503] * 6


async def test_a_disk_that_cannot_be_written_stops_the_recording_not_the_call(
    bench: OpenBench, tmp_path: Path
) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "recordings").write_text("no folder")
    async with bench() as b:
        call = await answered(b)
        await call.press("1")
        await call.hear()
        await call.hang_up()
        record = await b.ended()
        assert record["result"] == {"decision": "accepted", "eta": None, "reason": None}
        assert "recording_stopped" in b.kinds(record)


async def test_a_number_without_a_flow_is_not_found(bench: OpenBench) -> None:
    async with bench() as b:
        call = await b.phone.call(b.uri.replace("1001", "4711"))
        with pytest.raises(CallOver):
            await call.until_answered()
        assert call.ended is not None
        assert call.ended.code == 404
        await call.close()


async def test_everything_of_the_calls_is_gone_afterwards(bench: OpenBench) -> None:
    async with bench() as b:
        # One call first: what is made once for all calls (pools, threads) is not a leak.
        await (await answered(b)).hang_up()
        await b.ended()
        await until(lambda: b.server.live_calls == 0)
        tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            call = await answered(b)
            await call.press("1")
            await call.hang_up()
            await b.ended()
        await until(lambda: b.server.live_calls == 0)
        await until(lambda: len(asyncio.all_tasks()) <= tasks + 2)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= files + 2)
