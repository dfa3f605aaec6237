"""A voice that makes room for another: softer, silent, and on from the beginning of a word."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from media.clip import Clip, ClipWriter
from media.codecs import G722, PCMA, PCMU, Codec
from media.leg import Position
from media.playout import Playout, Reached
from media.softening import SOFT_DB, softener, word_start
from tests.media.loopback import Events
from tests.media.test_link import HERE, THERE, Wire, link, run, speech
from tests.speech_like import speech as syllables


def wave(pcm: bytes) -> NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(float)


def db(pcm: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(pcm**2) + 1e-9))


def clip_of(pcm: bytes, codec: Codec) -> Clip:
    writer = ClipWriter(Clip(codec), codec.sample_rate)
    writer.write(pcm)
    writer.close()
    return writer.clip


@pytest.mark.parametrize("codec", [PCMA, PCMU, G722])
def test_it_is_the_same_voice_12_db_softer_and_then_loud_again(codec: Codec) -> None:
    said = syllables(3.0, codec.sample_rate, 4)
    clip = clip_of(said, codec)
    playout = Playout(codec)
    playout.add(clip, "said")
    sent: list[bytes | None] = []
    for frame in range(len(clip.frames)):
        if frame in (50, 100):
            playout.duck(frame == 50)
        sent.append(playout.next())
    payloads = [payload for payload in sent if payload is not None]
    assert len(payloads) == len(clip.frames)
    heard = wave(codec.new_decoder()(b"".join(payloads)))
    plain = wave(codec.new_decoder()(b"".join(clip.frames)))
    size = codec.frame_samples
    # A codec that remembers has found its way after some frames.
    soft, loud = slice(51 * size, 100 * size), slice(104 * size, 150 * size)
    assert db(heard[soft]) - db(plain[soft]) == pytest.approx(SOFT_DB, abs=0.3)
    # To decode and encode once more costs G.722 the delay of its filters.
    later = max(range(48), key=lambda lag: np.dot(heard[soft][lag:], plain[soft][: len(heard[soft]) - lag]))
    assert np.corrcoef(heard[soft][later:], plain[soft][: len(heard[soft]) - later])[0, 1] > 0.97
    assert db(heard[loud] - plain[loud]) < db(plain[loud]) - 20


def test_every_code_of_g711_keeps_its_sign_and_silence_stays_silence() -> None:
    for codec in (PCMA, PCMU):
        codes = bytes(range(256))
        before, after = wave(codec.new_decoder()(codes)), wave(codec.new_decoder()(softener(codec)(codes)))
        assert np.all(np.abs(after) <= np.maximum(np.abs(before), 8))
        assert np.all((np.sign(after) == np.sign(before)) | (np.abs(before) <= 32))
        assert np.max(np.abs(wave(codec.new_decoder()(softener(codec)(codec.silence))))) <= 8


def words(*lengths: int) -> list[bytes]:
    """So many loud frames each, with two quiet ones between."""
    loud, quiet = b"\x10\x27" * 160, b"\x10\x00" * 160
    pcm = (quiet * 2).join(loud * length for length in lengths)
    return clip_of(pcm, PCMA).frames


@pytest.mark.parametrize(
    ("frames", "begins"),
    [(words(5, 7), 7), (words(5), 1), ([], 0), (words(3, 4, 1), 11), (words(1), 0)],
)
def test_a_word_begins_behind_the_last_pause(frames: list[bytes], begins: int) -> None:
    assert word_start(frames, PCMA) == begins


def test_what_was_paused_goes_on_from_the_word_that_was_broken_off() -> None:
    playout = Playout(PCMA)
    frames = words(5, 9)
    playout.add(Clip(PCMA, frames, True), "said")
    given = [playout.next() for _ in range(12)]
    playout.pause()
    assert [playout.next() for _ in range(3)] == [None] * 3
    assert playout.playing, "nobody else may be heard meanwhile"
    assert playout.position == ("said", 12 * 160)
    playout.resume(30)
    rest = [playout.next() for _ in range(9)]
    assert given[:12] + rest[5:] == frames
    assert rest[:5] == given[7:12], "the word is said from its beginning"
    assert playout.reached == [Reached("said", end=False), Reached("said", end=True)]


def test_a_pause_within_a_clip_that_still_grows_loses_nothing() -> None:
    playout = Playout(PCMA)
    frames = words(4, 4)
    growing = Clip(PCMA, frames[:3])
    playout.add(growing, "grows")
    assert [playout.next() for _ in range(4)] == [*frames[:3], None]
    playout.pause()
    growing.frames.extend(frames[3:])
    growing.finished = True
    assert playout.next() is None
    playout.resume(0)
    assert [playout.next() for _ in range(len(frames) - 3)] == frames[3:]


def test_what_comes_after_a_stop_is_heard_in_full() -> None:
    playout = Playout(PCMA)
    playout.add(Clip(PCMA, words(5), True), "one")
    playout.duck(True)
    playout.pause()
    assert playout.stop() == [("one", 0)]
    playout.resume(20)
    playout.add(Clip(PCMA, words(5), True), "two")
    assert [playout.next() for _ in range(5)] == words(5)


def test_pausing_and_going_on_where_nothing_plays_is_harmless() -> None:
    playout = Playout(PCMA)
    playout.pause()
    playout.resume(20)
    playout.duck(True)
    playout.duck(False)
    assert playout.next() is None
    assert playout.position is None


def test_over_the_wire_it_is_softer_silent_and_goes_on() -> None:
    to_b, to_a = Wire(), Wire()
    a, b = link(to_b, Events(), THERE), link(to_a, Events(), HERE)
    frames: list[bytes] = []
    b.listen(frames.append)
    a.listen(lambda frame: None)
    a.play(clip_of(speech(6.0), PCMA), "speech")
    run(a, b, to_b, to_a, 1.0)
    assert a.position == Position("speech", 50 * 160)
    a.duck(True)
    run(a, b, to_b, to_a, 1.0, 1.0)
    a.pause()
    run(a, b, to_b, to_a, 1.0, 2.0)
    a.duck(False)
    a.resume(0)
    run(a, b, to_b, to_a, 1.0, 3.0)
    heard = wave(b"".join(frames))
    loud, soft, silent, again = (heard[at * 8000 + 2000 : at * 8000 + 7000] for at in range(4))
    assert db(soft) - db(loud) == pytest.approx(SOFT_DB, abs=2.0)
    assert np.max(np.abs(silent)) <= 8
    assert db(again) == pytest.approx(db(loud), abs=2.0)
    # What was sent last, as an echo of it would come back: the end of the last second.
    sent = wave(a.just_sent(500))
    assert len(sent) == 4000
    arrived = sent[:2000]
    assert np.max(np.correlate(heard[-5000:], arrived, "valid")) > 0.95 * np.dot(arrived, arrived)
    a.listen(None)
    assert a.just_sent(500) == b""
