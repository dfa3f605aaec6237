"""Recordings of calls: stereo WAV, the caller on the left, the server on the right, written by one thread for
all.

A call hands over wire payloads with their positions and is never made to wait. Whatever goes wrong with the
disk ends the recording concerned, and is told to its owner; the call goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from media.codecs import Codec
from media.timeline import Channel, Piece, StereoTimeline
from media.wav import FRAME_BYTES, HEADER_BYTES, MOST_DATA_BYTES, header, repair

_log = logging.getLogger(__name__)

_WAKE_EVERY_S: Final = 0.04
_TURNS: Final = 25
"""Each recording is written once in so many wakes, a second, and when it ends."""

_LONGEST_RUN_MS: Final = 500
_MOST_PENDING: Final = 750
"""Packets of a direction: 15 s of a disk that does not write."""

_CLOSE_WAIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class RecordingEnd:
    """How a recording ended. `fault` is empty when all went well; otherwise it says why it is cut short
    there.

    `lost_packets` counts those that came too late or found the disk too slow: silence stands in their place.
    """

    path: Path
    duration_ms: int
    lost_packets: int
    fault: str


OnEnd = Callable[[RecordingEnd], None]


class _Direction:
    """Packets of one direction on their way to the writer.

    Payloads and positions are kept apart: no object is made for a packet that the garbage collector would
    have to follow.
    """

    __slots__ = ("_payloads", "_samples", "dropped")

    def __init__(self) -> None:
        self._payloads: deque[bytes] = deque()
        self._samples: deque[int] = deque()
        self.dropped = 0

    def put(self, payload: bytes, sample: int) -> None:
        """On the loop."""
        if len(self._samples) < _MOST_PENDING:
            self._payloads.append(payload)
            self._samples.append(sample)  # last: the writer counts these
        else:
            self.dropped += 1

    def take_runs(self, codec: Codec) -> Iterator[tuple[int, bytes]]:
        """In the writer's thread: all that is pending, as positions and payloads; packets that follow each
        other without a gap are joined, up to half a second."""
        count = len(self._samples)
        payloads = [self._payloads.popleft() for _ in range(count)]
        samples = [self._samples.popleft() for _ in range(count)]
        begin = 0
        while begin < count:
            size, first = len(payloads[begin]), samples[begin]
            step = max(1, size * codec.frame_samples // codec.frame_bytes)
            most = max(1, codec.sample_rate * _LONGEST_RUN_MS // 1000 // step)
            end = begin + 1
            while end < min(begin + most, count) and samples[end] == first + (end - begin) * step:
                if len(payloads[end]) != size:
                    break
                end += 1
            yield first, b"".join(payloads[begin:end])
            begin = end


class RecordingTap:
    """The `AudioTap` of one call; made by `RecordingWriter.open`."""

    def __init__(self) -> None:
        self._heard, self._said = _Direction(), _Direction()
        self.received = self._heard.put
        self.sent = self._said.put
        self.closed = False

    @property
    def dropped(self) -> int:
        """Packets that the writer was too slow for."""
        return self._heard.dropped + self._said.dropped

    def close(self) -> None:
        """See `AudioTap`; the file is complete when `on_end` is called."""
        self.closed = True

    def take_runs(self, codec: Codec) -> list[tuple[int, Channel, bytes]]:
        """For the writer: all that is pending, in the order of time, so that neither direction runs ahead of
        the other by more than a run."""
        heard = [(at, Channel.CALLER, payload) for at, payload in self._heard.take_runs(codec)]
        said = [(at, Channel.SERVER, payload) for at, payload in self._said.take_runs(codec)]
        return sorted(heard + said)


class _Stopped(Exception):
    """This recording cannot go on; the text says why."""


class _Recording:
    """One file. Used by the writing thread only."""

    def __init__(self, path: Path, codec: Codec, tap: RecordingTap, on_end: OnEnd) -> None:
        self.path = path
        self.tap = tap
        self.on_end = on_end
        self._codec = codec
        self._decode = {channel: codec.new_decoder() for channel in Channel}
        self._timeline = StereoTimeline(codec.sample_rate)
        self._file: int | None = None
        self._data_bytes = 0

    def write(self) -> RecordingEnd | None:
        """Writes what has come; returns how it ended, when it has."""
        try:
            closed = self.tap.closed  # before the last look at what is pending
            if self._file is None:
                self._create()
            for at, channel, payload in self.tap.take_runs(self._codec):
                self._put(self._timeline.place(channel, self._decode[channel](payload), at))
            if not closed:
                return None
            self._put(self._timeline.finish())
            return self._end("")
        except OSError as error:
            return self._end(error.strerror or str(error))
        except _Stopped as stopped:
            return self._end(str(stopped))
        except Exception as error:
            _log.exception("recording %s failed", self.path)
            return self._end(f"internal error: {error}")

    def _create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # What people said is for nobody else on the machine.
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._write_at(0, header(self._codec.sample_rate, 0))

    def _put(self, piece: Piece | None) -> None:
        if piece is None:
            return
        at = piece.start * FRAME_BYTES
        if at + len(piece.pcm) > MOST_DATA_BYTES:
            raise _Stopped("the file has reached 2 GB")
        self._write_at(HEADER_BYTES + at, piece.pcm)  # a gap before it reads as zeros
        self._data_bytes = at + len(piece.pcm)
        self._write_at(0, header(self._codec.sample_rate, self._data_bytes))

    def _write_at(self, offset: int, data: bytes) -> None:
        assert self._file is not None
        while data:
            written = os.pwrite(self._file, data, offset)
            data = data[written:]
            offset += written

    def _end(self, fault: str) -> RecordingEnd:
        self.tap.close()
        if self._file is not None:
            with contextlib.suppress(OSError):
                # A full disk may have taken half a piece, which the header does not tell.
                os.ftruncate(self._file, HEADER_BYTES + self._data_bytes)
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
        samples = self._data_bytes // FRAME_BYTES
        duration_ms = samples * 1000 // self._codec.sample_rate
        return RecordingEnd(self.path, duration_ms, self._timeline.late_packets + self.tap.dropped, fault)


class RecordingWriter:
    """The thread that writes all recordings, used from the event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._opened: SimpleQueue[_Recording] = SimpleQueue()

    async def start(self) -> None:
        """Starts the thread."""
        self._loop = asyncio.get_running_loop()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Completes every recording, still open ones as they are, and ends the thread; waits 10 s for a stuck
        disk.
        """
        thread, self._thread = self._thread, None
        if thread:
            self._stop.set()
            await asyncio.to_thread(thread.join, _CLOSE_WAIT_S)
            if thread.is_alive():
                _log.error("the disk does not write; the last seconds of the recordings may be missing")

    def open(self, path: Path, codec: Codec, on_end: OnEnd) -> RecordingTap:
        """Begins a recording; folders are made, an existing file is replaced.

        `on_end` is called once, on the loop, when the file is complete: after the tap was closed, or before
        with a fault. Raises `RuntimeError` when not started.
        """
        if self._thread is None:
            raise RuntimeError("the recorder is not started")
        tap = RecordingTap()
        self._opened.put(_Recording(path, codec, tap, on_end))
        return tap

    def _run(self) -> None:
        recordings: list[_Recording] = []
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_WAKE_EVERY_S)
            with contextlib.suppress(Empty):
                while True:
                    recordings.append(self._opened.get_nowait())
            if stopping:
                for recording in recordings:
                    recording.tap.close()
            # Little at a time: while this thread computes, every system call of the media waits for it.
            share = -(-len(recordings) // _TURNS)
            turn, rest = recordings[:share], recordings[share:]
            ended = [recording for recording in rest if recording.tap.closed]
            recordings = [recording for recording in rest if not recording.tap.closed]
            recordings += filter(self._goes_on, turn + ended)

    def _goes_on(self, recording: _Recording) -> bool:
        end = recording.write()
        if end is not None:
            self._tell(recording.on_end, end)
        return end is None

    def _tell(self, on_end: OnEnd, end: RecordingEnd) -> None:
        if end.fault:
            _log.error("recording %s stopped: %s", end.path, end.fault)
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(on_end, end)


def recover(folder: Path) -> list[Path]:
    """Repairs the recordings under `folder` that a sudden end left behind; returns those that needed it.

    To be called before the first recording is opened. What cannot be repaired is logged and left as it is.
    """
    repaired: list[Path] = []
    for path in sorted(folder.rglob("*.wav")):
        try:
            if repair(path):
                repaired.append(path)
        except OSError as error:
            _log.error("cannot repair %s: %s", path, error)
    return repaired
