"""What a consent does to the recording of a call, and in which order: a crash in between keeps nothing that
was refused, and begins nothing that is not stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.flow.protocol import StoreConsent
from ivr.recording import CallRecording, settle_consent
from media.codecs import PCMA
from media.recorder import RecordingWriter
from tests.fakes.leg import FakeLeg

VOICE = PCMA.new_encoder()(b"\x00\x20" * 160)


class Record:
    """The record of the call; `order` tells what came after what."""

    def __init__(self, path: Path) -> None:
        self.order: list[str] = []
        self._path = path

    def recording(self, path: str) -> None:
        self.order.append("begins")

    def recording_deleted(self) -> None:
        self.order.append("deleted")

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.order.append(kind)

    async def consent(self, data: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        self.order.append(f"{'granted' if data['granted'] else 'refused'}, file: {self._path.exists()}")


def consent(granted: bool, purpose: Any = "recording") -> StoreConsent:
    return StoreConsent(purpose, None, granted, "key", "en", "May we?", "ask", "desk", "0123")


class Call:
    """One call whose recording waits for a consent, unless `held` is False."""

    def __init__(self, writer: RecordingWriter, folder: Path, *, held: bool = True) -> None:
        self.leg = FakeLeg()
        self.path = folder / "call.wav"
        self.record = Record(self.path)
        self.recording = CallRecording(self.leg, writer, self.path, self.record, held=held)
        self.recording.answered()

    async def settle(self, granted: bool, purpose: Any = "recording") -> None:
        await settle_consent(consent(granted, purpose), self.record, self.recording)

    async def speaks(self) -> None:
        """Something is recorded, and on the disk."""
        assert self.leg.tap is not None
        self.leg.tap.received(VOICE, 0)
        async with asyncio.timeout(20):
            while not self.path.exists():
                await asyncio.sleep(0.01)


@pytest.fixture
async def writer() -> AsyncIterator[RecordingWriter]:
    writer = RecordingWriter()
    await writer.start()
    yield writer
    await writer.close()


async def test_nothing_is_recorded_before_the_consent_is_stored(
    writer: RecordingWriter, tmp_path: Path
) -> None:
    call = Call(writer, tmp_path)
    assert call.leg.tap is None
    await call.settle(granted=True)
    assert call.record.order == ["granted, file: False", "begins"]
    await call.speaks()
    call.leg.tap.close()  # type: ignore[union-attr]
    await call.recording.complete(20)
    assert call.path.stat().st_size > 44


async def test_a_refused_recording_is_gone_before_the_refusal_is_stored(
    writer: RecordingWriter, tmp_path: Path
) -> None:
    call = Call(writer, tmp_path, held=False)
    await call.speaks()
    await call.settle(granted=False)
    assert call.record.order == ["begins", "deleted", "refused, file: False"]
    assert call.leg.tap is None
    await call.recording.complete(20)


async def test_who_agrees_after_all_is_recorded_anew(writer: RecordingWriter, tmp_path: Path) -> None:
    call = Call(writer, tmp_path, held=False)
    await call.speaks()
    await call.settle(granted=False)
    await call.settle(granted=True)
    await call.speaks()
    call.leg.tap.close()  # type: ignore[union-attr]
    await call.recording.complete(20)
    assert call.path.exists()


async def test_a_second_consent_changes_nothing(writer: RecordingWriter, tmp_path: Path) -> None:
    call = Call(writer, tmp_path)
    await call.settle(granted=True)
    tap = call.leg.tap
    await call.settle(granted=True)
    assert call.leg.tap is tap
    assert call.record.order.count("begins") == 1
    tap.close()  # type: ignore[union-attr]
    await call.recording.complete(20)


async def test_an_opt_in_does_not_concern_the_recording(writer: RecordingWriter, tmp_path: Path) -> None:
    call = Call(writer, tmp_path)
    await call.settle(granted=True, purpose="opt_in")
    assert call.leg.tap is None
    await call.settle(granted=False, purpose="opt_in")
    assert call.record.order == ["granted, file: False", "refused, file: False"]


async def test_without_recording_consents_are_stored_all_the_same(tmp_path: Path) -> None:
    record = Record(tmp_path / "call.wav")
    await settle_consent(consent(granted=True), record, None)
    assert record.order == ["granted, file: False"]
