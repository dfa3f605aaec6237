"""What the far end has of what it was sent: chunk by chunk, and by the clock between their marks."""

from __future__ import annotations

import pytest

from webrtc.far_playout import FRAME_S, GRACE_S, Chunk, FarPlayout, Place

SILENT = bytes(4)
CHUNK = 5


class Sender:
    """Ticks every 20 ms; keeps what was sent."""

    def __init__(self) -> None:
        self.far = FarPlayout(len(SILENT), CHUNK)
        self.now = 0.0
        self.sent: list[tuple[float, Chunk]] = []
        self.played: list[str] = []

    def tick(self, pcm: bytes = SILENT, place: Place | None = None) -> None:
        chunk = self.far.frame(pcm, place, self.now)
        if chunk is not None:
            self.sent.append((self.now, chunk))
        self.played += self.far.overdue(self.now)
        self.now = round(self.now + FRAME_S, 6)

    def say(self, clip: str, frames: int, first: int = 0) -> None:
        for number in range(first, first + frames):
            self.tick(bytes([0, 0, 1, number]), Place(clip, (number + 1) * 160))

    def clip(self, clip: str, frames: int) -> None:
        self.say(clip, frames)
        self.played += self.far.ended(clip)

    def marked(self, mark: str) -> None:
        self.played += self.far.marked(mark, self.now)

    @property
    def audio(self) -> bytes:
        return b"".join(chunk.pcm for _, chunk in self.sent)


def frames_of(numbers: range) -> bytes:
    return b"".join(bytes([0, 0, 1, number]) for number in numbers)


def test_silence_is_not_sent() -> None:
    sender = Sender()
    for _ in range(50):
        sender.tick()
    assert sender.sent == []


def test_a_talkspurt_is_sent_at_once_and_then_a_chunk_ahead() -> None:
    sender = Sender()
    sender.say("a", 11)
    assert [at for at, _ in sender.sent] == pytest.approx([0.0, 0.1, 0.2])
    assert sender.audio == SILENT * (CHUNK - 1) + frames_of(range(11))
    assert [chunk.mark for _, chunk in sender.sent] == ["c1", "c2", "c3"]
    # What the far end plays since 0 lasts till 0.3: it had 80 ms left when each of the others was sent.
    sender.far.marked("c2", 0.2)
    assert sender.far.behind(0.221) == 15 - 11


def test_a_clip_is_played_when_the_mark_behind_its_last_frame_is_back() -> None:
    sender = Sender()
    sender.clip("a", 6)
    sender.clip("b", 5)
    sender.marked("c1")
    assert sender.played == []
    sender.marked("c2")
    assert sender.played == ["a"]
    sender.marked("c3")
    assert sender.played == ["a", "b"]


def test_a_later_mark_stands_for_those_before() -> None:
    sender = Sender()
    sender.clip("a", 6)
    sender.marked("c2")
    assert sender.played == ["a"]
    sender.marked("c1")
    sender.marked("c2")
    sender.marked("who knows")
    assert sender.played == ["a"]


def test_a_clip_of_nothing_is_played_at_once() -> None:
    assert FarPlayout(4, CHUNK).ended("empty") == ["empty"]


def test_the_last_chunk_is_filled_with_silence_and_the_spurt_ends() -> None:
    sender = Sender()
    sender.clip("a", 3)
    for _ in range(20):
        sender.tick()
    assert [at for at, _ in sender.sent] == pytest.approx([0.0, 0.1])
    assert sender.audio == SILENT * 4 + frames_of(range(3)) + SILENT * 3


def test_where_the_far_end_is_between_two_marks() -> None:
    sender = Sender()
    sender.say("a", 11)
    sender.marked("c1")  # at 0.22: c2, with frames 2 to 6, plays since then
    assert sender.far.heard(0.22) == Place("a", 160)
    assert sender.far.heard(0.265) == Place("a", 3 * 160)
    assert sender.far.heard(9.0) == Place("a", 6 * 160)  # no farther than its chunk, before the mark is back


def test_clearing_tells_where_the_far_end_was_and_its_marks_count_no_more() -> None:
    sender = Sender()
    sender.clip("a", 8)
    sender.marked("c1")
    sender.now += 0.041
    assert sender.far.clear(sender.now)
    assert sender.far.heard(sender.now) == Place("a", 3 * 160)
    assert sender.far.behind(sender.now) == 0
    assert not sender.far.clear(sender.now)
    sender.marked("c2")
    assert sender.played == []
    sender.clip("b", 1)
    sender.marked("c3")
    assert sender.played == ["b"]


def test_what_is_not_sent_yet_is_cleared_without_a_word() -> None:
    sender = Sender()
    sender.clip("a", 1)
    sender.marked("c1")
    sender.say("b", 2)
    assert not sender.far.clear(sender.now)
    assert len(sender.sent) == 1


def test_a_mark_that_never_comes_is_not_waited_for_for_ever() -> None:
    sender = Sender()
    sender.clip("a", 6)  # c1 at 0, c2 at 0.1: played at 0.2
    for _ in range(int(GRACE_S / FRAME_S) + 4):
        sender.tick()
    assert sender.played == []
    assert sender.far.unmarked == 1
    for _ in range(5):
        sender.tick()
    assert sender.played == ["a"]
    assert sender.far.unmarked == 2


def test_a_spurt_that_follows_soon_waits_for_no_second_chunk() -> None:
    """The silence at its beginning makes up a whole chunk with what the far end still has."""
    sender = Sender()
    sender.clip("a", 6)  # 0.2 s of c1 and c2, c2 sent at 0.1
    sender.now = 0.12
    for _ in range(10):
        sender.tick()  # till 0.32: the spurt is over
    sender.far.marked("c1", 0.25)  # the far end is slow: it plays c2 from 0.25 to 0.35
    sender.sent.clear()
    sender.say("b", 4)
    ((at, chunk),) = sender.sent
    assert at == pytest.approx(0.36)
    assert chunk.pcm.count(SILENT) == 2


def test_audio_that_is_of_no_clip_is_sent_as_well() -> None:
    sender = Sender()
    for _ in range(6):
        sender.tick(b"\x01\x00\x02\x00")
    assert sender.audio == SILENT * 4 + b"\x01\x00\x02\x00" * 6
