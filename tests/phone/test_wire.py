"""Key to prompt as seen at the socket: packets by hand, with their times."""

import struct

from ivr.phone.sound import SoundMeter
from ivr.phone.wire import WireLog
from media.codecs import PCMA

EVENT = 101


def audio(payload: bytes, payload_type: int = 8) -> memoryview:
    return memoryview(struct.pack("!BBHII", 0x80, payload_type, 1, 160, 7) + payload)


def key(marker: bool) -> bytes:
    return struct.pack("!BBHII", 0x80, EVENT | (0x80 if marker else 0), 1, 160, 7) + b"\x01\x0a\x00\xa0"


def test_only_the_first_packet_of_a_key_counts() -> None:
    log = WireLog()
    log.sent(key(marker=True), 1.0)
    log.sent(key(marker=False), 1.02)
    log.sent(bytes(audio(b"\x11" * 160)), 1.04)
    assert log.keys == [1.0]


def test_the_answer_is_the_first_sound_that_is_not_the_prompt_cut_off() -> None:
    log = WireLog()
    old, new = b"\x11" * 160, b"\x22" * 160
    for at, payload in [(0.98, old), (1.00, old), (1.02, PCMA.silence), (1.04, new), (1.06, new)]:
        log.received(audio(payload), at)
    answer = log.answer_s(0.99, before={old})
    assert answer is not None
    assert round(answer, 3) == 0.05
    assert log.answer_s(0.99, before={old, new}) is None
    assert log.first_prompt() == {old, new}


def test_the_first_prompt_ends_where_we_speak() -> None:
    log = WireLog()
    log.received(audio(b"\x11" * 160), 1.0)
    log.sent(bytes(audio(PCMA.silence)), 1.01)
    log.received(audio(b"\x22" * 160), 1.02)
    log.sent(bytes(audio(b"\x33" * 160)), 1.03)
    log.received(audio(b"\x44" * 160), 1.04)
    assert log.spoke_at == 1.03
    assert log.first_prompt() == {b"\x11" * 160, b"\x22" * 160}


def test_packets_that_are_no_audio_are_left_out() -> None:
    log = WireLog()
    log.received(audio(b"\x01\x0a\x00\xa0", EVENT), 1.0)
    assert log.audio == []


def test_a_meter_tells_sound_from_line_noise() -> None:
    meter = SoundMeter(8000)
    noise, tone = struct.pack("<160h", *([8, -8] * 80)), struct.pack("<160h", *([4000, -4000] * 80))
    for frame in [noise] * 5 + [tone] * 10 + [noise] * 25:
        meter.take(frame)
    assert meter.heard_s == 0.2
    assert meter.quiet_s == 0.5
