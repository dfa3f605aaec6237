"""The queue of clips, tick by tick."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.clip import Clip
from media.codecs import PCMA, PCMU, Codec
from media.playout import Playout

WIDE = Codec("WIDE", 9, 8000, 16000, bytes, bytes, bytes(160))


def clip(text: str, finished: bool = True) -> Clip:
    return Clip(PCMA, [letter.encode() for letter in text], finished)


def ends(playout: Playout) -> list[str]:
    return [mark for mark, end in playout.reached if end]


def test_nothing_queued_is_silence():
    playout = Playout(PCMA)
    assert playout.next() is None
    assert not playout.playing


def test_clips_follow_each_other_without_a_gap():
    playout = Playout(PCMA)
    playout.add(clip("ab"), "one")
    playout.add(clip("c"), "two")
    assert [playout.next() for _ in range(4)] == [b"a", b"b", b"c", None]
    assert ends(playout) == ["one", "two"]


def test_a_clip_is_played_when_its_last_payload_was_given_not_before():
    playout = Playout(PCMA)
    playout.add(clip("ab"), "one")
    playout.next()
    assert ends(playout) == []
    playout.next()
    assert ends(playout) == ["one"]


def test_a_growing_clip_gives_silence_until_more_is_there():
    playout = Playout(PCMA)
    growing = clip("a", finished=False)
    playout.add(growing, "grows")
    assert [playout.next(), playout.next()] == [b"a", None]
    assert playout.playing
    growing.frames.append(b"b")
    assert playout.next() == b"b"
    growing.finished = True
    playout.add(clip("c"), "next")
    assert playout.next() == b"c"
    assert ends(playout) == ["grows", "next"]


def test_an_empty_clip_is_played_at_once_and_costs_no_tick():
    playout = Playout(PCMA)
    playout.add(clip(""), "empty")
    playout.add(clip("a"), "real")
    assert playout.next() == b"a"
    assert ends(playout) == ["empty", "real"]


def test_a_clip_begins_with_its_first_payload_however_long_it_is_waited_for():
    playout = Playout(PCMA)
    growing = Clip(PCMA)
    playout.add(clip("a"), "one")
    playout.add(growing, "grows")
    assert playout.reached == []
    playout.next()
    assert playout.reached == [("one", False), ("one", True)]
    assert playout.next() is None
    assert playout.reached == [("one", False), ("one", True)]
    growing.frames += [b"b", b"c"]
    assert playout.next() == b"b"
    assert playout.reached[2:] == [("grows", False)]
    assert playout.next() == b"c"
    growing.finished = True
    assert playout.next() is None
    assert playout.reached[2:] == [("grows", False), ("grows", True)]


def test_an_empty_clip_never_begins_and_a_loop_begins_once():
    playout = Playout(PCMA)
    playout.add(clip(""), "empty")
    playout.add(Clip(PCMA, [b"a"], finished=True, loops=True), "music")
    assert [playout.next() for _ in range(3)] == [b"a", b"a", b"a"]
    assert playout.reached == [("empty", True), ("music", False)]


def test_stop_tells_how_much_of_each_clip_was_sent():
    playout = Playout(PCMA)
    playout.add(clip("abc"), "one")
    playout.add(clip("d"), "two")
    playout.next()
    playout.next()
    assert playout.stop() == [("one", 320), ("two", 0)]
    assert playout.next() is None
    assert playout.stop() == []
    assert ends(playout) == []


def test_samples_count_the_clip_alone_not_the_silence_of_waiting():
    playout = Playout(PCMA)
    playout.add(clip("a", finished=False), "grows")
    for _ in range(5):
        playout.next()
    assert playout.stop() == [("grows", 160)]


def test_after_a_new_negotiation_the_rest_comes_in_the_new_codec():
    playout = Playout(PCMA)
    payload = PCMA.new_encoder()(b"\x00\x20" * 160)
    playout.add(Clip(PCMA, [payload, payload], True), "prompt")
    assert playout.next() == payload
    playout.use(PCMU)
    assert playout.next() == PCMU.new_encoder()(PCMA.new_decoder()(payload))


def test_another_sample_rate_is_refused():
    with pytest.raises(ValueError, match="16000 Hz"):
        Playout(PCMA).add(Clip(WIDE), "wide")


def test_a_clip_that_loops_begins_again_until_it_is_stopped():
    playout = Playout(PCMA)
    music = Clip(PCMA, [b"a", b"b"], finished=True, loops=True)
    playout.add(music, "music")
    assert [playout.next() for _ in range(5)] == [b"a", b"b", b"a", b"b", b"a"]
    assert ends(playout) == []
    assert playout.stop() == [("music", 160)]
    playout.add(clip("c"), "prompt")
    assert [playout.next(), playout.next()] == [b"c", None]
    assert len(music.frames) == 2


def test_a_loop_that_is_still_made_is_silent_until_it_is_whole():
    playout = Playout(PCMA)
    music = Clip(PCMA, loops=True)
    playout.add(music, "music")
    assert playout.next() is None
    music.frames.extend([b"a", b"b"])
    assert [playout.next(), playout.next(), playout.next()] == [b"a", b"b", None]
    music.finished = True
    assert [playout.next(), playout.next()] == [b"a", b"b"]


def test_an_empty_loop_is_over_at_once():
    playout = Playout(PCMA)
    playout.add(Clip(PCMA, finished=True, loops=True), "nothing")
    playout.add(clip("a"), "real")
    assert playout.next() == b"a"
    assert ends(playout) == ["nothing", "real"]


@given(st.lists(st.integers(0, 5), max_size=6))
def test_every_payload_is_given_once_and_every_mark_told_once(lengths):
    playout = Playout(PCMA)
    for i, length in enumerate(lengths):
        playout.add(Clip(PCMA, [bytes([i, j]) for j in range(length)], True), str(i))
    given_out = [playout.next() for _ in range(sum(lengths) + 1)]
    assert given_out == [*(bytes([i, j]) for i, n in enumerate(lengths) for j in range(n)), None]
    assert ends(playout) == [str(i) for i in range(len(lengths))]


def test_a_clip_begins_where_it_is_told_to():
    playout = Playout(PCMA)
    playout.add(clip("abcd"), "one")
    playout.seek(2 * 160)
    assert playout.position == ("one", 320)
    assert [playout.next(), playout.next(), playout.next()] == [b"c", b"d", None]
    playout.add(clip("ab", finished=False), "grows")
    playout.seek(2 * 160)
    assert playout.next() is None
    playout.stop()
    playout.seek(160)
    assert playout.position is None


def test_what_was_told_where_to_begin_can_give_way_before_it_does():
    playout = Playout(PCMA)
    quiet, loud = PCMA.silence, PCMA.new_encoder()(b"\x00\x40" * 160)
    playout.add(Clip(PCMA, [loud, quiet, loud, loud, loud], finished=True), "words")
    playout.seek(4 * 160)
    playout.pause()
    playout.resume(4)
    assert playout.position == ("words", 2 * 160)
