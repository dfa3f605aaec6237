"""A voice that speaks when the test says so: what happens in which order is then no matter of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from engines.contract import SpeechRequest
from tests.fakes.engines import ToneSynthesizer


class GatedSynthesizer(ToneSynthesizer):
    """Each text waits for its gate; `streams` texts are made at once, the others wait for their turn."""

    def __init__(self, streams: int = 100) -> None:
        super().__init__()
        self._turns = asyncio.Semaphore(streams)
        self._gates: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        """Texts in the order in which they got their turn."""
        self._changed = asyncio.Event()

    def let(self, *texts: str) -> None:
        """Speaks these, asked for already or not."""
        for text in texts:
            self._gate(text).set()

    async def is_asked(self, *texts: str) -> None:
        """Waits until each of them has its turn."""
        async with asyncio.timeout(20):
            while not set(texts) <= set(self.begun):
                self._changed.clear()
                await self._changed.wait()

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        try:
            async with self._turns:
                self.begun.append(request.text)
                self._changed.set()
                await self._gate(request.text).wait()
                self.requests.append(request)
                yield self.pcm(request.text)
        except (asyncio.CancelledError, GeneratorExit):
            if not self._gate(request.text).is_set():
                self.cancelled.append(request.text)
                self._changed.set()
            raise

    async def is_cancelled(self, *texts: str) -> None:
        async with asyncio.timeout(20):
            while not set(texts) <= set(self.cancelled):
                self._changed.clear()
                await self._changed.wait()

    def _gate(self, text: str) -> asyncio.Event:
        return self._gates.setdefault(text, asyncio.Event())
