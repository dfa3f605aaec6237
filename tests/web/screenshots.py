"""The pictures of the README, taken of a running server: `scripts/screenshots`.

Each picture is a function of PICTURES: it is given a server, a browser and the folder that pictures go to.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page

from ivr.local import LocalServer, local_server
from tests.admin.picture import dashboard_live
from tests.admin.traffic_picture import flow_traffic
from tests.web.browser import chromium
from tests.web.caller import CONFIG, WORD, write_caller

ROOT: Final = Path(__file__).parents[2]
MOST_BYTES: Final = 200_000

Picture = Callable[[LocalServer, Browser, Path], Awaitable[None]]


async def phone(server: LocalServer, browser: Browser, folder: Path) -> None:
    """In a call, on a desk."""
    page = await browser.new_page(
        viewport={"width": 1120, "height": 930}, locale="en", device_scale_factor=1.5
    )
    await answer_by_voice(server, page)
    await page.screenshot(path=folder / "phone.png")
    await page.context.close()


async def phone_mobile(server: LocalServer, browser: Browser, folder: Path) -> None:
    """In a call, in the hand, by night."""
    screen: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark"}
    page = await browser.new_page(**screen, locale="hi", device_scale_factor=2)
    await answer_by_voice(server, page)
    await page.screenshot(path=folder / "phone-mobile.png")
    await page.context.close()


async def answer_by_voice(server: LocalServer, page: Page) -> None:
    """Until the vendor has accepted, and keys in the minutes."""
    page.set_default_timeout(60_000)
    await page.goto(server.url)
    await page.select_option("#flow", "vendor-order")
    await page.select_option("#language", "hi")
    await page.click("#call")
    await page.wait_for_selector(f"#captions .caller:has-text('{WORD}')")
    await page.wait_for_selector("#captions .server:has-text('कितने मिनट')")
    await page.wait_for_selector("#turn svg")
    await page.wait_for_selector("#quality:not(:empty)", state="attached")
    await page.keyboard.type("20")
    await page.wait_for_selector("#captions kbd:has-text('0')")
    await page.mouse.move(0, 0)
    await page.wait_for_selector("#keys:not(:has(.down))")


PICTURES: Final[tuple[Picture, ...]] = (phone, phone_mobile, dashboard_live, flow_traffic)


async def take(server: LocalServer, said: Path, folder: Path) -> None:
    async with chromium(said) as browser:
        for picture in PICTURES:
            await picture(server, browser, folder)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, local_server(Path(scratch) / "server", CONFIG) as server:
        said = Path(scratch) / "said.wav"
        write_caller(said)
        asyncio.run(take(server, said, folder))
    for path in sorted(folder.glob("*.png")):
        size = path.stat().st_size
        print(f"{path}: {size // 1000} kB")
        if size > MOST_BYTES:
            sys.exit(f"{path} is larger than {MOST_BYTES // 1000} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
