"""Whole calls between two user agents whose media is encrypted, wideband, or both: what is said is heard."""

from __future__ import annotations

import asyncio
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.clip import Clip, ClipWriter
from media.leg import Cause, HungUp, Played
from media.recorder import RecordingEnd, RecordingWriter
from sip.leg import SipLeg
from sip.trunks import Trunk
from tests.sip.agents import WAIT_S, agent, connected, event, peer, until

LOCAL = Trunk(allow=("127.0.0.0/8",))


def melody(rate: int, seed: int = 1, scale: float = 1.0) -> np.ndarray:
    """Half a second of five notes that no other seed has; from 440 to 1500 Hz, times `scale`."""
    notes = scale * (np.array([440, 620, 810, 1100, 1500]) + 60 * (seed - 1))
    time = np.arange(rate // 10) / rate
    return np.concatenate([9000 * np.sin(2 * np.pi * note * time) for note in notes])


def clip_of(leg: SipLeg, samples: np.ndarray) -> Clip:
    writer = ClipWriter(Clip(leg.codec), leg.sample_rate)
    writer.write(samples.astype("<i2").tobytes())
    writer.close()
    return writer.clip


def likeness(heard: np.ndarray, said: np.ndarray) -> float:
    """How like what was said the like parts of what was heard are: the median, over tenths of what was said,
    of the best normalised correlation. So a machine that stumbles spoils no more than where it did."""
    heard = np.concatenate([heard.astype(np.float64), np.zeros(len(said))])
    found = []
    for part in np.split(said, 10):
        size = 1 << (len(heard) + len(part)).bit_length()
        products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)
        energy = np.concatenate([[0.0], np.cumsum(heard**2)])
        energy = energy[len(part) :] - energy[: -len(part)]
        found.append(np.max(products[: len(energy)] / np.sqrt((energy + len(part)) * (part @ part))))
    return float(np.median(found))


async def says(speaker: SipLeg, listener: SipLeg, seed: int = 1, scale: float = 1.0) -> float:
    """How much of a melody that one end plays is heard at the other."""
    frames: list[bytes] = []
    listener.listen(frames.append)
    said = melody(speaker.sample_rate, seed, scale)
    speaker.play(clip_of(speaker, said), "melody")
    await until(speaker, Played)
    await asyncio.sleep(0.2)
    listener.listen(None)
    heard = np.frombuffer(b"".join(frames), "<i2")
    assert len(frames[0]) == listener.sample_rate // 50 * 2
    return likeness(heard, said)


@pytest.mark.parametrize(
    ("caller", "callee", "encrypted"),
    [
        ("required", "required", True),
        ("offered", "offered", True),
        ("required", "offered", True),
        ("offered", "refused", False),
        ("refused", "offered", False),
    ],
)
async def test_a_call_is_encrypted_where_both_can(caller: str, callee: str, encrypted: bool) -> None:
    async with (
        agent(trunk=replace(LOCAL, srtp=caller)) as a,
        agent(trunk=replace(LOCAL, srtp=callee)) as b,
    ):
        ours, theirs = await connected(a, b)
        for leg in (ours, theirs):
            assert leg._media is not None
            agreed = leg._media._offers.negotiated
            assert agreed is not None
            assert (agreed.security is not None) == encrypted
        assert await says(ours, theirs) > 0.95
        before = [agent.plane.totals().dropped for agent in (a, b)]  # what came before the answer was read
        assert await says(theirs, ours, seed=2) > 0.95
        # A hold and its end go through a new offer each, and change no key.
        await ours.hold(True)
        await ours.hold(False)
        assert await says(ours, theirs, seed=3) > 0.95
        assert [agent.plane.totals().dropped for agent in (a, b)] == before
        await ours.hang_up()
        await until(ours, HungUp)
        await until(theirs, HungUp)


@pytest.mark.parametrize(("caller", "callee"), [("required", "refused"), ("refused", "required")])
async def test_where_one_needs_what_the_other_refuses_there_is_no_call(caller: str, callee: str) -> None:
    async with (
        agent(trunk=replace(LOCAL, srtp=caller)) as a,
        agent(trunk=replace(LOCAL, srtp=callee)) as b,
    ):
        ended = await event(await a.call(b.uri()), HungUp)
        assert (ended.cause, ended.code) == (Cause.INCOMPATIBLE_MEDIA, 488)
        assert b.incoming.empty()


async def test_the_refusal_says_why() -> None:
    async with agent(trunk=replace(LOCAL, srtp="required")) as b, peer() as p:
        p.send(p.message("INVITE", b.address(), body=p.sdp()), b.address())
        response = await p.response(488)
        warning = response.headers.get("Warning") or ""
        assert re.fullmatch('399 .* "audio: only SRTP is spoken here .*"', warning)


async def test_a_wideband_call_with_its_recording(tmp_path: Path) -> None:
    """G.722 both ways, encrypted: frames and file have 16,000 samples a second, and what lies above 4 kHz is
    there."""
    trunk = replace(LOCAL, codecs=("G722", "PCMA"), srtp="required")
    recorder = RecordingWriter()
    await recorder.start()
    async with agent(trunk=trunk) as a, agent(trunk=trunk) as b:
        ours, theirs = await connected(a, b)
        assert ours.codec.name == theirs.codec.name == "G722"
        assert ours.sample_rate == theirs.sample_rate == 16000
        ended: asyncio.Future[RecordingEnd] = asyncio.get_running_loop().create_future()
        theirs.record(recorder.open(tmp_path / "call.wav", theirs.codec, ended.set_result))
        assert await says(ours, theirs) > 0.95
        assert await says(theirs, ours, seed=2) > 0.95
        assert await says(ours, theirs, seed=3, scale=4.2) > 0.9
        await ours.hang_up()
        await until(theirs, HungUp)
        async with asyncio.timeout(WAIT_S):
            end = await ended
    await recorder.close()
    assert end.fault == ""
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 2)
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert abs(len(pcm) / 16000 - end.duration_ms / 1000) < 0.01
    assert likeness(pcm[:, 0], melody(16000)) > 0.95
    assert likeness(pcm[:, 1], melody(16000, seed=2)) > 0.95
    assert likeness(pcm[:, 0], melody(16000, seed=3, scale=4.2)) > 0.9
    assert likeness(pcm[:, 1], melody(16000)) < 0.7


async def test_a_wideband_phone_and_a_narrowband_one_agree_on_what_both_speak() -> None:
    async with (
        agent(trunk=replace(LOCAL, codecs=("G722", "PCMU"))) as a,
        agent(trunk=replace(LOCAL, codecs=("PCMA", "PCMU"))) as b,
    ):
        ours, theirs = await connected(a, b)
        assert ours.codec.name == theirs.codec.name == "PCMU"
        assert await says(theirs, ours) > 0.95
