"""Rate conversion: the length is exact, the tone stays the tone, chunks leave no seam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.resample import StreamResampler, resample_clip


def tone(rate: int, seconds: float, hertz: float = 440.0) -> bytes:
    return (20000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("<i2").tobytes()


def stream(pcm: bytes, rate_in: int, rate_out: int, chunk: int) -> bytes:
    resampler = StreamResampler(rate_in, rate_out)
    parts = [resampler.process(pcm[i : i + chunk]) for i in range(0, len(pcm), chunk)]
    return b"".join([*parts, resampler.flush()])


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(22050, 8000), (16000, 8000), (8000, 16000), (48000, 8000)]
)
def test_a_tone_comes_out_as_the_same_tone(rate_in, rate_out):
    for converted in (
        stream(tone(rate_in, 0.5), rate_in, rate_out, 777),
        resample_clip(tone(rate_in, 0.5), rate_in, rate_out),
    ):
        heard = np.frombuffer(converted, "<i2").astype(float)
        wanted = np.frombuffer(tone(rate_out, 0.5), "<i2").astype(float)
        assert len(heard) == len(wanted)
        assert np.abs(heard - wanted)[200:-200].max() < 200  # 1 % of the amplitude


@pytest.mark.parametrize("rate_in", [16000, 22050, 24000, 44100])
def test_a_telephones_band_is_kept_and_nothing_is_folded_into_it(rate_in):
    def level_db(hertz: float) -> float:
        heard = np.frombuffer(stream(tone(rate_in, 0.5, hertz), rate_in, 8000, 16384), "<i2").astype(float)
        return 20 * np.log10(np.std(heard[400:-400]) / (20000 / np.sqrt(2)) + 1e-9)

    assert all(abs(level_db(hertz)) < 0.1 for hertz in (300, 1000, 3000, 3400))
    assert all(level_db(hertz) < -65 for hertz in (4050, 4600, 5000, 7000))


def test_it_holds_back_little():
    """3.6 ms, and what makes no whole unit: it hears a live stream, too."""
    narrow = StreamResampler(16000, 8000)
    assert [len(narrow.process(bytes(640))) for _ in range(4)] == [256, 320, 320, 320]
    assert len(StreamResampler(22050, 8000).process(bytes(2 * 1323))) == 2 * 320


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(0, 3000),
    chunk=st.integers(1, 2000),
    rates=st.sampled_from([(22050, 8000), (24000, 8000), (8000, 16000)]),
)
def test_the_length_is_exact_for_chunks_of_any_size(samples, chunk, rates):
    converted = stream(b"\x01\x02" * samples, *rates, chunk)
    assert len(converted) // 2 == round(samples * rates[1] / rates[0])


def test_equal_rates_pass_through_untouched():
    resampler = StreamResampler(8000, 8000)
    assert resampler.process(b"abc") == b"abc"
    assert resampler.flush() == b""
    assert resample_clip(b"abcd", 8000, 8000) == b"abcd"


def test_full_scale_does_not_wrap_around():
    square = np.tile(np.repeat([32767, -32768], 40), 50).astype("<i2").tobytes()
    heard = np.frombuffer(stream(square, 16000, 8000, 500), "<i2").astype(int)
    assert np.abs(np.diff(heard)).max() <= 65535
    assert np.all(heard[15:18] > 20000)  # in the middle of a positive half-wave: clipped, not wrapped


def test_a_flushed_resampler_starts_afresh():
    resampler = StreamResampler(16000, 8000)
    first = resampler.process(tone(16000, 0.1)) + resampler.flush()
    assert resampler.process(tone(16000, 0.1)) + resampler.flush() == first


def test_impossible_rates_are_refused():
    with pytest.raises(ValueError, match="must be positive"):
        StreamResampler(0, 8000)
