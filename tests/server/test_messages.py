"""Messages that callers leave on a running server: kept, fetched, erased, and not lost by a hang-up."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.phone.calling import PhoneCall
from tests.server.conftest import Bench, OpenBench

FLOW = """
flow: helpline
languages: [en]
result: {message: optional text}
limits: {call: 3m, visits: 3}
start: complaint
steps:
  complaint:
    record: {prompt: {en: "Speak."}, length: 20s, silence: 3s, into: message}
    next: noted
    otherwise: nothing
  noted: {say: {en: "Thank you."}, next: bye}
  nothing: {say: {en: "We heard nothing."}, next: bye}
  bye: {end: normal}
"""


@pytest.fixture
def helpline(tmp_path: Path) -> dict[str, Any]:
    """Settings of a server with this one flow, that records no calls."""
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "helpline.yaml").write_text(FLOW, encoding="utf-8")
    return {
        "flows": str(folder), "numbers": {"1001": {"flow": "helpline"}},
        "media": {"ports": [0, 0], "record": False},
    }  # fmt: skip


@contextmanager
def opened(wav: bytes) -> Iterator[wave.Wave_read]:
    with wave.open(io.BytesIO(wav)) as file:
        yield file


def loud(wav: bytes) -> list[bool]:
    """Which frames of 20 ms of a mono file at 8 kHz are not silence."""
    with opened(wav) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    frames = pcm[: len(pcm) // 160 * 160].reshape(-1, 160).astype(np.int32)
    found: list[bool] = (np.abs(frames).max(axis=1) > 200).tolist()
    return found


def sound_ms(wav: bytes) -> int:
    return sum(loud(wav)) * 20


def trailing_ms(wav: bytes) -> int:
    """The silence at its end."""
    return loud(wav)[::-1].index(True) * 20


async def recording(b: Bench) -> PhoneCall:
    """A call whose message has begun: the beep is over."""
    call = await b.phone.call(b.uri)
    await call.until_answered()
    async with asyncio.timeout(20):
        while "message_began" not in b.kinds(await b.record()):
            await asyncio.sleep(0.02)
    return call


async def fetched(b: Bench, record: dict[str, Any]) -> bytes:
    (message,) = record["messages"]
    answer = await b.api.get(message["href"])
    assert answer.status_code == 200, answer.text
    with opened(answer.content) as file:
        assert abs(file.getnframes() / 8 - message["duration_ms"]) < 1
    return answer.content


async def test_a_message_is_kept_and_its_trailing_silence_is_not(
    bench: OpenBench, helpline: dict[str, Any]
) -> None:
    async with bench(**helpline) as b:
        call = await recording(b)
        await call.dictate(2.0)
        record = await b.ended()
        assert record["result"] == {"message": "complaint"}
        outcomes = [event["data"] for event in record["events"] if event["kind"] == "outcome"]
        assert (outcomes[0]["outcome"], outcomes[0]["via"]) == ("next", "silence")
        wav = await fetched(b, record)
        assert sound_ms(wav) >= 1200, "most of what was said is there"
        assert trailing_ms(wav) < 1500, "of the silence that ended it little is kept"
        kinds = b.kinds(record)
        assert kinds.index("message_began") < kinds.index("message") < kinds.index("outcome")
        assert record["recording"] is None
        # Everything of it can be erased.
        assert (await b.api.delete(record["href"])).status_code == 204
        assert not list(b.server.config.store.path.rglob("recordings/**/*.wav"))


async def test_the_end_key_ends_it_while_the_call_goes_on(bench: OpenBench, helpline: dict[str, Any]) -> None:
    async with bench(**helpline) as b:
        call = await recording(b)
        await call.dictate(1.5)
        await call.press("#")
        await call.hear()
        record = await b.record()
        assert sound_ms(await fetched(b, record)) >= 900, "it is there before the goodbye is over"
        await b.ended()


async def test_a_hang_up_keeps_what_was_said(bench: OpenBench, helpline: dict[str, Any]) -> None:
    async with bench(**helpline) as b:
        call = await recording(b)
        await call.dictate(1.5)
        await call.hang_up()
        record = await b.ended()
        assert record["result"] == {"message": "complaint"}
        assert record["hung_up_by"] == "caller"
        assert sound_ms(await fetched(b, record)) >= 900


async def test_who_says_nothing_leaves_nothing(bench: OpenBench, helpline: dict[str, Any]) -> None:
    async with bench(**helpline) as b:
        await recording(b)
        record = await b.ended()
        assert record["result"] == {"message": None}
        assert record["messages"] == []
        assert "message_deleted" in b.kinds(record)
        outcomes = [event["data"]["outcome"] for event in record["events"] if event["kind"] == "outcome"]
        assert outcomes[0] == "otherwise"
        assert not list(b.server.config.store.path.rglob("recordings/**/*.wav"))
