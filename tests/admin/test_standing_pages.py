"""The pages of engines and trunks in a browser, over a server with cards, places and trunks in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.admin.fake_gateway import FakeGateway, problem
from tests.admin.served import WAIT_MS, Dashboard, serious_faults

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=WAIT_MS)

ENGINE: dict[str, Any] = {
    "kind": "tts",
    "state": "up",
    "breaker": "closed",
    "restarts": 0,
    "jobs": 0,
    "latency_ms": 84.0,
    "last_failure": "",
}
TRUNK: dict[str, Any] = {
    "profile": None,
    "up": True,
    "reason": "",
    "registered": None,
    "rtt_ms": 18.2,
    "targets": [],
    "seen_as": None,
    "calls": 2,
    "max_calls": 100,
}
CARDS: dict[str, Any] = {
    "gpus": [
        {
            "index": 0,
            "name": "NVIDIA L4",
            "memory_total_mb": 23034,
            "memory_used_mb": 9400,
            "utilisation_percent": 37,
            "temperature_c": 61,
            "processes": [
                {"pid": 4711, "engine": "faster-whisper", "memory_mb": 2400},
                {"pid": 4712, "engine": "chatterbox", "memory_mb": 5200},
            ],
        }
    ],
    "reason": None,
    "budget": [
        {
            "card": 0,
            "total_gb": 22.5,
            "needed_gb": 11.0,
            "free_gb": 11.5,
            "fits": True,
            "shares": [
                {"name": "faster-whisper", "gb": 3.0, "part": "engine"},
                {"name": "chatterbox", "gb": 7.0, "part": "engine"},
                {"name": "CUDA", "gb": 1.0, "part": "cuda"},
            ],
        }
    ],
}
PLACE = {"place": "chatterbox", "engine": "chatterbox", "version": "chatterbox-1", "state": "up"}
SWITCH: dict[str, Any] = {
    "engine": "chatterbox",
    "to": "kokoro",
    "weights": None,
    "unload_first": False,
    "by": "dashboard",
    "stage": "warming",
    "reason": None,
    "before": "chatterbox chatterbox-1",
    "after": None,
    "began_at": "2025-11-22T09:30:00Z",
    "ended_at": None,
    "cut_off": 0,
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as gateway:
        gateway.engines = [
            {**ENGINE, "name": "chatterbox", "jobs": 3},
            {
                **ENGINE,
                "name": "faster-whisper",
                "kind": "asr",
                "state": "down",
                "breaker": "open",
                "restarts": 4,
                "latency_ms": None,
                "last_failure": "the worker died: out of memory",
            },
        ]
        silent = [
            {"address": "tls:192.0.2.10:5061", "up": True},
            {"address": "tls:192.0.2.11:5061", "up": False},
        ]
        gateway.trunks = [
            {**TRUNK, "name": "exotel", "profile": "exotel", "targets": silent, "calls": 91},
            {
                **TRUNK,
                "name": "office",
                "up": False,
                "registered": False,
                "reason": "403 Forbidden",
                "rtt_ms": None,
            },
        ]
        switches: list[dict[str, Any]] = []

        @gateway.app.get("/admin/models")
        async def models() -> Any:
            return {"places": [PLACE], "switches": switches}

        @gateway.app.post("/admin/models/switch", status_code=202)
        async def switch(body: dict[str, Any]) -> Any:
            if body["to"] == "parler":
                return problem(409, "The model cannot be switched now", "5.0 GB are free, 9.2 are needed")
            switches.insert(0, {**SWITCH, **body})
            return switches[0]

        @gateway.app.get("/admin/gpu/status")
        async def cards() -> Any:
            return CARDS

        yield gateway


async def test_engines_their_models_and_the_cards(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    page = await served.log_in(browser, "omar")
    await served.open(page, "/engines")
    down = page.locator("tr", has_text="faster-whisper").first
    await expect(down).to_contain_text("left alone for a while")
    await expect(down).to_contain_text("the worker died: out of memory")
    await expect(
        page.get_by_role("img", name="In use: faster-whisper 2.3 GB, chatterbox 5.1 GB")
    ).to_be_visible()
    await expect(page.locator(".card-row")).to_contain_text("Planned on card 0: 11.0 GB of 22.5 GB")
    await page.get_by_role("button", name="Switch the model of chatterbox").click()
    asked = page.locator(".ask")
    await asked.get_by_label("Engine").fill("parler")
    await asked.get_by_role("button", name="Switch").click()
    await expect(page.get_by_text("5.0 GB are free, 9.2 are needed")).to_be_visible()
    await page.get_by_role("button", name="Switch the model of chatterbox").click()
    await asked.get_by_label("Engine").fill("kokoro")
    await asked.get_by_role("button", name="Switch").click()
    progress = page.get_by_role("progressbar", name="How far the switch is")
    await expect(progress).to_have_attribute("aria-valuenow", "2")
    assert ("POST", "/admin/models/switch", "omar") in gateway.asked
    assert await serious_faults(page) == []
    await page.screenshot(path=served.shots / "engines.png", full_page=True)
    await served.open(page, "/trunks")
    await expect(page.locator(".panel", has_text="exotel")).to_contain_text(
        "tls:192.0.2.11:5061 does not answer"
    )
    await expect(page.locator(".panel", has_text="exotel")).to_contain_text("91 of 100 lines are in use")
    await expect(page.locator(".panel", has_text="office")).to_contain_text("calls to us go nowhere")
    assert await serious_faults(page) == []
    await page.screenshot(path=served.shots / "trunks-in-trouble.png")
    assert served.faults == []
    await page.context.close()


async def test_who_may_only_look_switches_nothing(served: Dashboard, browser: Browser) -> None:
    page = await served.log_in(browser, "vera", color_scheme="dark")
    await served.open(page, "/engines")
    await expect(page.locator(".card-row")).to_be_visible()
    await page.screenshot(path=served.shots / "engines-dark.png")
    await expect(page.get_by_role("button", name="Switch the model of chatterbox")).to_have_count(0)
    assert await serious_faults(page) == []
    await page.context.close()
