"""A caller speaks freely, and an `ivr asr` elsewhere understands it; when that is away, the call goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines.contract import EngineUnavailable, Transcript
from tests.engines.test_asr_client import service
from tests.fakes.speech import RATE, spoken
from tests.server.conftest import OpenBench
from tests.service.asr.conftest import KEY, Scripted

FLOW = """
flow: helpline
languages: [en]
result: {reason: optional text}
limits: {call: 3m, visits: 3}
start: ask
steps:
  ask:
    collect:
      prompt: {en: "Why do you call?"}
      into: reason
      speech: {slot: text, max: 20s, end_silence: 600ms}
      retry: {wait: 6s, prompts: [{en: "Please say it again."}]}
      next: thanks
      otherwise: thanks
  thanks: {say: {en: "Thank you."}, next: bye}
  bye: {end: normal}
"""


@pytest.fixture
def helpline(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "helpline.yaml").write_text(FLOW, encoding="utf-8")
    return {
        "flows": str(folder), "numbers": {"1001": {"flow": "helpline"}},
        "media": {"ports": [0, 0], "record": False},
    }  # fmt: skip


def heard_by(url: str) -> dict[str, Any]:
    # A busy machine answers late.
    return {
        "asr": {"en": ["faster-whisper"]},
        "asr_deadline_s": 20,
        "setup": {"faster-whisper": {"address": url, "key": KEY}},
    }


async def test_what_is_said_is_in_the_result(bench: OpenBench, helpline: dict[str, Any]) -> None:
    engine = Scripted(answer=Transcript("my order is late", "en", 0.9))
    async with service(engine) as url, bench(**helpline, engines=heard_by(url)) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        await call.quiet()
        await call.play_pcm(spoken("my order is late", "en"), RATE)
        await call.until_hung_up()
        record = await b.ended()
        assert record["result"] == {"reason": "my order is late"}
        (heard,) = (event["data"] for event in record["events"] if event["kind"] == "heard")
        assert (heard["by"]["engine"], heard["by"]["why"]) == ("faster-whisper", "first choice")
        request = engine.requests[-1]
        assert (request.language, request.rate, request.phrases) == ("en", 8000, ())
        assert len(engine.audio[-1]) > RATE  # half a second and more of it


async def test_a_service_that_fails_costs_an_answer_not_the_call(
    bench: OpenBench, helpline: dict[str, Any]
) -> None:
    engine = Scripted(failure=EngineUnavailable("faster-whisper is down"))
    async with service(engine) as url, bench(**helpline, engines=heard_by(url)) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        for _ in range(3):
            await call.quiet()
            await call.play_pcm(spoken("my order is late", "en"), RATE)
        await call.until_hung_up()
        record = await b.ended()
        assert record["cause"] == "normal"
        assert record["result"] == {"reason": None}
