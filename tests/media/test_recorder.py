"""Recordings: what each side said stands where it was said, and no fault of the disk reaches the call."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.codecs import PCMA, PCMU, Codec
from media.recorder import RecordingEnd, RecordingTap, RecordingWriter, recover
from media.timeline import Channel, Piece, StereoTimeline
from media.wav import FRAME_BYTES, HEADER_BYTES, MOST_DATA_BYTES, header, repair

ALAW_LOUD = PCMA.new_encoder()(np.full(160, 8064, "<i2").tobytes())
LOUD = int(np.frombuffer(PCMA.new_decoder()(ALAW_LOUD), "<i2")[0])
ALAW_SOFT = PCMA.new_encoder()(np.full(160, 504, "<i2").tobytes())
SOFT = int(np.frombuffer(PCMA.new_decoder()(ALAW_SOFT), "<i2")[0])


class Owner:
    """Who opened a recording: waits for its end."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[RecordingEnd] = asyncio.get_running_loop().create_future()

    def __call__(self, end: RecordingEnd) -> None:
        self.ended.set_result(end)  # a second call would raise

    async def end(self) -> RecordingEnd:
        async with asyncio.timeout(20):
            return await self.ended


def read(path: Path) -> tuple[int, npt.NDArray[np.int16]]:
    """Rate, and samples of shape [n, 2], as any program would read them."""
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        assert file.getsampwidth() == 2
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return file.getframerate(), pcm.reshape(-1, 2)


async def record(path: Path, codec: Codec, packets: list[tuple[str, bytes, int]]) -> RecordingEnd:
    writer = RecordingWriter()
    await writer.start()
    try:
        owner = Owner()
        tap = writer.open(path, codec, owner)
        for side, payload, sample in packets:
            (tap.received if side == "caller" else tap.sent)(payload, sample)
        tap.close()
        return await owner.end()
    finally:
        await writer.close()


async def test_both_sides_stand_where_they_were_said(tmp_path: Path) -> None:
    """The caller speaks at 20 ms, the server from 40 ms, then nobody until the caller at 10 s."""
    path = tmp_path / "calls" / "a.wav"
    end = await record(
        path,
        PCMA,
        [
            ("caller", ALAW_LOUD, 160),
            ("server", ALAW_SOFT, 320),
            ("server", ALAW_SOFT, 480),
            ("caller", ALAW_LOUD, 80_000),
        ],
    )
    assert end == RecordingEnd(path, 10_020, 0, "")
    rate, pcm = read(path)
    assert rate == 8000
    expected = np.zeros((80_160, 2), np.int16)
    expected[160:320, 0] = LOUD
    expected[320:640, 1] = SOFT
    expected[80_000:, 0] = LOUD
    assert (pcm == expected).all()
    assert path.stat().st_mode & 0o077 == 0  # private


async def test_long_calls_lose_nothing(tmp_path: Path) -> None:
    """A minute of µ-law in both directions, each packet with its own value; the caller's come 200 ms late."""
    values = [400 + 13 * (n % 300) for n in range(3000)]
    payloads = [PCMU.new_encoder()(np.full(160, value, "<i2").tobytes()) for value in values]
    heard = np.repeat([np.frombuffer(PCMU.new_decoder()(p), "<i2")[0] for p in payloads], 160)
    path = tmp_path / "long.wav"
    writer = RecordingWriter()
    await writer.start()
    owner = Owner()
    tap = writer.open(path, PCMU, owner)
    for n in range(3000):
        tap.sent(payloads[n], n * 160)
        if n >= 10:
            tap.received(payloads[n - 10], (n - 10) * 160)
        if n % 300 == 0:
            await asyncio.sleep(0.3)  # the writer has its turn
    tap.close()
    end = await owner.end()
    await writer.close()
    assert (end.fault, end.lost_packets, end.duration_ms) == ("", 0, 60_000)
    _, pcm = read(path)
    assert (pcm[:, 1] == heard).all()
    assert (pcm[: 2990 * 160, 0] == heard[: 2990 * 160]).all()


async def test_a_call_without_a_word_is_an_empty_recording(tmp_path: Path) -> None:
    end = await record(tmp_path / "empty.wav", PCMA, [])
    assert (end.duration_ms, end.fault) == (0, "")
    assert len(read(tmp_path / "empty.wav")[1]) == 0


async def test_a_full_disk_ends_the_recording_only(tmp_path: Path) -> None:
    """/dev/full takes no byte: its recording ends with that reason, the other goes on, the taps stay
    silent.
    """
    writer = RecordingWriter()
    await writer.start()
    full, fine = Owner(), Owner()
    doomed = writer.open(Path("/dev/full"), PCMA, full)
    healthy = writer.open(tmp_path / "fine.wav", PCMA, fine)
    end = await full.end()
    assert end.fault == os.strerror(28)
    doomed.received(ALAW_LOUD, 0)
    healthy.received(ALAW_LOUD, 0)
    healthy.close()
    assert (await fine.end()).fault == ""
    await writer.close()


async def test_a_disk_that_fills_up_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "part.wav"
    real = os.pwrite

    def fail_past_one_second(file: int, data: bytes, offset: int) -> int:
        if offset + len(data) > HEADER_BYTES + 8000 * FRAME_BYTES:
            raise OSError(5, os.strerror(5))
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", fail_past_one_second)
    end = await record(path, PCMA, [("caller", ALAW_LOUD, n * 160) for n in range(500)])
    assert end.fault == os.strerror(5)
    _, pcm = read(path)
    assert len(pcm) * 1000 // 8000 == end.duration_ms <= 1000


