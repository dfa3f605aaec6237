"""Opus: what is encoded is heard again, whatever came before, and what is no Opus harms nobody."""

from __future__ import annotations

import numpy as np
import pytest

from media.clip import Clip, ClipWriter
from media.codecs import PCMA
from media.hearing import Hearing
from media.opus import OPUS
from media.relay import Relay
from media.softening import softener, word_start
from tests.speech_like import speech

FRAME = 640
"""Bytes of 20 ms at 16 kHz."""


def frames_of(pcm: bytes) -> list[bytes]:
    return [pcm[i : i + FRAME] for i in range(0, len(pcm) // FRAME * FRAME, FRAME)]


def tone(hz: float, seconds: float, rate: int = 16000, peak: float = 8000.0) -> bytes:
    at = np.arange(int(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()


def power_db(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return float(10 * np.log10(np.mean(samples**2) + 1e-9))


def strongest_hz(pcm: bytes, rate: int = 16000) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def test_a_tone_is_the_same_tone_after_it() -> None:
    encode, decode = OPUS.new_encoder(), OPUS.new_decoder()
    payloads = [encode(frame) for frame in frames_of(tone(440, 1.0))]
    heard = b"".join(map(decode, payloads))
    assert len(heard) == len(tone(440, 1.0))
    assert len({len(payload) for payload in payloads}) > 1  # payloads vary in size
    assert sum(map(len, payloads)) * 8 < 40_000
    steady = heard[len(heard) // 2 :]
    assert strongest_hz(steady) == pytest.approx(440, abs=3)
    assert power_db(steady) == pytest.approx(power_db(tone(440, 0.5)), abs=1.0)


def test_silence_is_nothing_at_all_after_anything() -> None:
    encode, decode = OPUS.new_encoder(), OPUS.new_decoder()
    for frame in frames_of(tone(300, 0.5)):
        decode(encode(frame))
    after = [decode(OPUS.silence) for _ in range(10)]
    assert not any(b"".join(after[1:]))


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"\x03\x05\x00", bytes(2000), b"hello world", b"\x4b" * 1275]
)
def test_what_is_no_opus_is_a_frame_all_the_same(payload: bytes) -> None:
    decode = OPUS.new_decoder()
    assert len(decode(payload)) == FRAME
    encode = OPUS.new_encoder()
    later = [decode(encode(frame)) for frame in frames_of(tone(440, 0.4))]
    assert strongest_hz(b"".join(later[-8:])) == pytest.approx(440, abs=10)


def test_half_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="20 ms at a time"):
        OPUS.new_encoder()(bytes(100))


def test_a_clip_has_a_payload_for_each_frame_whatever_it_is_written_in() -> None:
    clip = Clip(OPUS)
    writer = ClipWriter(clip, 22050)
    pcm = tone(500, 0.995, rate=22050)
    for i in range(0, len(pcm), 1234):
        writer.write(pcm[i : i + 1234])
    writer.close()
    assert len(clip.frames) == 50
    assert strongest_hz(OPUS.decoded(clip.frames)[8000:24000]) == pytest.approx(500, abs=4)


def test_a_clip_sounds_alike_however_often_it_is_played_and_after_whatever() -> None:
    clip = Clip(OPUS)
    writer = ClipWriter(clip, 16000)
    writer.write(tone(350, 0.4))
    writer.close()
    decode = OPUS.new_decoder()
    first = b"".join(map(decode, clip.frames))
    for _ in range(3):
        decode(OPUS.silence)
    again = b"".join(map(decode, clip.frames))
    difference = np.frombuffer(first, "<i2").astype(float) - np.frombuffer(again, "<i2").astype(float)
    assert np.abs(difference[640:]).max() < 200


def test_a_clip_is_made_softer_by_twelve_decibels() -> None:
    encode = OPUS.new_encoder()
    payloads = [encode(frame) for frame in frames_of(tone(440, 0.8))]
    soft = list(map(softener(OPUS), payloads))
    loud, softer = OPUS.decoded(payloads)[16000:], OPUS.decoded(soft)[16000:]
    assert power_db(loud) - power_db(softer) == pytest.approx(12, abs=1.5)


def test_a_word_begins_after_the_pause_before_it() -> None:
    encode = OPUS.new_encoder()
    pcm = tone(300, 0.2) + bytes(FRAME * 6) + tone(300, 0.1)
    payloads = [encode(frame) for frame in frames_of(pcm)]
    assert word_start(payloads, OPUS) in (15, 16, 17)


def test_packets_that_are_lost_are_concealed_and_late_ones_are_not_played_twice() -> None:
    encode = OPUS.new_encoder()
    payloads = [encode(frame) for frame in frames_of(tone(440, 2.0))]
    hearing = Hearing(OPUS, OPUS.sample_rate)
    heard = []
    for number, payload in enumerate(payloads):
        now = number * 0.02
        if number % 10 != 5:
            hearing.push(1, number, number * 960, payload, now)
        heard.append(hearing.frame(hearing.next_payload(now + 0.001)))
    steady = b"".join(heard[30:])
    assert strongest_hz(steady) == pytest.approx(440, abs=3)
    quiet = [frame for frame in heard[30:] if power_db(frame) < power_db(tone(440, 0.1)) - 12]
    assert quiet == []
    assert hearing.late == 0


def test_a_network_of_browsers_is_held_under_sixty_milliseconds() -> None:
    """20 ms a packet that comes up to 20 ms late, as over a radio network at home."""
    encode, chance = OPUS.new_encoder(), np.random.default_rng(7)
    payload = encode(bytes(FRAME))
    arrivals = sorted((number * 0.02 + chance.uniform(0, 0.02), number) for number in range(500))
    hearing = Hearing(OPUS, OPUS.sample_rate)
    held = []
    for tick in range(500):
        now = tick * 0.02
        while arrivals and arrivals[0][0] <= now:
            at, number = arrivals.pop(0)
            hearing.push(1, number, number * 960, payload, at)
        hearing.frame(hearing.next_payload(now))
        held.append(hearing.buffer_ms)
    assert max(held) < 60
    assert hearing.late == 0


def test_it_goes_over_a_bridge_to_g711_and_back() -> None:
    encode = OPUS.new_encoder()
    opus = [encode(frame) for frame in frames_of(tone(440, 1.0))]
    out = _relayed(Relay(OPUS, PCMA), opus, step=960)
    assert {len(payload) for payload in out} == {160}
    heard = PCMA.decoded(out[20:])
    assert strongest_hz(heard, 8000) == pytest.approx(440, abs=4)
    law = PCMA.new_encoder()(tone(440, 1.0, rate=8000))
    back = _relayed(Relay(PCMA, OPUS), [law[i : i + 160] for i in range(0, len(law), 160)], step=160)
    assert strongest_hz(OPUS.decoded(back)[16000:]) == pytest.approx(440, abs=4)


def _relayed(relay: Relay, payloads: list[bytes], step: int) -> list[bytes]:
    given = []
    for number, payload in enumerate(payloads):
        now = number * 0.02
        relay.push(1, number, number * step, payload, now)
        if (out := relay.next(now + 0.001)) is not None:
            given.append(out)
    return given


def test_speech_keeps_its_loudness_frame_by_frame() -> None:
    pcm = speech(2.0, 16000, 1)
    encode, decode = OPUS.new_encoder(), OPUS.new_decoder()
    heard = b"".join(decode(encode(frame)) for frame in frames_of(pcm))
    assert power_db(heard) == pytest.approx(power_db(pcm), abs=1.5)
