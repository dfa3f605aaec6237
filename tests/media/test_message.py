"""Messages: mono files of what was heard, cut where they are to end, or gone without a trace."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from media.message import MessageTap
from media.recorder import RecordingEnd, RecordingWriter, recover
from media.wav import HEADER_BYTES, header


def frame(level: int, rate: int = 8000) -> bytes:
    return np.full(rate // 50, level, "<i2").tobytes()


def read(path: Path) -> tuple[int, list[int]]:
    """Rate, and the level of each frame, as any program would read them."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        rate = file.getframerate()
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return rate, [int(level) for level in pcm[:: rate // 50]]


class Written:
    """A message that is under way, and how it ended."""

    def __init__(self, writer: RecordingWriter, path: Path, rate: int = 8000) -> None:
        self.ended: asyncio.Future[RecordingEnd] = asyncio.get_running_loop().create_future()
        self.tap = writer.open_message(path, rate, self.ended.set_result)

    async def end(self) -> RecordingEnd:
        async with asyncio.timeout(20):
            return await self.ended


@pytest.mark.parametrize("rate", [8000, 16000])
async def test_what_was_heard_is_there_in_its_order(tmp_path: Path, rate: int) -> None:
    writer = RecordingWriter()
    await writer.start()
    message = Written(writer, tmp_path / "day" / "m.wav", rate)
    for level in range(1, 101):
        message.tap.take(frame(level, rate))
    message.tap.close()
    message.tap.take(frame(999, rate))
    assert (await message.end()).duration_ms == 2000
    await writer.close()
    assert read(tmp_path / "day" / "m.wav") == (rate, list(range(1, 101)))


async def test_the_end_can_be_cut_off(tmp_path: Path) -> None:
    writer = RecordingWriter()
    await writer.start()
    message = Written(writer, tmp_path / "m.wav")
    for level in range(1, 101):
        message.tap.take(frame(level))
    assert message.tap.taken_ms == 2000
    message.tap.close(kept_ms=600)
    assert (await message.end()).duration_ms == 600
    await writer.close()
    assert (tmp_path / "m.wav").stat().st_size == HEADER_BYTES + 600 * 16
    assert read(tmp_path / "m.wav")[1] == list(range(1, 31))


@pytest.mark.parametrize("written_before", [True, False])
async def test_a_discarded_message_leaves_no_file(tmp_path: Path, written_before: bool) -> None:
    writer = RecordingWriter()
    await writer.start()
    path = tmp_path / "m.wav"
    message = Written(writer, path)
    message.tap.take(frame(5))
    async with asyncio.timeout(20):
        while written_before and not path.exists():
            await asyncio.sleep(0.01)
    message.tap.discard()
    assert (await message.end()).fault == ""
    await writer.close()
    assert not path.exists()


async def test_a_disk_that_does_not_write_ends_the_message_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    writer = RecordingWriter()
    await writer.start()
    message = Written(writer, tmp_path / "file" / "m.wav")
    message.tap.take(frame(5))
    assert (await message.end()).fault
    message.tap.take(frame(5))
    await writer.close()


def test_a_tap_holds_no_more_than_fifteen_seconds() -> None:
    tap = MessageTap()
    for _ in range(1000):
        tap.take(frame(1))
    assert tap.dropped == 250
    assert len(tap.take_all()) == 750 * 320


def test_a_message_that_a_crash_cut_off_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "m.wav"
    path.write_bytes(header(8000, 0, channels=1) + frame(7) * 3 + b"\0")
    assert recover(tmp_path) == [path]
    assert read(path) == (8000, [7, 7, 7])
    assert recover(tmp_path) == []
