"""An operator at the dashboard takes a caller over from the flow, with his own browser and its microphone,
and gives him back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from ivr.phone.calling import PhoneCall
from media.sounds import Sound, SoundMeter
from tests.admin.served import dashboard
from tests.server.conftest import KEY, Bench, OpenBench
from tests.server.talkers import Talker, write_tone
from tests.web.browser import chromium
from tests.web.caller import write_caller

PROMPT_HZ, CALLER_HZ = 1000, 450

FLOW = """
flow: help
languages: [en]
result: {outcome: {one_of: [waiting, done], default: waiting}}
start: ask
steps:
  ask:
    menu:
      prompt: {en: {audio: ask.wav, text: What is it?}}
      choices:
        bye: {key: "1", next: done}
      retry: {wait: 60s, prompts: [{en: Again.}]}
      otherwise: done
  done: {set: {outcome: done}, next: bye}
  bye: {end: normal}
"""

SCOPES = ["calls:read", "calls:write", "calls:supervise", "metrics:read", "audit:read", "audit:write"]


class Caller(Talker):
    """Counts besides what of the call's sound is neither silence nor the prompt's tone."""

    def __init__(self, call: PhoneCall) -> None:
        self.others = 0
        self._sounds = SoundMeter(call.leg.sample_rate)
        super().__init__(call)

    def _hear(self, frame: bytes) -> None:
        super()._hear(frame)
        heard = self._sounds.take(frame)
        is_prompt = heard.sound is Sound.TONE and abs(heard.hz - PROMPT_HZ) < 60
        self.others += heard.sound is not Sound.SILENCE and not is_prompt


@pytest.mark.timeout(240)
async def test_an_operator_takes_a_caller_over_and_gives_him_back(bench: OpenBench, tmp_path: Path) -> None:
    folder, said = tmp_path / "flows", tmp_path / "said.wav"
    folder.mkdir()
    (folder / "help.yaml").write_text(FLOW, encoding="utf-8")
    write_tone(folder / "ask.wav", PROMPT_HZ, 60_000)
    write_caller(said)
    api = {"port": 0, "keys": {"dashboard": {"key": KEY, "scopes": SCOPES}}}
    async with (
        bench(flows=str(folder), numbers={"1001": {"flow": "help"}}, api=api) as b,
        dashboard(tmp_path, b.server.api, KEY) as served,
        chromium(said) as browser,
    ):
        call = await b.phone.call(b.uri)
        await call.until_answered()
        caller = Caller(call)
        caller.hum(CALLER_HZ)
        await caller.hears(PROMPT_HZ, 60)

        page = await served.log_in(browser, "omar", permissions=["microphone"])
        await served.open(page, "/live")
        await page.locator(".ag-row", has_text="help").locator("[col-id=flow]").click()
        await page.get_by_role("button", name="Listen").click()
        standing = page.locator(".live-standing")
        await expect(standing).to_contain_text("Listening")
        await supervised(b, "listen")
        await expect(page.locator(".facts", has_text="Supervised by")).to_contain_text("omar")

        await page.get_by_role("button", name="Take over").click()
        await expect(standing).to_contain_text("You talk with the caller")
        await supervised(b, "take_over")
        caller.others = 0
        async with asyncio.timeout(60):
            while caller.others < 10:
                await asyncio.sleep(0.05)
        await page.screenshot(path=served.shots / "take-over.png")

        await page.get_by_role("button", name="Give back").click()
        await expect(standing).to_be_hidden()
        await supervised(b, "over")
        caller.heard.clear()
        await caller.hears(PROMPT_HZ, 60)
        await page.get_by_role("button", name="Hang up").click()
        record = await b.ended()
        assert served.faults == []
        told = await b.api.get("/admin/audit", params={"operator": "omar"})
    modes = [
        (e["data"]["mode"], e["data"]["operator"]) for e in record["events"] if e["kind"] == "supervised"
    ]
    assert modes == [("listen", "omar"), ("take_over", "omar"), ("over", "omar")]
    steps = [event["data"]["step"] for event in record["events"] if event["kind"] == "step"]
    assert steps[:2] == ["ask", "ask"]
    assert {"supervision.supervise", "supervision.change", "supervision.leave", "calls.hang_up"} <= {
        entry["action"] for entry in told.json()["entries"]
    }


async def supervised(b: Bench, mode: str) -> dict[str, Any]:
    """The call's record, once it tells of that mode."""
    async with asyncio.timeout(60):
        while True:
            record = await b.record()
            if mode in [e["data"]["mode"] for e in record["events"] if e["kind"] == "supervised"]:
                return record
            await asyncio.sleep(0.05)
