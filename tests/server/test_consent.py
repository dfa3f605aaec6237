"""Consent on a running server: nothing is recorded before it was given, nothing is kept that was refused."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.phone.calling import PhoneCall
from tests.server.conftest import Bench, OpenBench

FLOW = """
flow: desk
languages: [en]
limits: {call: 3m, visits: 3}
start: STARTS
steps:
  notice: {consent: {for: recording, prompt: {en: "This call is recorded for training."}}, next: hello}
  hello: {say: {en: "Welcome."}, next: pause}
  first:
    consent:
      for: recording
      prompt: {en: "May we record?"}
      agree: {key: "1"}
      refuse: {key: "2"}
      barge_in: keys
    next: second
    otherwise: hello
  second:
    consent:
      for: recording
      prompt: {en: "Really?"}
      agree: {key: "1", intent: affirm}
      refuse: {key: "2", intent: deny}
      barge_in: keys
    next: hello
    otherwise: hello
  pause: {wait: 800ms, next: bye}
  bye: {end: normal}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    """Settings of a server with this one flow, which begins at a step."""

    def settings(start: str) -> dict[str, Any]:
        folder = tmp_path / "flows"
        folder.mkdir()
        steps = FLOW.replace("STARTS", start)
        if start == "notice":  # what cannot be reached is a mistake
            head, rest = steps.split("  first:", 1)
            steps = head + rest[rest.index("  pause:") :]
        else:
            steps = "\n".join(line for line in steps.splitlines() if not line.startswith("  notice:"))
        (folder / "desk.yaml").write_text(steps, encoding="utf-8")
        return {"flows": str(folder), "numbers": {"1001": {"flow": "desk"}}}

    return settings


def of(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in record["events"] if event["kind"] == kind]


def at(record: dict[str, Any], kind: str) -> datetime:
    return datetime.fromisoformat(next(e["at"] for e in record["events"] if e["kind"] == kind))


def files(b: Bench) -> Sequence[Path]:
    return list(b.server.config.store.path.rglob("recordings/**/*.wav"))


async def until(b: Bench, kind: str, count: int = 1) -> None:
    async with asyncio.timeout(20):
        while b.kinds(await b.record()).count(kind) < count:
            await asyncio.sleep(0.02)


async def answered(b: Bench) -> PhoneCall:
    call = await b.phone.call(b.uri)
    await call.until_answered()
    return call


async def test_a_call_is_recorded_from_the_end_of_its_announcement(bench: OpenBench, desk: Any) -> None:
    async with bench(**desk("notice")) as b:
        await answered(b)
        record = await b.ended()
        (consent,) = of(record, "consent")
        assert (consent["purpose"], consent["granted"], consent["how"]) == ("recording", True, "announced")
        assert consent["wording"] == "This call is recorded for training."
        assert consent["flow_hash"] == record["flow_hash"]
        kinds = b.kinds(record)
        assert kinds.index("consent") < kinds.index("recording")
        assert kinds.index("consent") < len(kinds) - 1 - kinds[::-1].index("prompt"), "before the next prompt"
        wav = (await b.api.get(record["recording"])).content
        with wave.open(io.BytesIO(wav)) as file:
            said = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 1]
        heard_ms = np.flatnonzero(np.abs(said) > 500) // 8
        consent_ms = (at(record, "consent") - at(record, "answered")).total_seconds() * 1000
        assert len(heard_ms), "the welcome is there"
        assert heard_ms[0] > consent_ms - 300, "the announcement is not"
        assert (await b.api.delete(record["href"])).status_code == 204
        assert "training" not in (await b.api.get(record["href"])).text


async def test_who_hangs_up_in_the_announcement_is_not_recorded(bench: OpenBench, desk: Any) -> None:
    async with bench(**desk("notice")) as b:
        call = await answered(b)
        await call.hear()
        await call.hang_up()
        record = await b.ended()
        assert of(record, "consent") == []
        assert record["recording"] is None
        assert files(b) == []


async def test_a_refusal_is_stored_and_nothing_is_recorded(bench: OpenBench, desk: Any) -> None:
    async with bench(**desk("first")) as b:
        call = await answered(b)
        await call.hear()
        await call.press("2")
        record = await b.ended()
        (consent,) = of(record, "consent")
        assert (consent["granted"], consent["how"], consent["step"]) == (False, "key", "first")
        assert record["recording"] is None
        assert files(b) == []


async def test_a_consent_that_is_taken_back_deletes_the_recording(bench: OpenBench, desk: Any) -> None:
    async with bench(**desk("first")) as b:
        call = await answered(b)
        await call.hear()
        await call.press("1")
        await until(b, "recording")
        async with asyncio.timeout(20):
            while not files(b):
                await asyncio.sleep(0.02)
        await until(b, "prompt", 2)
        await call.press("2")
        record = await b.ended()
        assert [consent["granted"] for consent in of(record, "consent")] == [True, False]
        kinds = b.kinds(record)
        assert kinds.index("recording") < kinds.index("recording_deleted")
        assert kinds.index("recording_deleted") < len(kinds) - 1 - kinds[::-1].index("consent")
        assert record["recording"] is None
        assert files(b) == []
        assert (await b.api.get(f"{record['href']}/recording")).status_code == 404
