"""Keys in the audio, from link to link over a bad network in simulated time."""

from __future__ import annotations

import random

import pytest

from media.agreement import Agreement
from media.clip import Clip, ClipWriter
from media.codecs import G722, PCMA, PCMU, Codec
from media.link import Link
from media.ports import PortPair
from media.tones import Partial, key_tone, silence, tone
from tests.media.loopback import Events
from tests.media.test_link import HERE, THERE, Wire, run


def link(wire: Wire, events: Events, remote: tuple[str, int], codec: Codec = PCMA) -> Link:
    """A link to a peer that knows no telephone-events."""
    pair = PortPair(4000, wire, wire)  # type: ignore[arg-type]
    agreed = Agreement(remote, codec, codec.payload_type, None)
    made = Link(pair, events, agreed, "us@192.0.2.1", 20.0, 0.0)
    made._peer._report_due = float("inf")  # RTP and RTCP share the wire here
    return made


@pytest.mark.parametrize("codec", [PCMA, PCMU, G722], ids=lambda codec: codec.name)
def test_without_telephone_events_keys_go_both_ways_as_tones(codec):
    to_b, to_a = Wire(), Wire()
    near, far = Events(), Events()
    a, b = link(to_b, near, THERE, codec), link(to_a, far, HERE, codec)
    a.send_digits("1234567890*#ABCD")
    b.send_digits("4711")
    run(a, b, to_b, to_a, 4.0)
    assert far.keys == "1234567890*#ABCD"
    assert near.keys == "4711"


@pytest.mark.parametrize("seed", range(4))
def test_over_a_bad_network_every_tone_is_taken_once(seed):
    """Loss, jitter, duplicates; the pauses are those of a quick finger."""
    keys = "".join(random.Random(seed).choice("0123456789*#") for _ in range(20))
    to_b, to_a = Wire(0.03, 0.025, 0.05, seed), Wire(seed=seed)
    events = Events()
    a, b = link(to_b, Events(), THERE), link(to_a, events, HERE)
    writer = ClipWriter(Clip(PCMA), 8000)
    for key in keys:
        writer.write(key_tone(key, 8000) + silence(100, 8000))
    writer.close()
    a.play(writer.clip, "keys")
    run(a, b, to_b, to_a, 6.0)
    assert events.keys == keys


def test_a_new_negotiation_within_a_press_makes_no_second_one():
    """As a hold is: the audio is agreed on as before."""
    to_b, to_a = Wire(), Wire()
    events = Events()
    a, b = link(to_b, Events(), THERE), link(to_a, events, HERE)
    writer = ClipWriter(Clip(PCMA), 8000)
    writer.write(tone((Partial(770, -9), Partial(1336, -7)), 1000, 8000))
    writer.close()
    a.play(writer.clip, "a long press")
    run(a, b, to_b, to_a, 0.4)
    b.renegotiate(Agreement(HERE, PCMA, PCMA.payload_type, None), 0.4)
    run(a, b, to_b, to_a, 1.6, 0.4)
    assert events.keys == "5"


def test_where_telephone_events_were_agreed_on_tones_are_only_sound():
    to_b, to_a = Wire(), Wire()
    events = Events()
    pair = PortPair(4000, to_a, to_a)  # type: ignore[arg-type]
    b = Link(pair, events, Agreement(HERE, PCMA, 8, 101), "us@192.0.2.1", 20.0, 0.0)
    a = link(to_b, Events(), THERE)
    a.send_digits("123")
    run(a, b, to_b, to_a, 1.0)
    assert events.keys == ""
    assert b._hearing is None  # and nothing is decoded for nobody


def test_a_key_is_heard_while_somebody_listens_too_and_after_a_renegotiation():
    to_b, to_a = Wire(), Wire()
    events, frames = Events(), []
    a, b = link(to_b, Events(), THERE), link(to_a, events, HERE)
    b.listen(frames.append)
    a.send_digits("5")
    run(a, b, to_b, to_a, 0.5)
    assert events.keys == "5"
    assert any(any(frame) for frame in frames)
    b.renegotiate(Agreement(HERE, PCMA, 8, 101), 0.5)
    b.listen(None)
    assert b._hearing is None
    b.renegotiate(Agreement(HERE, PCMA, 8, None), 0.5)
    a.send_digits("6")
    run(a, b, to_b, to_a, 0.5)
    assert events.keys == "56"
