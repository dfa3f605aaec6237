"""A whole call of the phone page, by voice and keypad, with a real server: what was said and keyed is what is
shown, stored and recorded."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Iterator
from typing import Final

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from playwright.async_api import Page

from ivr.local import LocalServer, local_server
from tests.web.browser import chromium
from tests.web.caller import CONFIG, WORD, word, write_caller

WATCH: Final = """
  window.peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) { super(...settings); peers.push(this); }
  };
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local_server(tmp_path_factory.mktemp("phone"), CONFIG) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """Of a caller who says his word again and again."""
    said = tmp_path_factory.mktemp("microphone") / "said.wav"
    await asyncio.to_thread(write_caller, said)
    async with chromium(said) as browser:
        page = await browser.new_page(locale="en")
        await page.add_init_script(WATCH)
        page.set_default_timeout(30_000)
        yield page


async def test_a_vendor_accepts_by_voice_and_keys_in_when(page: Page, server: LocalServer) -> None:
    await page.goto(server.url)
    await page.select_option("#flow", "vendor-order")
    await page.select_option("#language", "hi")
    await page.click("#call")
    await page.wait_for_selector("#captions .server:has-text('शर्मा भोजनालय')")
    await page.wait_for_selector(f"#captions .caller:has-text('{WORD}')")
    await page.wait_for_selector("#about-step:has-text('step eta')")
    await page.wait_for_selector("#captions .server:has-text('कितने मिनट')")
    await page.wait_for_selector("#turn svg")
    # The page is loaded again in the middle of the call, which goes on.
    await page.reload()
    await page.wait_for_selector("body[data-state=talking]")
    await page.click("#mute")
    assert await page.locator(f"#captions .caller:has-text('{WORD}')").count() >= 1
    # Keys as telephone-events (RFC 4733), and by the data channel.
    await page.evaluate("peers.at(-1).getSenders()[0].dtmf.insertDTMF('20')")
    await page.wait_for_selector("#captions kbd:has-text('0')")
    await page.keyboard.type("#")
    await page.wait_for_selector("#outcome:not([hidden])")
    assert await page.locator("#result dd").all_inner_texts() == ["Accepted", "20 min", "none"]
    assert await page.locator("#captions kbd").all_inner_texts() == ["2", "0", "#"]
    assert await page.inner_text("#about-step") == "The flow came to its end"

    (call,) = server.api.calls()
    record = server.api.ended(call["id"])
    assert record["result"] == {"decision": "accepted", "eta": 20, "reason": None}
    assert (record["trunk"], record["caller"], record["cause"]) == ("web", "phone page", "normal")
    with wave.open(io.BytesIO(server.api.recording(call["id"]))) as file:
        rate = file.getframerate()
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    said = np.frombuffer(word(rate), "<i2").astype(float)
    own, servers = likeness(said, both[:, 0]), likeness(said, both[:, 1])
    assert own > 0.6, (own, servers)
    assert servers < own - 0.15, (own, servers)


def likeness(said: NDArray[np.float64], heard: NDArray[np.float64]) -> float:
    """The best normalised correlation of what was said with any stretch of what was heard."""
    size = 1 << (len(heard) + len(said)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    dots = np.fft.irfft(spectrum, size)[: len(heard) - len(said) + 1]
    sums = np.cumsum(np.concatenate(([0.0], heard**2)))
    energies = sums[len(said) :] - sums[: -len(said)]
    loud = energies > 0.01 * np.dot(said, said)
    return float(np.max(np.abs(dots[loud]) / np.sqrt(energies[loud] * np.dot(said, said)), initial=0.0))
