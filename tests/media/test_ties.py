"""Who listens in hears both sides and is heard by nobody; who whispers is heard by one alone."""

from __future__ import annotations

import pytest

from media.clip import Clip
from media.codecs import G722, PCMA, PCMU, Codec
from media.tones import Partial, tone
from tests.media.spectrum import tones_in
from tests.media.test_bridge import Phone, Talk, Tap

SECOND = 50
"""Frames."""


class Hummer(Phone):
    """A phone that hums one tone, in real audio."""

    hz = 0

    def hum(self, hz: int) -> Hummer:
        self.hz = hz
        rate = self.codec.sample_rate
        pcm = tone([Partial(float(hz), 0.2)], 2000, rate)
        encode = self.codec.new_encoder()
        size = self.codec.frame_samples * 2
        self.frames = [encode(pcm[at : at + size]) for at in range(0, len(pcm), size)]
        return self

    @property
    def payload(self) -> bytes:
        return self.frames[self.sequence % len(self.frames)] if self.hz else self.codec.silence

    def tones(self, since: int) -> set[int]:
        """The tones in what it was sent."""
        decode = self.codec.new_decoder()
        pcm = b"".join(decode(p.payload) for p in self.sent[since:] if p.payload_type < 96)
        return tones_in(pcm, self.codec.sample_rate)


@pytest.fixture(params=[PCMA, PCMU, G722], ids=lambda codec: codec.name)
def codec(request: pytest.FixtureRequest) -> Codec:
    """That of the operator: the call's is PCMA."""
    chosen: Codec = request.param
    return chosen


def call(codec: Codec = PCMA) -> tuple[Talk, Hummer, Hummer, Hummer]:
    """A caller who hums 450, an agent 700, an operator 1200."""
    caller = Hummer(1).hum(450)
    agent = Hummer(2, PCMU).hum(700)
    operator = Hummer(3, codec).hum(1200)
    return Talk(caller, agent, operator), caller, agent, operator


def prompt(hz: int, frames: int = 100) -> Clip:
    pcm = tone([Partial(float(hz), 0.2)], frames * 20, 8000)
    encode = PCMA.new_encoder()
    return Clip(PCMA, [encode(pcm[at : at + 320]) for at in range(0, len(pcm), 320)], finished=True)


def test_who_listens_in_hears_caller_and_server_and_is_heard_by_nobody(codec: Codec) -> None:
    talk, caller, _, operator = call(codec)
    operator.link.ties.overhear(caller.link.ties)
    caller.link.play(prompt(1000), "prompt")
    talk.run(2 * SECOND)
    assert operator.tones(10) == {450, 1000}
    assert caller.tones(10) == {1000}


def test_of_a_talk_with_an_agent_he_hears_both(codec: Codec) -> None:
    talk, caller, agent, operator = call(codec)
    caller.link.ties.bridge(agent.link.ties)
    operator.link.ties.overhear(caller.link.ties)
    talk.run(2 * SECOND)
    assert operator.tones(10) == {450, 700}
    assert (caller.tones(10), agent.tones(10)) == ({700}, {450})


def test_a_whisper_is_heard_by_the_agent_beside_the_caller_and_by_nobody_else(codec: Codec) -> None:
    talk, caller, agent, operator = call(codec)
    caller.link.ties.bridge(agent.link.ties)
    operator.link.ties.overhear(caller.link.ties)
    operator.link.ties.whisper(agent.link.ties)
    talk.run(2 * SECOND)
    assert agent.tones(10) == {450, 1200}
    assert caller.tones(10) == {700}
    assert operator.tones(10) == {450, 700}
    operator.link.ties.whisper(None)
    before = len(agent.sent)
    talk.run(2 * SECOND)
    assert agent.tones(before + 5) == {450}


def test_who_takes_over_hears_the_caller_and_is_heard_and_the_recording_goes_on(codec: Codec) -> None:
    talk, caller, agent, operator = call(codec)
    tap = Tap()
    caller.link.record(tap)
    caller.link.ties.bridge(agent.link.ties)
    operator.link.ties.overhear(caller.link.ties)
    operator.link.ties.whisper(agent.link.ties)
    operator.link.ties.bridge(caller.link.ties)
    talk.run(2 * SECOND)
    assert (caller.tones(10), operator.tones(10), agent.tones(10)) == ({1200}, {450}, set())
    assert len(tap.said) >= 2 * SECOND - 5


def test_several_listen_in_and_who_goes_costs_nothing() -> None:
    talk, caller, agent, operator = call()
    tap = Tap()
    caller.link.record(tap)
    operator.link.ties.overhear(caller.link.ties)
    agent.link.ties.overhear(caller.link.ties)
    talk.run(SECOND)
    assert operator.tones(10) == agent.tones(10) == {450}
    operator.link.end(talk.now)
    agent.link.ties.overhear(None)
    assert caller.link._tap is tap
    assert caller.link._watchers == ()
    caller.link.record(None)
    assert caller.link._tap is None
    assert (caller.link._relay, caller.link._feed, agent.link._feed) == (None, None, None)


def test_when_the_call_is_over_the_listener_hears_silence() -> None:
    talk, caller, _, operator = call()
    operator.link.ties.overhear(caller.link.ties)
    talk.run(SECOND)
    caller.link.end(talk.now)
    before = len(operator.sent)
    talk.run(SECOND)
    assert operator.tones(before + 10) == set()


def test_a_second_who_whispers_takes_the_place_of_the_first() -> None:
    talk, caller, agent, operator = call()
    second = Hummer(4).hum(1700)
    talk.phones = (*talk.phones, second)
    caller.link.ties.bridge(agent.link.ties)
    operator.link.ties.whisper(agent.link.ties)
    second.link.ties.whisper(agent.link.ties)
    talk.run(2 * SECOND)
    assert agent.tones(10) == {450, 1700}


def test_when_the_agent_is_gone_a_whisper_goes_nowhere() -> None:
    talk, caller, agent, operator = call()
    caller.link.ties.bridge(agent.link.ties)
    operator.link.ties.whisper(agent.link.ties)
    talk.run(SECOND)
    agent.link.end(talk.now)
    assert operator.link._relay is None
    talk.run(SECOND)


def test_a_caller_who_changes_his_codec_is_still_overheard_and_so_is_he_by_an_operator_who_does() -> None:
    talk, caller, agent, operator = call()
    caller.link.ties.bridge(agent.link.ties)
    operator.link.ties.overhear(caller.link.ties)
    operator.link.ties.whisper(agent.link.ties)
    talk.run(SECOND)
    for phone in (caller, operator):
        phone.codec = PCMU
        phone.hum(phone.hz)
        phone.link.renegotiate(phone.agreed(PCMU), talk.now)
    agent.codec = PCMA
    agent.hum(700)
    agent.link.renegotiate(agent.agreed(PCMA), talk.now)
    before = len(operator.sent), len(agent.sent)
    talk.run(2 * SECOND)
    assert operator.tones(before[0] + 10) == {450, 700}
    assert agent.tones(before[1] + 10) == {450, 1200}


def test_a_tap_that_fails_takes_no_other_with_it() -> None:
    talk, caller, _, operator = call()

    class Broken(Tap):
        def received(self, payload: bytes, sample: int) -> None:
            raise ValueError("broken")

    caller.hum(470)  # five frames that differ
    tap = Tap()
    caller.link.record(tap)
    caller.link.watch(Broken())
    operator.link.ties.overhear(caller.link.ties)
    talk.run(SECOND)
    assert len(tap.heard) == 5
    assert operator.tones(10)
