"""Recordings of calls: stereo WAV, the caller on the left, the server on the right; and messages that are
left in them (`media.message`). One thread writes them all.

A call hands over wire payloads with their positions and is never made to wait. Whatever goes wrong with the
disk ends the recording concerned, and is told to its owner; the call goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from media.codecs import Codec
from media.message import MessageFile, MessageTap
from media.timeline import Channel, Piece, StereoTimeline
from media.wav import STEREO, repair
from media.wav_file import FileFull, WavFile

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
        if codec.whole:
            yield from zip(samples, payloads, strict=True)
            return
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
        self.discarded = False

    @property
    def dropped(self) -> int:
        """Packets that the writer was too slow for."""
        return self._heard.dropped + self._said.dropped

    def close(self) -> None:
        """See `AudioTap`; the file is complete when `on_end` is called."""
        self.closed = True

    def discard(self) -> None:
        """The recording is over, and nothing of it is kept: the file is gone when `on_end` is called."""
        self.discarded = True
        self.closed = True

    def take_runs(self, codec: Codec) -> list[tuple[int, Channel, bytes]]:
        """For the writer: all that is pending, in the order of time, so that neither direction runs ahead of
        the other by more than a run."""
        heard = [(at, Channel.CALLER, payload) for at, payload in self._heard.take_runs(codec)]
        said = [(at, Channel.SERVER, payload) for at, payload in self._said.take_runs(codec)]
        return sorted(heard + said)


class _Stereo:
    """The file of one recording. Used by the writing thread only."""

    def __init__(self, path: Path, codec: Codec, tap: RecordingTap) -> None:
        self.file = WavFile(path, codec.sample_rate, STEREO)
        self._tap = tap
        self._codec = codec
        self._decode = {channel: codec.new_decoder() for channel in Channel}
        self._timeline = StereoTimeline(codec.sample_rate)

    @property
    def lost(self) -> int:
        return self._timeline.late_packets + self._tap.dropped

    def write_pending(self) -> None:
        for at, channel, payload in self._tap.take_runs(self._codec):
            self._put(self._timeline.place(channel, self._decode[channel](payload), at))

    def finish(self) -> None:
        self.write_pending()
        self._put(self._timeline.finish())

    def _put(self, piece: Piece | None) -> None:
        if piece is not None:
            self.file.put(piece.start, piece.pcm)


class _Tap(Protocol):
    closed: bool
    discarded: bool


class _Content(Protocol):
    """What is written into a file; each method raises OSError and `FileFull`."""

    @property
    def file(self) -> WavFile: ...

    @property
    def lost(self) -> int: ...

    def write_pending(self) -> None: ...

    def finish(self) -> None: ...


class _Writing:
    """One file under way. Used by the writing thread only."""

    def __init__(self, tap: _Tap, content: _Content, on_end: OnEnd) -> None:
        self.tap = tap
        self.on_end = on_end
        self._content = content

    def write(self) -> RecordingEnd | None:
        """Writes what has come; returns how it ended, when it has."""
        content, path = self._content, self._content.file.path
        try:
            closed = self.tap.closed  # before the last look at what is pending
            if self.tap.discarded:
                return self._end("")
            if not content.file.is_open:
                content.file.create()
            if not closed:
                content.write_pending()
                return None
            content.finish()
            return self._end("")
        except OSError as error:
            return self._end(error.strerror or str(error))
        except FileFull as full:
            return self._end(str(full))
        except Exception as error:
            _log.exception("recording %s failed", path)
            return self._end(f"internal error: {error}")

    def _end(self, fault: str) -> RecordingEnd:
        self.tap.closed = True
        file = self._content.file
        if self.tap.discarded:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                fault = f"cannot be deleted: {error.strerror}"
        file.close()
        return RecordingEnd(file.path, file.duration_ms, self._content.lost, fault)


class RecordingWriter:
    """The thread that writes all recordings, used from the event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._opened: SimpleQueue[_Writing] = SimpleQueue()

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
        tap = RecordingTap()
        self._open(tap, _Stereo(path, codec, tap), on_end)
        return tap

    def open_message(self, path: Path, rate: int, on_end: OnEnd) -> MessageTap:
        """As `open`, for a message of frames at `rate` Hz."""
        tap = MessageTap()
        self._open(tap, MessageFile(path, rate, tap), on_end)
        return tap

    def _open(self, tap: _Tap, content: _Content, on_end: OnEnd) -> None:
        if self._thread is None:
            raise RuntimeError("the recorder is not started")
        self._opened.put(_Writing(tap, content, on_end))

    def _run(self) -> None:
        recordings: list[_Writing] = []
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_WAKE_EVERY_S)
            with contextlib.suppress(Empty):
                while True:
                    recordings.append(self._opened.get_nowait())
            if stopping:
                for recording in recordings:
                    recording.tap.closed = True
            # Little at a time: while this thread computes, every system call of the media waits for it.
            share = -(-len(recordings) // _TURNS)
            turn, rest = recordings[:share], recordings[share:]
            ended = [recording for recording in rest if recording.tap.closed]
            recordings = [recording for recording in rest if not recording.tap.closed]
            recordings += filter(self._goes_on, turn + ended)

    def _goes_on(self, recording: _Writing) -> bool:
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
