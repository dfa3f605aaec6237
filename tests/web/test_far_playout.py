"""What the far end has of what it was sent: chunk by chunk, and by the clock between their marks."""

from __future__ import annotations

import pytest

from media.clip import Clip
from media.codecs import L16_8
from webrtc.far_playout import FRAME_S, GRACE_S, LEAD, LIVE_LEAD, Chunk, FarPlayout, Place
from webrtc.reading import Queued, Read, Reading

SILENT = bytes(4)
CHUNK = 5


class Sender:
    """Gives frames, and keeps what was sent."""

    def __init__(self) -> None:
        self.far = FarPlayout(len(SILENT), CHUNK)
        self.now = 0.0
        self.sent: list[tuple[float, Chunk]] = []
        self.played: list[str] = []

    def keep(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self.sent.append((self.now, chunk))

    def clip(self, clip: str, frames: int) -> None:
        """All of it at once."""
        for number in range(frames):
            self.keep(self.far.ready(frame(number), Place(clip, (number + 1) * 160), self.now))
        self.played += self.far.ended(clip)

    def live(self, *frames: bytes) -> None:
        """One each 20 ms."""
        for pcm in frames:
            self.keep(self.far.live(pcm, self.now))
            self.now = round(self.now + FRAME_S, 6)

    def flush(self) -> None:
        self.keep(self.far.flush(self.now))

    def marked(self, mark: str) -> None:
        self.played += self.far.marked(mark, self.now)

    @property
    def audio(self) -> bytes:
        return b"".join(chunk.pcm for _, chunk in self.sent)


def frame(number: int) -> bytes:
    return bytes([0, 0, 1, number])


def test_a_clip_is_sent_in_chunks_and_its_rest_with_silence() -> None:
    sender = Sender()
    sender.clip("a", 7)
    assert [chunk.mark for _, chunk in sender.sent] == ["c1"]
    sender.flush()
    sender.flush()
    assert [chunk.mark for _, chunk in sender.sent] == ["c1", "c2"]
    assert sender.audio == b"".join(map(frame, range(7))) + SILENT * 3


def test_the_far_end_has_a_chunk_and_the_lead_in_hand() -> None:
    far = FarPlayout(4, CHUNK)
    count = 0
    while far.short(0.0):
        far.ready(frame(0), Place("a", 160), 0.0)
        count += 1
    assert count == far.behind(0.0) == CHUNK + LEAD
    assert far.short(0.021)
    assert far.behind(0.101) == CHUNK + LEAD - 5


def test_a_clip_is_played_when_the_mark_behind_its_last_frame_is_back() -> None:
    sender = Sender()
    sender.clip("a", 6)
    sender.clip("b", 5)
    sender.flush()
    sender.marked("c1")
    assert sender.played == []
    sender.marked("c2")
    assert sender.played == ["a"]
    sender.marked("c3")
    assert sender.played == ["a", "b"]


def test_a_later_mark_stands_for_those_before() -> None:
    sender = Sender()
    sender.clip("a", 10)
    sender.marked("c2")
    assert sender.played == ["a"]
    sender.marked("c1")
    sender.marked("c2")
    sender.marked("who knows")
    assert sender.played == ["a"]


def test_a_clip_of_nothing_is_played_at_once() -> None:
    assert FarPlayout(4, CHUNK).ended("empty") == ["empty"]


def test_where_the_far_end_is_between_two_marks() -> None:
    sender = Sender()
    sender.clip("a", 15)
    assert sender.far.heard(0.0) is None
    assert sender.far.heard(0.041) == Place("a", 2 * 160)
    assert sender.far.heard(0.161) == Place("a", 8 * 160)  # goes on, as if all went well
    sender.now = 0.15  # the far end is later than that
    sender.marked("c1")
    assert sender.far.heard(0.151) == Place("a", 5 * 160)
    assert sender.far.heard(0.191) == Place("a", 7 * 160)
    assert sender.far.heard(9.0) == Place("a", 15 * 160)


def test_clearing_tells_where_the_far_end_was_and_its_marks_count_no_more() -> None:
    sender = Sender()
    sender.clip("a", 10)
    sender.now = 0.101
    sender.marked("c1")
    sender.now = 0.142
    assert sender.far.clear(sender.now)
    assert sender.far.heard(sender.now) == Place("a", 7 * 160)
    assert sender.far.behind(sender.now) == 0
    assert not sender.far.clear(sender.now)
    sender.marked("c2")
    assert sender.played == []
    sender.clip("b", 5)
    sender.marked("c3")
    assert sender.played == ["b"]


def test_what_is_not_sent_yet_is_cleared_without_a_word() -> None:
    sender = Sender()
    sender.clip("a", 5)
    sender.marked("c1")
    sender.clip("b", 2)
    assert not sender.far.clear(sender.now)
    assert len(sender.sent) == 1


def test_a_mark_that_never_comes_is_not_waited_for_for_ever() -> None:
    sender = Sender()
    sender.clip("a", 10)
    assert sender.far.overdue(0.1 + GRACE_S) == []
    assert sender.far.overdue(0.101 + GRACE_S) == []
    assert sender.far.unmarked == 1
    assert sender.far.overdue(0.201 + GRACE_S) == ["a"]
    assert sender.far.unmarked == 2


# What comes in real time


def test_live_silence_is_not_sent() -> None:
    sender = Sender()
    sender.live(*[SILENT] * 50)
    assert sender.sent == []


def test_a_live_talkspurt_is_sent_at_once_behind_silence() -> None:
    sender = Sender()
    sender.live(*map(frame, range(11)))
    assert [at for at, _ in sender.sent] == pytest.approx([0.0, 0.1, 0.2])
    assert sender.audio == SILENT * (CHUNK - 1 + LIVE_LEAD) + b"".join(map(frame, range(11)))
    # What the far end plays since 0 lasts for 120 ms: 20 and the lead more when the others were sent.
    assert sender.far.behind(0.201) == CHUNK + LIVE_LEAD + 10 - 10


def test_a_chunk_of_silence_ends_a_live_talkspurt() -> None:
    sender = Sender()
    sender.live(*map(frame, range(3)), *[SILENT] * 20)
    assert [at for at, _ in sender.sent] == pytest.approx([0.0, 0.1])
    assert sender.audio.endswith(frame(2) + SILENT * 3)
    sender.live(frame(9))
    assert len(sender.sent) == 3


def test_a_live_spurt_that_follows_soon_waits_for_no_second_chunk() -> None:
    """What the far end still has stands for so much of the silence."""
    sender = Sender()
    sender.clip("a", 5)
    sender.now = 0.06  # two frames are left of it
    sender.live(*map(frame, range(1)))
    assert sender.sent[-1][1].pcm == SILENT * (CHUNK - 1 + LIVE_LEAD - 2) + frame(0)


# Reading ahead


def clip(count: int, finished: bool = True, loops: bool = False) -> Clip:
    return Clip(L16_8, [bytes([number, 0]) * 160 for number in range(1, count + 1)], finished, loops)


def read(reading: Reading, most: int = 20) -> list[object]:
    """Numbers of frames, and marks of clips that are over."""
    found: list[object] = []
    while len(found) < most and (item := reading.next()) is not None:
        found.append((item.place.clip, item.place.sample // 160) if isinstance(item, Read) else item)
    return found


def test_clips_are_read_in_order_and_their_ends_told() -> None:
    reading = Reading(L16_8)
    reading.add(Queued(clip(2), "a"))
    reading.add(Queued(clip(0), "b"))
    reading.add(Queued(clip(1), "c"))
    assert read(reading) == [("a", 1), ("a", 2), "a", "b", ("c", 1), "c"]
    assert reading.through
    reading.heard("a")
    assert [queued.mark for queued in reading.queue] == ["b", "c"]
    reading.add(Queued(clip(1), "d"))
    assert read(reading) == [("d", 1), "d"]
    reading.heard("d")
    assert not reading.queue
    assert reading.through


def test_what_grows_is_waited_for() -> None:
    reading, growing = Reading(L16_8), clip(1, finished=False)
    reading.add(Queued(growing, "a"))
    assert read(reading) == [("a", 1)]
    assert not reading.through
    growing.frames.append(bytes(320))
    growing.finished = True
    assert read(reading) == [("a", 2), "a"]


def test_what_loops_never_ends() -> None:
    reading = Reading(L16_8)
    reading.add(Queued(clip(2, loops=True), "music"))
    assert read(reading, 5) == [("music", at) for at in (1, 2, 1, 2, 1)]


def test_it_goes_on_where_it_is_told_to_and_softer() -> None:
    reading = Reading(L16_8)
    reading.add(Queued(clip(4), "a"))
    read(reading)
    reading.duck(True)
    reading.seek(2 * 160)
    soft = reading.next()
    assert isinstance(soft, Read)
    assert soft.place == Place("a", 3 * 160)
    assert soft.pcm == b"\x01\x00" * 160  # 3, and 12 dB less
    reading.clear()
    assert reading.next() is None
