"""Every sample and every code, against the ITU's procedure written out step by step."""

import numpy as np
import pytest

from media import g711

ALL_SAMPLES = range(-32768, 32768)
ALL_PCM = np.arange(-32768, 32768).astype("<i2").tobytes()
ALL_CODES = bytes(range(256))


def alaw_code(sample: int) -> int:
    """alaw_compress of ITU-T G.191."""
    size = (~sample if sample < 0 else sample) >> 4
    if size > 15:
        segment = 1
        while size > 31:
            size >>= 1
            segment += 1
        size = size - 16 + (segment << 4)
    return (size | (0x80 if sample >= 0 else 0)) ^ 0x55


def ulaw_code(sample: int) -> int:
    """ulaw_compress of ITU-T G.191."""
    size = min(((~sample if sample < 0 else sample) >> 2) + 33, 0x1FFF)
    segment, rest = 1, size >> 6
    while rest:
        segment += 1
        rest >>= 1
    code = (8 - segment) << 4 | (15 - ((size >> segment) & 15))
    return code | (0x80 if sample >= 0 else 0)


def alaw_sample(code: int) -> int:
    """alaw_expand of ITU-T G.191."""
    plain = code ^ 0x55
    segment, mantissa = (plain >> 4) & 7, plain & 15
    if segment > 0:
        mantissa += 16
    size = (mantissa << 4) + 8
    if segment > 1:
        size <<= segment - 1
    return size if code > 127 else -size


def ulaw_sample(code: int) -> int:
    """ulaw_expand of ITU-T G.191."""
    mantissa = ~code & 0xFF
    exponent = (mantissa >> 4) & 7
    step = 4 << (exponent + 1)
    size = (0x80 << exponent) + step * (mantissa & 15) + step // 2 - 4 * 33
    return size if code > 127 else -size


def test_every_sample_gets_the_code_of_the_standard():
    assert g711.encode_alaw(ALL_PCM) == bytes(map(alaw_code, ALL_SAMPLES))
    assert g711.encode_ulaw(ALL_PCM) == bytes(map(ulaw_code, ALL_SAMPLES))


def test_every_code_gets_the_sample_of_the_standard():
    alaw = np.frombuffer(g711.decode_alaw(ALL_CODES), "<i2")
    ulaw = np.frombuffer(g711.decode_ulaw(ALL_CODES), "<i2")
    assert alaw.tolist() == list(map(alaw_sample, range(256)))
    assert ulaw.tolist() == list(map(ulaw_sample, range(256)))


@pytest.mark.parametrize(
    ("encode", "decode"), [(g711.encode_alaw, g711.decode_alaw), (g711.encode_ulaw, g711.decode_ulaw)]
)
def test_a_round_trip_stays_within_one_step_and_does_not_drift(encode, decode):
    once = decode(encode(ALL_PCM))
    original, heard = (np.frombuffer(pcm, "<i2").astype(int) for pcm in (ALL_PCM, once))
    assert np.all(np.abs(original - heard) <= np.maximum(np.abs(original) // 16, 16))
    assert decode(encode(once)) == once


def test_silence_is_the_quietest_code():
    assert g711.encode_ulaw(bytes(2)) == b"\xff"
    assert g711.encode_alaw(bytes(2)) == b"\xd5"


def test_nothing_gives_nothing_and_half_a_sample_is_refused():
    assert g711.encode_alaw(b"") == g711.decode_ulaw(b"") == b""
    with pytest.raises(ValueError, match="buffer size"):
        g711.encode_ulaw(b"\x00\x01\x02")
