"""Our own voice out of a speakerphone is not the caller's: made rooms, lines and callers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.turns.echo import ECHO_SHARE, NEEDED_S, STILL_ECHO_SHARE, WINDOW_S, EchoGate, echo_share
from media import g711
from tests.fakes.speech import spoken

RATE = 8000

Wave = NDArray[np.float64]


@cache
def prompt() -> Wave:
    return wave(
        spoken("Welcome to the help line. Please say what your call is about, or press one.", "en", "f1")
    )


@cache
def caller() -> Wave:
    return wave(spoken("मुझे एक आदमी से बात करनी है", "hi", "m3"))


def wave(pcm: bytes) -> Wave:
    return np.frombuffer(pcm, "<i2").astype(float)


def pcm(samples: Wave) -> bytes:
    return bytes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())


def line(samples: Wave) -> Wave:
    """As A-law carries it."""
    return wave(g711.decode_alaw(g711.encode_alaw(pcm(samples))))


def speakerphone(said: Wave, delay_s: float, db: float, room_s: float, dull: int, seed: int) -> Wave:
    """What comes back: late, soft, out of a room that rings on so long, without the highest sounds."""
    chance = np.random.default_rng(seed)
    size = int(RATE * room_s)
    room = chance.normal(0, 1, size) * np.exp(-np.arange(size) / (size / 4))
    room[0] += 2
    back = np.convolve(said, room / np.sqrt(np.dot(room, room)))[: len(said)]
    taps = np.hanning(dull + 2)[1:-1]
    back = np.convolve(back, taps / taps.sum(), "same")
    late = np.concatenate((np.zeros(int(delay_s * RATE)), back))[: len(said)]
    return late * 10 ** (db / 20) + chance.normal(0, 8, len(said))


def shares(heard: Wave, said: Wave) -> list[float]:
    """Of every window in which something is heard."""
    found = []
    for end in range(int(0.8 * RATE), min(len(heard), len(said)), 1560):
        window = heard[end - int(WINDOW_S * RATE) : end]
        if np.sqrt(np.mean(window**2)) > 60:
            found.append(echo_share(pcm(heard[:end]), pcm(said[:end]), RATE))
    assert len(found) > 10
    return found


@pytest.mark.parametrize("delay_s", [0.02, 0.13, 0.37])
@pytest.mark.parametrize(("db", "room_s", "dull"), [(-6, 0.02, 1), (-18, 0.06, 3), (-24, 0.08, 3)])
def test_an_echo_is_known_late_soft_dull_and_out_of_a_room(
    delay_s: float, db: float, room_s: float, dull: int
) -> None:
    heard = line(speakerphone(prompt(), delay_s, db, room_s, dull, seed=3))
    found = shares(heard, prompt())
    assert np.mean(np.array(found) >= STILL_ECHO_SHARE) > 0.97
    assert np.median(found) > ECHO_SHARE


def test_a_caller_is_no_echo() -> None:
    heard = line(np.resize(caller(), len(prompt())))
    found = shares(heard, prompt())
    assert np.mean(np.array(found) >= ECHO_SHARE) < 0.05


@pytest.mark.parametrize("louder_db", [6, 12])
def test_a_caller_who_speaks_over_the_echo_is_heard(louder_db: float) -> None:
    echo = speakerphone(prompt(), 0.15, -20, 0.04, 3, seed=5)
    own = np.resize(caller(), len(echo))
    own *= np.sqrt(np.mean(echo**2) / np.mean(own**2)) * 10 ** (louder_db / 20)
    found = shares(line(echo + own), prompt())
    # Between his words there is the echo alone.
    assert np.mean(np.array(found) < STILL_ECHO_SHARE) > 0.75


def test_the_gate_holds_on_to_its_verdict_between_the_two_bounds() -> None:
    """A window that is half echo counts as one only after an echo."""
    echo = speakerphone(prompt(), 0.1, -12, 0.02, 3, seed=2)
    end = int(1.6 * RATE)
    noise = np.random.default_rng(1).normal(0, np.std(echo), len(echo))
    said, alone = pcm(prompt()[:end]), pcm(echo[:end])
    mixed = next(
        heard
        for level in np.geomspace(0.2, 5, 40)
        if STILL_ECHO_SHARE < echo_share(heard := pcm((echo + level * noise)[:end]), said, RATE) < ECHO_SHARE
    )
    gate = EchoGate()
    assert [gate.is_echo(heard, said, RATE) for heard in (mixed, alone, mixed)] == [False, True, True]


def test_wideband_is_looked_at_alike() -> None:
    said = np.repeat(prompt(), 2)
    heard = np.repeat(speakerphone(prompt(), 0.1, -12, 0.02, 3, seed=2), 2)
    end = int(3.2 * RATE)
    assert echo_share(pcm(heard[:end]), pcm(said[:end]), 2 * RATE) > ECHO_SHARE


@given(st.binary(max_size=4000), st.binary(max_size=12000), st.sampled_from((8000, 16000)))
def test_any_sound_has_a_share(heard: bytes, said: bytes, rate: int) -> None:
    even = heard[: len(heard) & ~1], said[: len(said) & ~1]
    assert 0.0 <= echo_share(*even, rate) <= 1.0


def test_silence_on_either_side_is_no_echo() -> None:
    silent, loud = bytes(2 * int(NEEDED_S * RATE)), pcm(prompt()[: int(NEEDED_S * RATE)])
    assert echo_share(silent, loud, RATE) == 0.0
    assert echo_share(loud, silent, RATE) == 0.0
    assert echo_share(b"", b"", RATE) == 0.0
