"""The phone page in a browser: its states, by keyboard, on a phone's screen, for a screen reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.web.browser import chromium
from tests.web.fake_signalling import FakeSignalling, Refusal, fake_signalling

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOTS: Final = Path(__file__).parents[2] / "build" / "screenshots"
"""Kept by the run, to be looked at."""

CAPTION: Final = {"type": "caption", "final": True}
BEGUN: Final[tuple[dict[str, Any], ...]] = (
    {"type": "ready", "call_id": "c-1", "flow": "vendor-order", "language": "hi"},
    {"type": "step", "step": "offer"},
    CAPTION
    | {
        "who": "server",
        "text": "नमस्ते शर्मा भोजनालय। ऑर्डर चार आठ दो एक तीन, कुल एक हज़ार दो सौ पचास रुपये पचास पैसे।",
    },
    CAPTION | {"who": "caller", "text": "", "final": False},
    CAPTION | {"who": "caller", "text": "हाँ"},
    {"type": "step", "step": "eta"},
    {
        "type": "turn",
        "turn": 1,
        "trigger": "speech",
        "reply_ms": 236.4,
        "ms": {"speech_end": 0, "pause": 96.2, "endpoint": 100.1, "final": 181.5, "first_packet": 236.4},
        "by": {"final": "pocketsphinx"},
    },
    CAPTION | {"who": "server", "text": "कितने मिनट में तैयार होगा?", "at_ms": 3300},
    {"type": "cut", "after_ms": 3200, "at_ms": 3301},  # of what was said before
    {"type": "key", "key": "2"},
    {"type": "key", "key": "0"},
)
OVERFLOWING: Final = """() => [...document.querySelectorAll("body, main > :not([hidden])")].flatMap((card) =>
  [...card.querySelectorAll("*:not(.unseen, .level *)")]
    .filter((each) => each.getBoundingClientRect().right > card.getBoundingClientRect().right + 1)
    .map((each) => each.outerHTML.slice(0, 120)))"""
ENDED: Final = {
    "type": "ended",
    "cause": "normal",
    "result": {"decision": "accepted", "eta": 20, "reason": None},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab() -> AsyncIterator[tuple[Page, FakeSignalling, str]]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    async with fake_signalling() as (fake, url), chromium() as browser:
        page = await browser.new_page(viewport={"width": 1180, "height": 900}, locale="en")
        page.set_default_timeout(20_000)
        yield page, fake, url


@pytest_asyncio.fixture(loop_scope="module")
async def server(tab: tuple[Page, FakeSignalling, str]) -> AsyncIterator[FakeSignalling]:
    yield tab[1]
    await tab[1].reset()


@pytest_asyncio.fixture(loop_scope="module")
async def page(tab: tuple[Page, FakeSignalling, str], server: FakeSignalling) -> Page:
    page, _, url = tab
    await page.goto(url)
    await page.evaluate("sessionStorage.clear(), localStorage.clear()")
    await page.goto(url)
    await page.wait_for_selector("#setup:not([hidden])")
    return page


async def talk(page: Page, server: FakeSignalling) -> None:
    await page.click("#call")
    await page.wait_for_selector("body[data-state=talking]")
    await server.tell(*BEGUN)
    await page.wait_for_selector("#turn svg")


async def check(page: Page, name: str) -> None:
    """No serious fault of accessibility, in light and dark; nothing sticks out, wide and narrow."""
    for scheme, (width, height) in (("light", (1180, 900)), ("dark", (360, 740))):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=SHOTS / f"phone-{name}-{width}.png")
        assert await page.evaluate(OVERFLOWING) == []
        found = (await Axe().run(page)).response["violations"]
        serious = {
            fault["id"]: [node["html"] for node in fault["nodes"]]
            for fault in found
            if fault["impact"] in ("serious", "critical")
        }
        assert serious == {}, f"{name}, {scheme}"
    await page.set_viewport_size({"width": 1180, "height": 900})
    await page.emulate_media(color_scheme="light", reduced_motion="no-preference")


async def test_a_call_in_all_its_states(page: Page, server: FakeSignalling) -> None:
    await check(page, "setup")
    server.answering.clear()
    await page.click("#call")
    assert await page.inner_text("#state-words") == "Connecting"
    await check(page, "connecting")
    server.answering.set()
    await page.wait_for_selector("body[data-state=talking]")
    await server.tell(*BEGUN)
    await page.wait_for_selector("#turn svg")
    asked = next(body for what, body in server.asked if what == "ticket")
    assert asked == {
        "flow": "vendor-order",
        "language": "en",
        "params": {"vendor": "शर्मा भोजनालय", "order": "48213", "amount": 1250.5, "language": "en"},
    }
    said = await page.locator("#captions .said").all_inner_texts()
    assert said[1].endswith("हाँ")
    assert "नमस्ते" in await page.inner_text("#captions .cut")
    assert await page.get_attribute("#captions .said", "lang") == "hi"
    assert await page.inner_text("#about-step") == "step eta"
    assert await page.inner_text("#turn-total") == "236 ms"
    label = await page.get_attribute("#turn svg", "aria-label")
    assert label is not None
    assert label.startswith("236 ms. Pause noticed 96 ms, Turn is over 3.9 ms, Words recognised 81 ms")
    await page.wait_for_selector(
        "#level-you[style*='scaleX(0.']:not([style*='scaleX(0.000)'])"
    )  # the microphone's tone
    await check(page, "talking")
    server.refusals["renew"] = Refusal(500, "internal")
    await server.lose()
    await page.wait_for_selector("body[data-state=reconnecting]")
    await check(page, "reconnecting")
    server.refusals.clear()
    await page.wait_for_selector("body[data-state=talking]")
    await server.tell(ENDED)
    await page.wait_for_selector("#outcome:not([hidden])")
    assert await page.locator("#result dd").all_inner_texts() == ["Accepted", "20 min", "none"]
    await check(page, "ended")


async def test_a_call_by_keyboard_alone(page: Page, server: FakeSignalling) -> None:
    for wanted in ("tongue", "flow", "language", "p-vendor", "p-order", "p-amount", "call"):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == wanted
    await page.keyboard.press("Enter")
    await page.wait_for_selector("body[data-state=talking]")
    assert await page.evaluate("document.activeElement.id") == "state"
    await page.keyboard.type("1#")
    await server.wait_for_keys("1#")
    await page.keyboard.press("Tab")  # the captions, to scroll them
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await server.wait_for_keys("1#1")
    for _ in range(12):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    assert await page.get_attribute("#mute", "aria-pressed") == "true"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#outcome:not([hidden])")
    assert await page.inner_text("#about-step") == "You hung up"
    assert await page.evaluate("document.activeElement.id") == "state"
    assert ("end", None) in server.asked


async def test_every_kind_of_value_has_a_field(page: Page, server: FakeSignalling) -> None:
    await page.select_option("#flow", "every-kind")
    assert await page.locator("#spoken").is_hidden()
    await page.fill("#p-rooms", "")
    await page.click("#call")
    assert await page.locator("#setup").is_visible()  # the browser wants the field filled
    await page.fill("#p-rooms", "3")
    await page.select_option("#p-size", "large")
    server.refusals["ticket"] = Refusal(422, "invalid-request", fields={"params.rooms": "is too many"})
    await page.click("#call")
    await page.wait_for_selector("#p-rooms[aria-invalid=true]")
    assert await page.inner_text("#p-rooms-fault") == "is too many"
    assert await page.evaluate("document.activeElement.id") == "p-rooms"
    asked = next(body for what, body in server.asked if what == "ticket")
    assert asked["params"] == {
        "due": "2026-12-31",
        "size": "large",
        "cold": True,
        "items": ["tea", "samosa"],
        "rooms": 3,
    }
    await check(page, "refused")


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal(503, "no-capacity", {"Retry-After": "10"}), "All lines are busy. Try again in 10 seconds."),
        (
            Refusal(401, "token-refused", reason="used"),
            "This call was made already: its token is good for one call.",
        ),
    ],
)
async def test_what_is_refused_is_said(
    page: Page, server: FakeSignalling, refusal: Refusal, words: str
) -> None:
    server.refusals["start"] = refusal
    await page.click("#call")
    await page.wait_for_selector("#refusal:not([hidden])")
    assert await page.inner_text("#refusal") == words


async def test_a_microphone_that_may_not_be_used_is_said(page: Page, server: FakeSignalling) -> None:
    await page.evaluate(
        """() => {
          const no = () => Promise.reject(new DOMException("no", "NotAllowedError"));
          navigator.mediaDevices.getUserMedia = no;
        }"""
    )
    await page.click("#call")
    await page.wait_for_selector("#refusal:has-text('Allow it for this page in the browser')")
    assert server.asked == []  # no token is wasted


async def test_a_closed_phone_says_why(page: Page, server: FakeSignalling) -> None:
    server.refusals["offer"] = Refusal(403, "phone-closed", detail="open it as http://localhost")
    await page.reload()
    await page.wait_for_selector("#notice:not([hidden])")
    assert "open it as http://localhost" in await page.inner_text("#notice")
    await check(page, "closed")


async def test_the_page_speaks_three_languages(page: Page, server: FakeSignalling) -> None:
    for tongue, call in (("hi", "कॉल करें"), ("mr", "कॉल करा"), ("en", "Call")):
        await page.select_option("#tongue", tongue)
        assert await page.inner_text("#call") == call
        assert await page.get_attribute("html", "lang") == tongue
    await page.select_option("#tongue", "mr")
    await page.reload()
    await page.wait_for_selector("#setup:not([hidden])")
    assert await page.inner_text("#call") == "कॉल करा"
    assert await page.input_value("#language") == "mr"


async def test_a_page_that_is_loaded_again_still_has_its_call(page: Page, server: FakeSignalling) -> None:
    await talk(page, server)
    said = await page.locator("#captions .said").all_inner_texts()
    await page.reload()
    await page.wait_for_selector("body[data-state=talking]")
    assert await page.locator("#captions .said").all_inner_texts() == said
    assert await page.inner_text("#about-flow") == "Vendor order"
    await page.keyboard.type("7")
    await server.wait_for_keys("7")
    ended = asyncio.create_task(page.wait_for_selector("#outcome:not([hidden])"))
    await page.click("#hangup")
    await ended
    await page.click("#again")
    assert await page.evaluate("document.activeElement.id") == "call"
