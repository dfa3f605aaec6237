"""The silence before a voice's first sound is cut, and nothing else."""

from array import array

from media.trim import LeadingSilence


def pcm(*samples: int) -> bytes:
    return array("h", samples).tobytes()


def test_what_is_silent_before_the_first_sound_is_cut() -> None:
    cutter = LeadingSilence(1000)  # five samples are kept
    assert cutter.cut(pcm(*[0] * 50)) == b""
    assert cutter.cut(pcm(*[3] * 20, -5000, 4000)) == pcm(*[3] * 5, -5000, 4000)


def test_later_silence_stays() -> None:
    cutter = LeadingSilence(1000)
    cutter.cut(pcm(900))
    assert cutter.cut(pcm(0, 0, 0)) == pcm(0, 0, 0)


def test_a_sound_at_once_loses_nothing() -> None:
    assert LeadingSilence(8000).cut(pcm(100, 200)) == pcm(100, 200)


def test_the_lowest_sample_is_loud() -> None:
    assert LeadingSilence(8000).cut(pcm(-32768)) == pcm(-32768)
