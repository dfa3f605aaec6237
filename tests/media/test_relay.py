"""Audio on its way from one far end to another, in simulated time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from media.codecs import G722, PCMA, PCMU, Codec
from media.relay import Relay
from media.tones import Partial, tone

FRAME_S = 0.02
DURATION = 160


def voice(codec: Codec, seconds: float, hertz: float = 440.0) -> list[bytes]:
    """A tone as payloads of 20 ms."""
    pcm = tone([Partial(hertz, -15.0)], int(seconds * 1000), codec.sample_rate)
    payload = codec.new_encoder()(pcm)
    size = codec.frame_bytes
    return [payload[i : i + size] for i in range(0, len(payload) - size + 1, size)]


def numbered(count: int) -> list[bytes]:
    """Payloads that can be told apart."""
    return [bytes((index % 199 + 1,)) * DURATION for index in range(count)]


def carried(
    relay: Relay, payloads: list[bytes], lost: frozenset[int] = frozenset(), drift: float = 0.0
) -> list[bytes | None]:
    """What a relay gives for packets that come evenly; `drift` is by how much the far clock is faster."""
    given: list[bytes | None] = []
    sent = 0
    for tick in range(len(payloads)):
        now = tick * FRAME_S
        while sent < len(payloads) and sent * FRAME_S * (1 - drift) <= now:
            if sent not in lost:
                relay.push(7, sent, sent * DURATION, payloads[sent], now, sent == 0)
            sent += 1
        given.append(relay.next(now + 0.001))
    return given


def loudest_hz(payloads: list[bytes | None], codec: Codec) -> float:
    pcm = codec.new_decoder()(b"".join(p or codec.silence for p in payloads))
    samples = np.frombuffer(pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * codec.sample_rate / len(samples)


def test_of_one_codec_payloads_pass_as_they_are_and_soon() -> None:
    payloads = numbered(100)
    given = carried(Relay(PCMA, PCMA), payloads)
    late = given.index(payloads[0])
    assert late <= 2
    assert given[late:] == payloads[: 100 - late]
    assert set(given[:late]) <= {None}


@pytest.mark.parametrize(("source", "target"), [(PCMA, PCMU), (PCMU, PCMA)])
def test_between_the_laws_of_g711_each_byte_becomes_what_it_would_by_way_of_pcm(
    source: Codec, target: Codec
) -> None:
    payloads = voice(source, 1.0)
    given = [p for p in carried(Relay(source, target), payloads) if p is not None]
    expected = [target.new_encoder()(source.new_decoder()(p)) for p in payloads]
    assert given == expected[: len(given)]


@pytest.mark.parametrize(("source", "target"), [(G722, PCMA), (PCMU, G722), (G722, G722)])
def test_a_tone_keeps_its_frequency_between_any_two_codecs(source: Codec, target: Codec) -> None:
    given = carried(Relay(source, target), voice(source, 2.0, 440.0))
    assert abs(loudest_hz(given[10:], target) - 440.0) < 3.0


def test_packets_out_of_order_and_twice_come_out_once_and_in_order() -> None:
    payloads, relay = numbered(190), Relay(PCMA, PCMA)
    draw = random.Random(4)
    coming = sorted(
        (index * FRAME_S + draw.random() * 0.05, index) for index in range(190) for _ in range(1 + index % 2)
    )
    given: list[bytes] = []
    for tick in range(210):
        now = tick * FRAME_S
        while coming and coming[0][0] <= now:
            _, index = coming.pop(0)
            relay.push(7, index, index * DURATION, payloads[index], now)
        if (payload := relay.next(now + 0.001)) is not None:
            given.append(payload)
    places = [payloads.index(payload) for payload in given if payload in payloads]
    assert places[20:] == sorted(places[20:])
    assert len(places) == len(set(places))
    assert len(places) > 170


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_a_lost_packet_is_concealed_and_the_next_ones_pass_as_they_are(codec: Codec) -> None:
    payloads = voice(codec, 1.0)
    given = carried(Relay(codec, codec), payloads, lost=frozenset((20,)))
    late = given.index(payloads[0])
    stand_in = given[20 + late]
    assert stand_in is not None
    heard = np.frombuffer(codec.new_decoder()(stand_in), "<i2").astype(float)
    true = np.frombuffer(codec.new_decoder()(payloads[20]), "<i2").astype(float)
    assert np.sqrt(np.mean(heard**2)) > 0.5 * np.sqrt(np.mean(true**2))
    assert given[22 + late :] == payloads[22 : len(payloads) - late]


def test_what_is_lost_for_long_is_silence_and_then_passes_again() -> None:
    payloads = voice(PCMA, 2.0)
    given = carried(Relay(PCMA, PCMA), payloads, lost=frozenset(range(20, 60)))
    assert given[40] is None
    assert given[80] in payloads


def test_who_says_nothing_costs_nothing() -> None:
    relay = Relay(PCMA, PCMA)
    assert [relay.next(tick * FRAME_S) for tick in range(50)] == [None] * 50


def test_comfort_noise_is_heard_in_the_pauses() -> None:
    relay = Relay(PCMA, PCMA)
    carried(relay, voice(PCMA, 1.0))
    relay.pause(7, 50, 50 * DURATION, b"\x28")
    given = [relay.next(1.0 + tick * FRAME_S) for tick in range(30)]
    noise = np.frombuffer(PCMA.new_decoder()(given[-1] or b""), "<i2")
    assert 0 < np.abs(noise).max() < 3000


@pytest.mark.parametrize("drift", [0.0005, -0.0005])
def test_the_delay_does_not_grow_however_long_the_clocks_differ(drift: float) -> None:
    """Three minutes at ten times what two quartz clocks may differ by: 90 ms, were it not made good."""
    payloads = [index.to_bytes(2, "big") * (DURATION // 2) for index in range(9000)]
    relay = Relay(PCMA, PCMA)
    given = carried(relay, payloads, drift=drift)
    place = {payload: index for index, payload in enumerate(payloads)}
    delays = [
        tick * FRAME_S - place[payload] * FRAME_S * (1 - drift)
        for tick, payload in enumerate(given)
        if payload in place
    ]
    assert max(delays) < 0.12
    assert min(delays) > -FRAME_S


def test_after_a_network_that_stood_still_the_delay_comes_back() -> None:
    payloads, relay = numbered(199), Relay(PCMA, PCMA)
    sent, held = 0, []
    given: dict[int, int] = {}
    for tick in range(199):
        now = tick * FRAME_S
        if 40 <= tick < 80:
            held.append(tick)
        else:
            for index in (*held, tick):
                relay.push(7, index, index * DURATION, payloads[index], now)
            held.clear()
            sent = tick
        payload = relay.next(now + 0.001)
        if payload in payloads:
            given[tick] = tick - payloads.index(payload)
    assert sent == 198
    assert given[198] <= 10
    assert max(given.values()) <= 30
