"""A real call hears the engines of the configuration, and the embedded voice until they are up."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from tests.engines.test_smart_turn import made_model
from tests.fakes.kokoro import write_kokoro
from tests.server.conftest import Bench, OpenBench


async def hear_once(bench: Bench) -> dict[str, Any]:
    """A call that hears something and hangs up; its record."""
    call = await bench.phone.call(bench.uri)
    await call.until_answered(10)
    await call.hear(within_s=20)
    await call.hang_up()
    return await bench.ended()


def first_audios(metrics: str, engine: str) -> int:
    found = re.search(rf'ivr_engine_seconds_count\{{engine="{engine}",kind="tts"\}} (\S+)', metrics)
    return int(float(found[1])) if found else 0


async def test_a_call_is_spoken_by_the_first_engine_of_its_language(bench: OpenBench, tmp_path: Path) -> None:
    write_kokoro(tmp_path / "weights")
    setup = {"kokoro": {"weights": str(tmp_path / "weights"), "device": "cpu", "streams": 4}}
    patient = {"tts_deadline_s": 20, "tts_hedge_ms": 5000}
    engines = {"tts": {"en": ["kokoro"]}, "setup": setup, **patient}
    async with bench(engines=engines) as b:
        async with asyncio.timeout(90):
            while first_audios((await b.api.get("/metrics")).text, "kokoro") == 0:
                await hear_once(b)  # its model is loaded beside the calls


async def test_an_engine_that_cannot_start_costs_no_call(bench: OpenBench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    setup = {"kokoro": {"weights": str(tmp_path / "empty"), "device": "cpu"}}
    async with bench(engines={"tts": {"en": ["kokoro"]}, "setup": setup}) as b:
        record = await hear_once(b)
        assert record["cause"] == "normal"
        said = (event["data"] for event in record["events"] if event["kind"] in ("prompt", "speech_made"))
        by = [data["by"] for data in said if "by" in data]
        assert {told["engine"] for told in by} == {"espeak"}
        metrics = (await b.api.get("/metrics")).text
        assert first_audios(metrics, "espeak") > 0
        assert first_audios(metrics, "kokoro") == 0
        assert re.search(r'ivr_engine_passed_total\{engine="kokoro",kind="tts",why="down"\} [1-9]', metrics)
        assert 'ivr_engine_breaker{engine="kokoro",kind="tts"} 0.0' in metrics
        listed = (await b.api.get("/api/voice/engines")).json()["engines"]
        assert [(each["name"], each["kind"]) for each in listed] == [
            ("kokoro", "tts"),
            ("espeak", "tts"),
            ("espeak#2", "tts"),
            ("pocketsphinx", "asr"),
        ]
        assert [each["state"] for each in listed[1:]] == ["up", "up", "up"]
        assert {each["breaker"] for each in listed} == {"closed"}


async def test_an_engine_that_hangs_costs_a_call_one_hedge(bench: OpenBench) -> None:
    """A service elsewhere that takes every request and answers none."""
    asked: list[asyncio.StreamWriter] = []
    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer)
        while await reader.read(4096):
            pass
        ended.set()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        setup = {
            "elevenlabs": {"address": f"http://127.0.0.1:{port}", "key": "k" * 20, "voices": {"asha": "1"}}
        }
        engines = {"tts": {"en": ["elevenlabs"]}, "setup": setup, "tts_hedge_ms": 100, "tts_deadline_s": 20}
        async with bench(engines=engines) as b:
            record = await hear_once(b)
            assert record["cause"] == "normal"
            made = [event["data"]["by"] for event in record["events"] if event["kind"] == "speech_made"]
            assert made[0]["engine"] == "espeak"
            assert made[0]["why"] in ("late", "breaker open")
            assert asked
            async with asyncio.timeout(20):
                await ended.wait()  # what was asked for was given up for real


async def test_a_server_has_an_adviser_of_turns(bench: OpenBench, tmp_path: Path) -> None:
    model = made_model(tmp_path / "smart_turn.onnx")
    async with bench(engines={"smart_turn": str(model)}) as b:
        record = await hear_once(b)
        assert record["cause"] == "normal"


async def test_an_adviser_that_cannot_start_costs_no_call(bench: OpenBench, tmp_path: Path) -> None:
    model = tmp_path / "smart_turn.onnx"
    model.write_bytes(b"no model")
    async with bench(engines={"smart_turn": str(model)}) as b:
        record = await hear_once(b)
        assert record["cause"] == "normal"
