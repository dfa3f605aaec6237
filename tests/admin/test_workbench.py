"""Pages about flows, voices and recognisers in a browser, over a server as it is run: a flow is changed and
put back, played as text, its traffic looked at; the microphone is recognised, and turns the page."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, Page, expect

from ivr.local import LocalServer, local_server
from ivr.store import CallEvent, Ending, NewCall, Store, database_url
from tests.admin.served import WAIT_MS, Dashboard, dashboard, serious_faults
from tests.fakes.speech import spoken
from tests.web.browser import chromium

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=WAIT_MS)

HERE: Final = Path(__file__).parents[2]
BROKEN: Final = "flow: broken\nlanguages: [en]\nstart: nowhere\nsteps:\n  bye: {end: normal}\n"
PHRASE: Final = "show today's orders"


def _large(steps: int) -> str:
    """A flow in which each step leads to the next."""
    ways = "\n".join(f"  s{n}: {{say: hello, next: s{n + 1}}}" for n in range(steps - 1))
    return (
        f"flow: large\nlanguages: [en]\nlimits: {{call: 59m, visits: 1}}\nstart: s0\nsteps:\n{ways}\n"
        f'  s{steps - 1}: {{end: normal}}\nprompts:\n  hello: {{en: "Hello."}}\n'
    )


def _spoken(path: Path) -> Path:
    """The phrase, after a moment in which a prompt has begun; and again, as callers do who were not heard."""
    pcm = spoken(PHRASE, "en", speed=0.85)
    once = bytes(2 * 8000 * 3) + pcm + bytes(2 * 8000 * 5)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(once * 3)
    return path


async def _past_calls(folder: Path) -> None:
    """Ten calls of orders: two callers hung up in the first step."""
    store = await Store.open(database_url(folder))
    try:
        for number in range(10):
            at, id = time.time() - 60 - number, f"past-{number}"
            await store.create_call(NewCall(id, "inbound", at, flow="vendor-order", flow_hash="aa"))
            steps: list[tuple[str, dict[str, object]]] = [("step", {"step": "offer", "visit": 1})]
            if number >= 2:
                out = {"step": "offer", "outcome": "accept", "next": "eta", "via": "1"}
                steps += [("outcome", out), ("step", {"step": "eta", "visit": 1})]
            events = [CallEvent(at, kind, data) for kind, data in steps]
            await store.append_events(id, events, durable=True)
            await store.finish_call(id, Ending(at + 9, "normal", "caller" if number < 2 else "us"))
    finally:
        await store.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("server")
    flows = folder / "flows"
    shutil.copytree(HERE / "flows", flows)
    (flows / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    (flows / "large.yaml").write_text(_large(500), encoding="utf-8")
    asyncio.run(_past_calls(folder / "var"))
    shipped = yaml.safe_load((HERE / "ivr.yaml").read_text(encoding="utf-8"))
    patient = {"asr_deadline_s": 5.0}  # the machine may be busy
    config = {
        "flows": str(flows),
        "engines": patient,
        "endpoints": shipped["endpoints"],
        "queues": shipped["queues"],
    }
    with local_server(folder, config) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dashboard]:
    written = await asyncio.to_thread((server.folder / "ivr.yaml").read_text)
    key = json.loads(written)["api"]["keys"]["local"]["key"]
    async with dashboard(tmp_path_factory.mktemp("dashboard"), server.url, key) as served:
        yield served
    assert served.faults == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with chromium(_spoken(tmp_path_factory.mktemp("voice") / "phrase.wav")) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(served: Dashboard, browser: Browser) -> AsyncIterator[Page]:
    """An operator's."""
    page = await served.log_in(browser, "omar", permissions=["microphone"])
    yield page
    await page.context.close()


async def test_flows_are_listed_with_what_is_wrong_with_them(served: Dashboard, page: Page) -> None:
    await served.open(page, "/flows")
    broken = page.locator("tr", has_text="broken.yaml")
    await expect(broken).to_contain_text("does not answer")
    await expect(broken.locator(".problem-line").first).to_contain_text("nowhere")
    await expect(page.locator("tr", has_text="vendor_order.yaml")).to_contain_text("answers")
    await page.screenshot(path=served.shots / "flows.png")
    assert await serious_faults(page) == []
    await page.get_by_label("Search flows by name").fill("rider")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await served.open(page, "/flows/broken")
    await expect(page.locator(".fault")).to_contain_text("there is no graph of it")
    await page.get_by_role("tab", name="Text").click()
    await expect(page.locator(".check-state")).to_have_text("It cannot be used yet:")
    await expect(page.locator(".problem").first).to_contain_text("nowhere")


async def test_the_graph_tells_how_calls_went(served: Dashboard, page: Page) -> None:
    await served.open(page, "/flows/vendor-order")
    graph = page.locator(".flow-graph")
    await expect(graph).to_contain_text("vendor-order · 10 calls")
    await expect(graph).to_contain_text("2 hung up here (20%)")
    await expect(graph).to_contain_text("accept (1) ×8")
    steps = page.locator(".panel", has_text="Those first in which most callers hung up.")
    row = steps.locator("tr", has=page.get_by_role("button", name="offer", exact=True))
    await expect(row).to_contain_text("2 (20 %)")
    await page.locator('.flow-graph [data-step="eta"]').click()
    await expect(page.locator(".prompts")).to_contain_text("कितने मिनट")
    await page.screenshot(path=served.shots / "flow-traffic.png", full_page=True)
    assert await serious_faults(page) == []


async def test_a_large_flow_is_drawn_when_that_is_asked_for(served: Dashboard, page: Page) -> None:
    await served.open(page, "/flows/large")
    await expect(page.locator(".flow-graph")).to_contain_text("500 steps make a very large graph")
    await expect(page.locator("tbody tr", has_text="s499")).to_have_count(1)


