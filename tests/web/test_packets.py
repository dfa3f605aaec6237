"""Audio and keys as packets of a stream, and back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import DigitReceiver, DigitSender
from media.rtp import RtpPacket, timestamp_delta
from media.tones import KEY_MS, key_tone
from webrtc.credit import Credit
from webrtc.packets import AUDIO_TYPE, KEY_TYPE, Cutter, Frames, Packets, key_of

STEP = 320


def packets(*raw: bytes) -> list[RtpPacket]:
    return [RtpPacket.parse(packet) for packet in raw]


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_pieces_of_any_length_are_cut_into_even_frames(pieces: list[bytes]) -> None:
    cutter = Cutter(32)
    frames = [frame for piece in pieces for frame in cutter.cut(piece)]
    assert all(len(frame) == 32 for frame in frames)
    whole = b"".join(pieces)
    assert b"".join(frames) == whole[: len(whole) // 32 * 32]


def test_frames_follow_each_other() -> None:
    out = Packets(STEP)
    sent = packets(*(out.audio(b"x", 0.02 * at) for at in range(5)))
    assert [packet.marker for packet in sent] == [True, False, False, False, False]
    assert {packet.payload_type for packet in sent} == {AUDIO_TYPE}
    assert [timestamp_delta(b.timestamp, a.timestamp) for a, b in pairwise(sent)] == [STEP] * 4
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(sent)} == {1}


def test_what_is_lost_is_a_hole() -> None:
    out = Packets(STEP)
    first = out.audio(b"x", 0.0)
    out.lose(100)
    a, b = packets(first, out.audio(b"x", 0.12))
    assert timestamp_delta(b.timestamp, a.timestamp) == 6 * STEP
    assert (b.sequence - a.sequence) & 0xFFFF == 6
    assert not b.marker


def test_a_pause_of_the_far_end_is_one_in_the_packets() -> None:
    out = Packets(STEP)
    a, b = packets(out.audio(b"x", 0.0), out.audio(b"x", 1.02))
    assert timestamp_delta(b.timestamp, a.timestamp) == 51 * STEP
    assert (b.sequence - a.sequence) & 0xFFFF == 1
    assert b.marker


def test_every_press_counts_however_fast_they_come() -> None:
    out, receiver = Packets(160), DigitReceiver()
    out.audio(b"x", 0.0)
    keys = "1122#5555"
    pressed = packets(*(packet for key in keys for packet in out.key(key)))
    assert {packet.payload_type for packet in pressed} == {KEY_TYPE}
    found = [receiver.handle(packet.payload, packet.timestamp, 0.0) for packet in pressed]
    assert "".join(key for key in found if key) == keys
    for at in range(200):
        out.audio(b"x", 0.02 * at)
    late = [receiver.handle(p.payload, p.timestamp, 4.0) for p in packets(*out.key("5"))]
    assert late == ["5", None]


def test_a_key_of_ours_is_heard_as_its_tone() -> None:
    sender, frames = DigitSender(320), Frames(8000)
    sender.add("7")
    heard = b""
    for tick in range(DigitSender.PRESS_TICKS + DigitSender.GAP_TICKS):
        event = sender.next(320 * tick)
        if event is None:
            heard += bytes(320)
            continue
        packet = RtpPacket(KEY_TYPE, tick, event.timestamp, 1, event.payload, event.marker).to_bytes()
        assert key_of(packet) == ("7" if tick == 0 else None)
        heard += frames.of(packet)
    assert heard == key_tone("7", 8000)[: len(heard)]
    assert len(heard) > KEY_MS * 16


def test_audio_of_ours_is_its_payload() -> None:
    assert Frames(8000).of(RtpPacket(AUDIO_TYPE, 1, 2, 3, b"pcm").to_bytes()) == b"pcm"
    assert key_of(RtpPacket(AUDIO_TYPE, 1, 2, 3, b"pcm").to_bytes()) is None


def test_credit_fills_as_time_passes() -> None:
    credit = Credit(0.0, ahead_s=1.0)
    assert credit.take(1.0, 0.0)
    assert not credit.take(0.1, 0.05)
    assert credit.take(0.1, 0.11)
    assert credit.take(1.0, 99.0)
    assert not credit.take(0.01, 99.0)


@pytest.mark.parametrize("pieces", [1, 7])
def test_credit_lets_real_time_through(pieces: int) -> None:
    credit = Credit(0.0)
    assert all(credit.take(0.1 * pieces, 0.1 * pieces * at) for at in range(100))
