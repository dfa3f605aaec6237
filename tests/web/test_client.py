"""`client.js` in a real browser, against a server that can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.web.browser import chromium
from tests.web.fake_signalling import FakeSignalling, Refusal, fake_signalling

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEGIN = """async (options) => {
  const call = window.call = new IvrCall({connect_s: 8, ...options});
  window.log = [];
  for (const type of ["state", "ready", "caption", "ended"]) {
    call.addEventListener(type, ({detail}) => log.push(type === "state" ? detail.state : {...detail}));
  }
}"""
START = """async (request) => {
  try {
    await call.start(request ?? {flow: "vendor-order", params: {order: "1"}, language: "hi"});
    return "";
  } catch (error) {
    return {code: error.code, message: error.message, retryAfter_s: error.retryAfter_s, fields: error.fields};
  }
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab() -> AsyncIterator[tuple[Page, FakeSignalling, str]]:
    """One tab and one server for all: each costs more than a test."""
    async with fake_signalling() as (fake, url), chromium() as browser:
        page = await browser.new_page()
        page.set_default_timeout(20_000)
        yield page, fake, url


@pytest_asyncio.fixture(loop_scope="module")
async def server(tab: tuple[Page, FakeSignalling, str]) -> AsyncIterator[FakeSignalling]:
    yield tab[1]
    await tab[1].reset()


@pytest_asyncio.fixture(loop_scope="module")
async def page(tab: tuple[Page, FakeSignalling, str], server: FakeSignalling) -> Page:
    page, _, url = tab
    await page.goto(f"{url}/blank")
    await page.wait_for_function("window.IvrCall !== undefined")
    await page.evaluate("sessionStorage.clear()")
    await page.evaluate(BEGIN, {})
    return page


async def state(page: Page, wanted: str) -> None:
    await page.wait_for_function("(wanted) => call.state === wanted", arg=wanted)


async def log(page: Page) -> list[Any]:
    events: list[Any] = await page.evaluate("log")
    return events


async def test_a_call_from_token_to_result(page: Page, server: FakeSignalling) -> None:
    assert await page.evaluate(START, {"token": "t-1"}) == ""
    ready = {"type": "ready", "call_id": "c-1", "flow": "vendor-order", "language": "hi"}
    await server.tell(ready, {"type": "caption", "who": "server", "text": "नमस्ते", "final": True})
    await page.evaluate("'1*#'.split('').forEach((key) => call.sendKey(key))")
    await server.wait_for_keys("1*#")
    assert await page.evaluate("call.id") == "c-1"
    quality = await page.evaluate("call.quality()")
    assert quality["codec"] in ("audio/opus", "")
    await server.tell({"type": "ended", "cause": "normal", "result": {"decision": "accepted"}})
    await state(page, "ended")
    assert await log(page) == [
        "connecting",
        "ringing",
        "talking",
        ready,
        {"type": "caption", "who": "server", "text": "नमस्ते", "final": True},
        "ended",
        {"type": "ended", "cause": "normal", "result": {"decision": "accepted"}},
    ]
    assert "ticket" not in [what for what, _ in server.asked]
    assert await page.evaluate("IvrCall.kept()") is None


async def test_the_microphone_is_asked_for_with_echo_cancellation(page: Page, server: FakeSignalling) -> None:
    await page.evaluate(
        """() => {
          const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = (wanted) => { window.wanted = wanted; return ask(wanted); };
        }"""
    )
    assert await page.evaluate(START) == ""
    wanted = (await page.evaluate("wanted"))["audio"]
    assert wanted == {
        "echoCancellation": True,
        "noiseSuppression": True,
        "autoGainControl": True,
        "channelCount": 1,
    }
    await page.wait_for_function("call.level().microphone > 0.1")  # the fake device's tone
    await page.evaluate("call.muted = true")
    assert await page.evaluate("call.level().microphone") == 0
    assert ("ticket", {"flow": "vendor-order", "params": {"order": "1"}, "language": "hi"}) in server.asked


async def test_hanging_up_tells_the_server_and_brings_the_result(page: Page, server: FakeSignalling) -> None:
    assert await page.evaluate(START) == ""
    await server.tell({"type": "ready", "call_id": "c-1", "flow": "vendor-order", "language": "hi"})
    await page.evaluate("call.hangUp()")
    assert ("end", None) in server.asked
    assert (await log(page))[-1] == {
        "type": "ended",
        "cause": "normal",
        "result": {"decision": "unreached"},
    }


async def test_keys_pressed_too_early_wait(page: Page, server: FakeSignalling) -> None:
    server.answering.clear()
    started = asyncio.create_task(page.evaluate(START))
    await state(page, "connecting")
    await page.evaluate("call.sendKey('4'), call.sendKey('2')")
    server.answering.set()
    assert await started == ""
    await server.wait_for_keys("42")
    with pytest.raises(Exception, match="is no key of a telephone"):
        await page.evaluate("call.sendKey('x')")


async def test_a_refusal_is_an_error_with_words(page: Page, server: FakeSignalling) -> None:
    for at, refusal, code, retry_s in (
        ("ticket", Refusal(429, "too-many-calls", {"Retry-After": "6"}), "too-many", 6),
        ("ticket", Refusal(403, "phone-closed"), "not-allowed", None),
        ("ticket", Refusal(404, "unknown-flow"), "unknown-flow", None),
        ("start", Refusal(503, "no-capacity", {"Retry-After": "10"}), "busy", 10),
        ("start", Refusal(401, "token-refused", reason="used"), "token-used", None),
        ("start", Refusal(401, "token-refused", reason="expired"), "token-expired", None),
        ("start", Refusal(401, "token-refused", reason="unknown"), "unknown-token", None),
        ("start", Refusal(500, "internal"), "refused", None),
    ):
        server.refusals = {at: refusal}
        await page.evaluate(BEGIN, {})
        error = await page.evaluate(START)
        assert (error["code"], error.get("retryAfter_s")) == (code, retry_s)
        assert error["message"].endswith(".")
        assert await page.evaluate("log") == ["connecting", "ended"]


async def test_without_a_way_for_the_audio_the_call_is_given_back(page: Page, server: FakeSignalling) -> None:
    server.media = False
    await page.evaluate(BEGIN, {"connect_s": 0.5})
    error = await page.evaluate(START)
    assert error["code"] == "no-media"
    assert ("end", None) in server.asked


async def test_a_server_that_does_not_answer_can_be_left(page: Page, server: FakeSignalling) -> None:
    server.answering.clear()
    started = asyncio.create_task(page.evaluate(START))
    await server.wait_for("ticket")
    await page.evaluate("call.hangUp()")
    assert (await started)["code"] == "cancelled"


async def test_no_microphone_and_no_permission(page: Page) -> None:
    for name, code in (("NotAllowedError", "permission"), ("NotFoundError", "no-microphone")):
        await page.evaluate(BEGIN, {})
        await page.evaluate(
            """(name) => {
              navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", name));
            }""",
            name,
        )
        assert (await page.evaluate(START))["code"] == code


async def test_listening_needs_no_microphone_until_it_is_opened(page: Page, server: FakeSignalling) -> None:
    await page.evaluate(BEGIN, {"microphone": False})
    assert await page.evaluate(START) == ""
    assert await page.evaluate("call.level().microphone") == 0
    await page.evaluate("call.openMicrophone()")
    await page.wait_for_function("call.level().microphone > 0.1")


async def test_a_lost_connection_is_made_anew(page: Page, server: FakeSignalling) -> None:
    assert await page.evaluate(START) == ""
    await server.tell({"type": "ready", "call_id": "c-1", "flow": "vendor-order", "language": "hi"})
    await server.lose()
    await state(page, "reconnecting")
    await page.evaluate("call.sendKey('7')")
    await state(page, "talking")
    await server.wait_for_keys("7")
    assert [what for what, _ in server.asked].count("start") == 1
    assert len(server.peers) >= 2


async def test_a_call_that_the_server_has_given_up_is_gone(page: Page, server: FakeSignalling) -> None:
    assert await page.evaluate(START) == ""
    await server.tell({"type": "ready", "call_id": "c-1", "flow": "vendor-order", "language": "hi"})
    server.refusals["renew"] = Refusal(404, "unknown-session")
    await server.lose()
    await state(page, "ended")
    assert (await log(page))[-1] == {"type": "ended", "cause": "gone", "result": None}


async def test_a_server_that_cannot_be_reached_again_has_lost_the_call(
    page: Page, server: FakeSignalling
) -> None:
    server.reconnect_s = 0.3
    assert await page.evaluate(START) == ""
    await server.tell({"type": "ready", "call_id": "c-1", "flow": "vendor-order", "language": "hi"})
    server.refusals["renew"] = Refusal(502, "about:blank")
    await server.lose()
    await state(page, "ended")
    assert (await log(page))[-1] == {"type": "ended", "cause": "lost", "result": None}
    assert [what for what, _ in server.asked].count("renew") > 1
    assert await page.evaluate("IvrCall.kept()") is None


async def test_a_page_that_is_loaded_again_goes_on(page: Page, server: FakeSignalling) -> None:
    assert await page.evaluate(START) == ""
    began = await page.evaluate("call.began")
    await page.reload()
    await page.wait_for_function("window.IvrCall !== undefined")
    await page.evaluate(BEGIN, {})
    assert await page.evaluate("IvrCall.kept()") == {"call_id": "c-1", "began": began}
    await page.evaluate("call.resume()")
    await state(page, "talking")
    assert await page.evaluate("call.id") == "c-1"
    await page.evaluate("call.sendKey('5')")
    await server.wait_for_keys("5")
    # A tab that was duplicated has all that this one has, and must leave it the call.
    await page.evaluate("window.second = new IvrCall()")
    error = await page.evaluate("second.resume().catch((error) => error.code)")
    assert error == "elsewhere"
    assert await page.evaluate("call.state") == "talking"
