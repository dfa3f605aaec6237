"""The dashboard as it is run, beside a server of the tests' own, and browsers that look at it.

async with dashboard(folder, gateway.url) as served:
    async with chromium() as browser:
        page = await served.log_in(browser, "asha")
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyotp
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from ivr.admin import passwords
from ivr.admin.accounts import Accounts, Lifetimes
from ivr.admin.roles import Role
from tests.admin.fake_gateway import KEY

PASSWORD: Final = "correct horse battery"
START_S: Final = 60.0
WAIT_MS: Final = 30_000
_STILL: Final = """() => Promise.all(document.getAnimations()
  .filter((one) => one.effect && one.effect.getComputedTiming().iterations !== Infinity)
  .map((one) => one.finished.catch(() => null)))"""
ROLES: Final = {"asha": Role.ADMIN, "omar": Role.OPERATOR, "vera": Role.VIEWER}


@dataclass
class Dashboard:
    """One that is served. What browsers were sent by socket is kept in `sent`."""

    url: str
    accounts: Accounts
    shots: Path
    sent: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def log_in(self, browser: Browser, name: str, secret: str | None = None, **context: Any) -> Page:
        """A page of a browser of its own, at the overview. With a `secret` a code is typed too."""
        page = await self.at_the_door(browser, **context)
        await page.fill("#name", name)
        await page.fill("#password", PASSWORD)
        if secret is not None:
            await page.fill("#code", pyotp.TOTP(secret).now())
        await page.click("button[type=submit]")
        await page.wait_for_selector("h1.page-title")
        return page

    async def at_the_door(self, browser: Browser, **context: Any) -> Page:
        window = await browser.new_context(viewport={"width": 1440, "height": 900}, **context)
        window.set_default_timeout(WAIT_MS)
        page = await window.new_page()
        page.on(
            "websocket", lambda socket: socket.on("framereceived", lambda frame: self.sent.append(str(frame)))
        )
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda told: self._console(page, told.type, told.text))
        await page.goto(self.url)
        return page

    async def open(self, page: Page, path: str, shot: str = "") -> None:
        """Goes there, and waits until the page has its socket."""
        await page.goto(self.url + path)
        await page.wait_for_selector("h1.page-title")
        await page.wait_for_function("window.did_handshake === true")
        if shot:
            await page.screenshot(path=self.shots / f"{shot}.png", full_page=True)

    def _console(self, page: Page, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.faults.append(f"{page.url}: {text}")


@asynccontextmanager
async def dashboard(
    folder: Path, gateway: str, key: str = KEY, settings: Mapping[str, Any] | None = None
) -> AsyncIterator[Dashboard]:
    """`ivr admin` in a process of its own, with an admin, an operator and a viewer."""
    shots = Path(os.environ.get("SCREENSHOTS", folder))
    users, announced, config = folder / "admin.db", folder / "announced.json", folder / "ivr.yaml"
    admin = {
        "port": 0,
        "gateway": gateway,
        "key": "${DASHBOARD_KEY}",
        "users": str(users),
        **(settings or {}),
    }
    await asyncio.to_thread(config.write_text, json.dumps({"admin": admin}))
    accounts = await Accounts.open(users, Lifetimes(12 * 3600, 3600))
    hash = await asyncio.to_thread(passwords.hashed, PASSWORD)
    for name, role in ROLES.items():
        await accounts.add(name, role, hash, time.time())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr.cli", "admin", "-c", str(config), "--announce", str(announced)),
        env={**os.environ, "DASHBOARD_KEY": key},
    )
    try:
        async with asyncio.timeout(START_S):
            while not announced.exists():
                assert process.returncode is None, "the dashboard did not start"
                await asyncio.sleep(0.05)
        yield Dashboard(json.loads(announced.read_text())["admin"], accounts, shots)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(20):
            await process.wait()
        await accounts.close()


async def serious_faults(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page. What is half faded in has half its contrast: a
    fault is one that is still there when nothing moves."""
    for _ in range(3):
        found = await Axe().run(page)
        faults = [
            f"{page.url}: {fault['id']} ({fault['impact']}): {node['html'][:160]}"
            for fault in found.response["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]
        if not faults:
            break
        await page.evaluate(_STILL)
    return faults
