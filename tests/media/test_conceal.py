"""Lost frames: the pitch goes on, fades, and is silent after 60 ms."""

import numpy as np
import pytest

from media.conceal import Concealer

RATE = 8000
SILENCE = bytes(320)


def tone(frames: int, hertz: float = 150.0, start: int = 0, rate: int = RATE) -> list[bytes]:
    size = rate // 50
    time = np.arange(start * size, (start + frames) * size) / rate
    pcm = (10000 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()
    return [pcm[i : i + 2 * size] for i in range(0, len(pcm), 2 * size)]


def level(frame: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(frame, "<i2").astype(float) ** 2)))


def samples(*frames: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(frames), "<i2").astype(float)


def after_tone(hertz: float = 150.0) -> Concealer:
    concealer = Concealer(RATE)
    for frame in tone(5, hertz):
        assert concealer.good(frame) == frame
    return concealer


def test_nothing_heard_yet_is_concealed_by_silence():
    assert Concealer(RATE).lost() == SILENCE


@pytest.mark.parametrize("hertz", [80.0, 150.0, 190.0])
def test_the_first_lost_frame_continues_the_wave(hertz):
    made, true = samples(after_tone(hertz).lost()), samples(tone(1, hertz, start=5)[0])
    assert np.corrcoef(made, true)[0, 1] > 0.9


def test_it_fades_and_falls_silent_after_60_ms():
    concealer = after_tone()
    levels = [level(concealer.lost()) for _ in range(5)]
    assert levels[0] > levels[1] > levels[2] > 0
    assert levels[3:] == [0, 0]


def test_there_is_no_click_at_either_seam():
    concealer = after_tone()
    before, lost, lost_too = tone(5)[-1], concealer.lost(), concealer.lost()
    again = concealer.good(tone(1, start=7)[0])
    wave = samples(before, lost, lost_too, again)
    usual = np.abs(np.diff(samples(*tone(5)))).max()
    assert np.abs(np.diff(wave)).max() < 4 * usual


def test_only_the_beginning_of_the_first_frame_after_a_loss_is_touched():
    concealer = after_tone()
    concealer.lost()
    first, second = tone(2, start=6)
    assert concealer.good(first)[64:] == first[64:]
    assert concealer.good(second) == second


def test_silence_of_the_far_end_is_not_filled_with_old_speech():
    concealer = after_tone()
    assert concealer.silent() == SILENCE
    assert concealer.lost() == SILENCE


def test_silent_and_loud_histories_do_no_harm():
    for value in (0, 32767, -32768):
        concealer = Concealer(RATE)
        for _ in range(3):
            concealer.good(np.full(160, value, "<i2").tobytes())
        assert len(concealer.lost()) == 320


def test_wideband_frames_are_concealed_too():
    concealer = Concealer(16000)
    for frame in tone(4, rate=16000):
        concealer.good(frame)
    made = concealer.lost()
    assert len(made) == 640
    assert np.corrcoef(samples(made), samples(tone(1, start=4, rate=16000)[0]))[0, 1] > 0.9


@pytest.mark.parametrize("rate", [8000, 16000])
def test_60_ms_of_loss_fade_without_a_click_and_speech_comes_back(rate):
    concealer = Concealer(rate)
    frames = tone(12, rate=rate)
    heard = [concealer.good(frame) for frame in frames[:5]]
    heard += [concealer.lost() for _ in range(3)]
    heard += [concealer.good(frame) for frame in frames[8:]]
    levels = [level(frame) for frame in heard[4:8]]
    assert levels[0] > levels[1] > levels[2] > levels[3] > 0
    usual = np.abs(np.diff(samples(*frames))).max()
    # The seam to what comes back is 4 ms long: at full level from nothing, and still no step.
    assert np.abs(np.diff(samples(*heard))).max() < 4 * usual
    assert heard[-3:] == frames[-3:]


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_fade_ends_in_silence_whatever_the_rate(rate):
    concealer = Concealer(rate)
    for frame in tone(5, rate=rate):
        concealer.good(frame)
    made = samples(*(concealer.lost() for _ in range(4)))
    assert np.abs(made[rate * 55 // 1000 :]).max() < 0.15 * 10000
    assert not made[rate * 60 // 1000 :].any()
