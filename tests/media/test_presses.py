"""Presses that are told twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.presses import TOGETHER_S, Presses, Way

KEYS = st.text("0123456789*#", max_size=12)


def taken(*told: tuple[str, Way, float]) -> str:
    presses = Presses()
    return "".join(key for key, way, at in told if presses.is_new(key, way, at))


def test_a_press_told_by_both_is_one_whoever_is_first():
    assert taken(("5", Way.MEDIA, 0.0), ("5", Way.SIGNALLING, 0.2)) == "5"
    assert taken(("5", Way.SIGNALLING, 0.0), ("5", Way.MEDIA, 0.2)) == "5"


def test_the_same_key_twice_by_both_is_two():
    assert (
        taken(
            ("5", Way.MEDIA, 0.0),
            ("5", Way.SIGNALLING, 0.1),
            ("5", Way.MEDIA, 0.3),
            ("5", Way.SIGNALLING, 0.4),
        )
        == "55"
    )
    assert (
        taken(
            ("5", Way.MEDIA, 0.0),
            ("5", Way.MEDIA, 0.3),
            ("5", Way.SIGNALLING, 0.4),
            ("5", Way.SIGNALLING, 0.5),
        )
        == "55"
    )


def test_much_later_it_is_another_press():
    assert taken(("5", Way.MEDIA, 0.0), ("5", Way.SIGNALLING, TOGETHER_S + 0.1)) == "55"


@given(KEYS)
def test_one_way_alone_loses_nothing(keys):
    assert taken(*((key, Way.MEDIA, 0.1 * index) for index, key in enumerate(keys))) == keys


@given(KEYS, st.lists(st.floats(0.0, 0.5), min_size=12, max_size=12))
def test_what_both_tell_is_taken_once(keys, delays):
    """Signalling is late by up to half a second, and tells the keys in their order."""
    told = [(key, Way.MEDIA, 0.16 * index) for index, key in enumerate(keys)]
    late = 0.0
    for index, key in enumerate(keys):
        late = max(late, 0.16 * index + delays[index])
        told.append((key, Way.SIGNALLING, late))
    assert taken(*sorted(told, key=lambda each: each[2])) == keys
