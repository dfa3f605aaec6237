"""The recording of one live call: when it begins, that it is gone when it was refused, and when its file is
complete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

from ivr.flow.protocol import StoreConsent
from media.leg import CallLeg
from media.recorder import RecordingEnd, RecordingTap, RecordingWriter

log = logging.getLogger(__name__)

DELETED_S: Final = 1.0
"""How long a call waits until its recording is deleted; a slow disk must not silence the caller."""


class RecordingRecord(Protocol):
    """The record of the call, as far as it concerns its recording."""

    def recording(self, path: str) -> None:
        """Noted when it begins, so that a crash does not hide it."""

    def recording_deleted(self) -> None: ...

    def note(self, kind: str, data: Mapping[str, Any]) -> None: ...


class ConsentRecord(Protocol):
    async def consent(self, data: Mapping[str, Any]) -> None:
        """Keeps what was answered; durable when this returns."""


class CallRecording:
    """One recording, or none: with `held` it waits for a consent."""

    def __init__(
        self, leg: CallLeg, writer: RecordingWriter, path: Path, record: RecordingRecord, *, held: bool
    ) -> None:
        self._leg = leg
        self._writer = writer
        self._path = path
        self._record = record
        self._held = held
        self._tap: RecordingTap | None = None
        self._complete: asyncio.Future[None] | None = None

    def answered(self) -> None:
        """Media flows: it begins, unless it is held."""
        if not self._held:
            self._begin()

    def allow(self) -> None:
        """Consent was given: it begins, or goes on."""
        if self._tap is None:
            self._begin()

    async def refuse(self) -> None:
        """It is over, and nothing of it is kept; returns when the file is gone, or after `DELETED_S`."""
        tap, self._tap = self._tap, None
        if tap is None or self._complete is None:
            return
        self._leg.record(None)
        tap.discard()
        await asyncio.wait([self._complete], timeout=DELETED_S)

    async def complete(self, wait_s: float) -> None:
        """Returns when the file is complete, or gone, or after `wait_s`."""
        if self._complete is not None:
            await asyncio.wait([self._complete], timeout=wait_s)

    def _begin(self) -> None:
        complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_end(end: RecordingEnd) -> None:
            if end.fault:
                log.error("recording %s stopped: %s", end.path.name, end.fault)
                self._record.note("recording_stopped", {"reason": end.fault})
            if tap.discarded and not end.fault:
                self._record.recording_deleted()
            complete.set_result(None)

        tap = self._tap = self._writer.open(self._path, self._leg.codec, on_end)
        self._complete = complete
        self._leg.record(tap)
        self._record.recording(str(self._path))


async def settle_consent(
    consent: StoreConsent, record: ConsentRecord, recording: CallRecording | None
) -> None:
    """Carries a consent out and stores it, so that a crash in between leaves no recording that was refused,
    and none that has no consent."""
    of_recording = recording if consent.purpose == "recording" else None
    if of_recording is not None and not consent.granted:
        await of_recording.refuse()
    await record.consent(asdict(consent))
    if of_recording is not None and consent.granted:
        of_recording.allow()
