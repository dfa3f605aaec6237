"""A whole call of the phone page, by voice and keypad, with a real server: what was said and keyed is what is
shown, stored and recorded."""

from __future__ import annotations

import asyncio
import io
import socket
import wave
from collections.abc import AsyncIterator, Iterator
from typing import Final

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from playwright.async_api import Page
from starlette.applications import Starlette

from ivr.local import LocalServer, local_server
from tests.web.browser import chromium
from tests.web.caller import CONFIG, WORD, word, write_caller
from tests.web.fake_signalling import serving

WATCH: Final = """
  window.peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) { super(...settings); peers.push(this); }
  };
"""

EMBEDDED: Final = """async ([client, token]) => {
  const {IvrCall} = await import(client);
  const call = new IvrCall({microphone: false});
  const event = (type) => new Promise((told) => call.addEventListener(type, ({detail}) => told(detail)));
  const [ready, caption, ended] = ["ready", "caption", "ended"].map(event);
  await call.start({token});
  const told = {ready: await ready, caption: await caption};
  await call.hangUp();
  const again = await new IvrCall({microphone: false}).start({token}).catch((error) => error.code);
  return {...told, ended: await ended, again};
}"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def shop() -> Iterator[socket.socket]:
    """Where another site is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shop: socket.socket) -> Iterator[LocalServer]:
    web = {"origins": [f"http://127.0.0.1:{shop.getsockname()[1]}"]}
    with local_server(tmp_path_factory.mktemp("phone"), CONFIG | {"web": web}) as server:
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

    call = server.api.calls()[0]
    record = server.api.ended(call["id"])
    assert record["result"] == {"decision": "accepted", "eta": 20, "reason": None}
    assert (record["trunk"], record["caller"], record["cause"]) == ("web", "phone page", "normal")
    with wave.open(io.BytesIO(server.api.recording(call["id"]))) as file:
        rate = file.getframerate()
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    said = np.frombuffer(word(rate), "<i2").astype(float)
    own, servers = likeness(said, both[:, 0]), likeness(said, both[:, 1])
    assert own > 0.5, (own, servers)  # the browser takes noise out, and levels
    assert servers < own - 0.2, (own, servers)


async def test_a_page_of_another_site_calls_with_a_token(
    page: Page, server: LocalServer, shop: socket.socket
) -> None:
    params = {"vendor": "Sharma", "order": "48213", "amount": 1250.5, "language": "en"}
    session = server.api.session(flow="vendor-order", params=params, caller="shop")
    async with serving(Starlette(), shop.dup()) as site:
        await page.goto(site)
        told = await page.evaluate(EMBEDDED, [f"{server.url}/static/client.js", session["token"]])
    assert told["ready"]["flow"] == "vendor-order"
    assert told["caption"]["text"].startswith("Hello Sharma.")
    assert told["ended"]["result"] == {"decision": "unreached", "eta": None, "reason": None}
    assert told["again"] == "token-used"
    record = server.api.ended(told["ready"]["call_id"])
    assert (record["caller"], record["hung_up_by"], record["cause"]) == ("shop", "caller", "normal")


def likeness(said: NDArray[np.float64], heard: NDArray[np.float64]) -> float:
    """The best normalised correlation of what was said with any stretch of what was heard."""
    size = 1 << (len(heard) + len(said)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    dots = np.fft.irfft(spectrum, size)[: len(heard) - len(said) + 1]
    sums = np.cumsum(np.concatenate(([0.0], heard**2)))
    energies = sums[len(said) :] - sums[: -len(said)]
    loud = energies > 0.01 * np.dot(said, said)
    return float(np.max(np.abs(dots[loud]) / np.sqrt(energies[loud] * np.dot(said, said)), initial=0.0))
