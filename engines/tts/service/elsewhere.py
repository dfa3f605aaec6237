"""Voice profiles that another service of the same folder deleted: no engine here keeps anything of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from engines.tts.profiles import VoiceProfiles
from engines.tts.service.desk import Desk

LOOK_EVERY_S: Final = 5.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def following(
    profiles: VoiceProfiles, desk: Desk, every_s: float = LOOK_EVERY_S
) -> AsyncIterator[None]:
    task = asyncio.create_task(_follow(profiles, desk, every_s), name="voice profiles")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _follow(profiles: VoiceProfiles, desk: Desk, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            for profile_id in await asyncio.to_thread(profiles.deleted_elsewhere):
                await desk.forget(profile_id)
        except OSError as error:
            _log.warning("the voice profiles cannot be looked at: %s", error)