async def test_an_impossible_path_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    end = await record(tmp_path / "file" / "a.wav", PCMA, [("caller", ALAW_LOUD, 0)])
    assert end.fault
    assert end.duration_ms == 0


async def test_a_file_ends_at_two_gigabytes(tmp_path: Path) -> None:
    """The gap before the last packets is a hole in the file: no 2 GB are written."""
    last = MOST_DATA_BYTES // FRAME_BYTES
    end = await record(
        tmp_path / "huge.wav",
        PCMA,
        [("caller", ALAW_LOUD, 0), ("caller", ALAW_LOUD, last - 160), ("caller", ALAW_LOUD, last)],
    )
    assert end.fault == "the file has reached 2 GB"
    assert (tmp_path / "huge.wav").stat().st_blocks * 512 < 1_000_000


async def test_closing_the_writer_completes_open_recordings(tmp_path: Path) -> None:
    writer = RecordingWriter()
    await writer.start()
    owner = Owner()
    tap = writer.open(tmp_path / "open.wav", PCMA, owner)
    tap.sent(ALAW_SOFT, 0)
    await writer.close()
    assert (await owner.end()).duration_ms == 20
    assert (read(tmp_path / "open.wav")[1][:, 1] == SOFT).all()
    with pytest.raises(RuntimeError, match="not started"):
        writer.open(tmp_path / "late.wav", PCMA, owner)


def test_a_tap_holds_no_more_than_it_may() -> None:
    """Nobody takes what it holds: after 15 seconds of packets the rest is counted and dropped."""
    tap = RecordingTap()
    for n in range(2000):
        tap.received(ALAW_LOUD, n * 160)
    assert tap.dropped == 1250
    assert sum(len(payload) for _, _, payload in tap.take_runs(PCMA)) == 750 * 160


def test_a_sudden_end_leaves_a_file_that_can_be_repaired(tmp_path: Path) -> None:
    """The process is killed in the middle of a call; the file is valid as it is, and whole after
    `recover`.
    """
    script = f"""
import asyncio
from pathlib import Path
from media.codecs import PCMA
from media.recorder import RecordingWriter
async def main():
    writer = RecordingWriter()
    await writer.start()
    tap = writer.open(Path({str(tmp_path)!r}) / "killed.wav", PCMA, print)
    for n in range(250):
        tap.received(bytes([0xD5 ^ 0x2A]) * 160, n * 160)
    await asyncio.sleep(1)
    print("written", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    path = tmp_path / "killed.wav"
    assert len(read(path)[1]) >= 8000 * 3
    with path.open("ab") as file:
        file.write(b"\x01\x02\x03\x04\x05")  # samples that the header does not tell yet, and half of one
    before = len(read(path)[1])
    (tmp_path / "other.wav").write_bytes(b"RIFF but not ours")
    assert recover(tmp_path) == [path]
    assert len(read(path)[1]) == before + 1
    assert recover(tmp_path) == []


def test_repair_leaves_other_files_alone(tmp_path: Path) -> None:
    coarse = tmp_path / "coarse.wav"
    with wave.open(str(coarse), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\0" * 10)
    content = coarse.read_bytes() + b"trailer"
    coarse.write_bytes(content)
    assert not repair(coarse)
    assert coarse.read_bytes() == content


def test_the_header_is_what_others_expect(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(16000, 8) + b"\x01\x00\x02\x00\x03\x00\x04\x00")
    rate, pcm = read(path)
    assert rate == 16000
    assert pcm.tolist() == [[1, 2], [3, 4]]


RATE = 100  # a small one: the window is 200 samples, 100 are held back


@given(
    st.lists(st.tuples(st.sampled_from(Channel), st.integers(1, 60), st.integers(-40, 300)), max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_the_timeline_agrees_with_a_plain_array(steps: list[tuple[Channel, int, int]]) -> None:
    """Packets move on by any step, back or forth; each is where it belongs, whole, or cut where its time is
    gone.
    """
    timeline = StereoTimeline(RATE)
    plain = np.zeros((40 * 400, 2), np.int16)
    written: list[Piece] = []
    gone = 0
    at = 0
    for number, (channel, length, step) in enumerate(steps, start=1):
        at = max(0, at + step)
        piece = timeline.place(channel, np.full(length, number, "<i2").tobytes(), at)
        if piece:
            written.append(piece)
            gone = piece.start + len(piece.pcm) // FRAME_BYTES
        # What was final may not change; a jump can end the window further on than the last piece.
        start = max(at, gone)
        if not (at < gone and start >= at + length):
            plain[start : at + length, channel] = number
    if rest := timeline.finish():
        written.append(rest)
    out = np.zeros_like(plain)
    previous = 0
    for piece in written:
        assert piece.start >= previous
        pcm = np.frombuffer(piece.pcm, "<i2").reshape(-1, 2)
        out[piece.start : piece.start + len(pcm)] = pcm
        previous = piece.start + len(pcm)
    late = timeline.late_packets
    if late == 0 and all(step >= -20 for _, _, step in steps):
        assert (out == plain).all()
    else:
        assert not ((out != plain) & (out != 0)).any()  # nothing is ever in a wrong place
