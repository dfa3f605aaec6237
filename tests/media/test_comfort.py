"""Comfort noise (RFC 3389): its level, and that it does not hum."""

import numpy as np
import pytest

from media.comfort import ComfortNoise, noise_level


def test_the_first_byte_is_the_level_and_the_rest_is_left_alone():
    assert noise_level(b"\x28\x80\x7f") == 40
    assert noise_level(b"\xa8") == 40  # the highest bit is reserved
    assert noise_level(b"") is None


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("below_db", [30, 40, 60])
def test_the_noise_has_the_level_that_was_asked_for(rate, below_db):
    noise = ComfortNoise(rate)
    noise.set_level(below_db)
    frames = [noise.frame() for _ in range(100)]
    assert {len(frame) for frame in frames} == {2 * rate // 50}
    samples = np.frombuffer(b"".join(frames), "<i2").astype(float)
    level_db = 20 * np.log10(np.sqrt(np.mean(samples**2)) * np.sqrt(2) / 32768)
    assert level_db == pytest.approx(-below_db, abs=0.5)


def test_the_loudest_does_not_overflow_and_the_quietest_is_silence():
    noise = ComfortNoise(8000)
    assert not any(noise.frame())
    noise.set_level(0)
    samples = np.frombuffer(noise.frame(), "<i2")
    assert samples.min() < -20000
    assert samples.max() > 20000


def test_no_frame_comes_again_within_a_second():
    noise = ComfortNoise(8000)
    noise.set_level(30)
    assert len({noise.frame() for _ in range(50)}) == 50