async def test_a_text_is_checked_while_it_is_written_and_put_in_place(
    served: Dashboard, page: Page, server: LocalServer
) -> None:
    await served.open(page, "/flows/vendor-order?tab=edit")
    state, editor = page.locator(".check-state"), page.locator(".cm-content")
    await expect(state).to_have_text("This is what the server has.")
    save = page.get_by_role("button", name="Review and put in place")
    await expect(save).to_be_disabled()
    await editor.click()
    await page.keyboard.press("Control+Home")
    await page.keyboard.type("- no flow\n")
    await expect(state).to_have_text("It cannot be used yet:")
    await page.locator(".problem").first.click()
    await page.screenshot(path=served.shots / "flow-edit.png")
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Take back").click()
    await expect(state).to_have_text("This is what the server has.")

    await page.locator(".cm-line", has_text="limits:").click()
    await page.keyboard.press("Home")
    await page.keyboard.press("Shift+End")
    await page.keyboard.type("limits: {call: 5m, visits: 4")  # the bracket is closed by the editor
    await expect(state).to_have_text("No problems. It can be put in place.")
    await save.click()
    await expect(page.locator(".changes")).to_contain_text("call: was 240 s, now 300 s")
    await page.screenshot(path=served.shots / "flow-review.png")
    await page.get_by_role("button", name="Put in place", exact=True).click()
    await expect(state).to_have_text("This is what the server has.")
    text = (server.folder / "flows" / "vendor_order.yaml").read_text(encoding="utf-8")
    assert "limits: {call: 5m, visits: 4}" in text

    await page.get_by_role("tab", name="Versions").click()
    older = page.locator("tbody tr", has=page.get_by_role("button", name="Compare"))
    await older.first.get_by_role("button").click()
    await page.get_by_role("button", name="Go back to this version").click()
    await expect(page.get_by_text("answers new calls again")).to_be_visible()
    text = (server.folder / "flows" / "vendor_order.yaml").read_text(encoding="utf-8")
    assert "limits: {call: 4m, visits: 4}" in text


async def test_a_call_is_played_as_text(served: Dashboard, page: Page) -> None:
    await served.open(page, "/flows/vendor-order?tab=simulate")
    await page.get_by_role("button", name="Begin the call").click()
    lines = page.locator(".call-lines")
    await expect(lines).to_contain_text("नमस्ते शर्मा भोजनालय")
    await page.get_by_role("button", name="Key 1", exact=True).click()
    await expect(lines).to_contain_text("कितने मिनट")
    await page.get_by_label("What the caller says or presses").fill("बीस मिनट")
    await page.keyboard.press("Enter")
    await expect(lines).to_contain_text('"eta": 20')
    await page.screenshot(path=served.shots / "flow-simulate.png")
    assert await serious_faults(page) == []
    await page.get_by_role("tab", name="Scenarios").click()
    await expect(page.locator(".figure", has_text="Failed")).to_contain_text("0")
    await expect(page.locator(".figure", has_text="Tried of the flow")).to_contain_text("100 %")


async def test_every_voice_speaks_and_a_recogniser_hears(served: Dashboard, page: Page) -> None:
    await served.open(page, "/voices")
    await page.get_by_role("button", name="Speak with all").click()
    card = page.locator(".trial", has_text="espeak")
    await expect(card).to_contain_text("Real-time factor")
    await expect(card.locator("audio")).to_be_visible()
    text = page.get_by_label("Text", exact=True)
    await text.fill("x" * 10_000)
    await page.get_by_role("button", name="Speak with all").click()
    await expect(page.locator(".page")).to_contain_text(
        "500 characters at most are spoken at once; this has 10,000."
    )
    await text.fill("Hello.")
    await page.get_by_label("What may be said").fill(f"{PHRASE}\nthat is all")
    await page.get_by_role("button", name="Record").click()
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    await page.wait_for_timeout(5_500)  # so long the phrase takes
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("tr", has_text="pocketsphinx")).to_contain_text(PHRASE)
    await page.screenshot(path=served.shots / "voices.png", full_page=True)
    assert await serious_faults(page) == []
    large = {"name": "long.wav", "mimeType": "audio/wav", "buffer": bytes(5 * 2**20)}
    await page.locator("input[type=file]").set_input_files(large)  # type: ignore[arg-type]
    await expect(page.get_by_text("WAV files of 3 MB at most are taken.")).to_be_visible()


async def test_what_is_said_turns_the_page(served: Dashboard, page: Page) -> None:
    await served.open(page, "/trunks")
    assert await serious_faults(page) == []
    button = page.get_by_role("button", name="Command by voice")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("h1.page-title")).to_have_text("Call records")
    await expect(page).to_have_url(re.compile("/calls.flow=vendor-order"))
    await expect(page.locator(".side-here")).to_contain_text("Call records")
    await expect(button).to_have_attribute("aria-pressed", "true")  # the call goes on
    await page.screenshot(path=served.shots / "command.png")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "false")


async def test_a_viewer_looks_and_changes_nothing(served: Dashboard, browser: Browser) -> None:
    page = await served.log_in(browser, "vera")
    await served.open(page, "/flows/vendor-order?tab=edit")
    await expect(page.locator(".check-state")).to_be_visible()
    await expect(page.get_by_role("button", name="Review and put in place")).to_have_count(0)
    await expect(page.get_by_role("button", name="Command by voice")).to_have_count(0)
    await served.open(page, "/metrics")
    await expect(page.locator(".chart svg").first).to_be_visible()
    await page.screenshot(path=served.shots / "metrics.png", full_page=True)
    assert await serious_faults(page) == []
    await page.context.close()
