"""Headless Chromium with a microphone that is a WAV file."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

CHROMIUM: Final = "/usr/bin/chromium"
_QUIET: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.asynccontextmanager
async def chromium(microphone: Path | None = None) -> AsyncIterator[Browser]:
    """A browser whose microphone may be used without a question. It says the WAV file once, from when it is
    opened on; a tone without one."""
    arguments = [
        "--no-sandbox",
        *_QUIET,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ]
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()
