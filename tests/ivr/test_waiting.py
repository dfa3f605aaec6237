"""What callers hear while they wait: the sounds, and a call that plays them."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import httpx
import numpy as np
import pytest

from ivr.call import CallSession
from ivr.call_parts import Services
from ivr.config import Config, ConfigError
from ivr.endpoints import Endpoints
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.prompts import Prompts
from ivr.queueing import direct
from ivr.switchboard import Switchboard
from ivr.waiting import Ring, Sound, Waiting, WaitingSounds
from media.clip import Clip
from media.codecs import PCMA, PCMU, Codec
from media.leg import TransferOutcome
from media.music import hold_music
from media.tones import Partial, ringback, tone
from tests.fakes.agents import nobody
from tests.fakes.engines import ScriptedRecognizer, ToneSynthesizer, routed
from tests.fakes.leg import FakeLeg
from tests.ivr.test_call import LevelVad, Notebook

FLOW = """
flow: hand-over
languages: [en]
result: {done: {one_of: ["yes", "no"], default: "no"}}
limits: {call: 2m, visits: 4}
start: desk
steps:
  desk: {transfer: {to: help, wait: 30s}, next: bye, otherwise: sorry}
  sorry: {say: {en: "Sorry."}, next: bye}
  bye: {end: normal}
"""


async def whole(clip: Clip) -> bytes:
    async with asyncio.timeout(10):
        while not clip.finished:
            await asyncio.sleep(0.001)
    return b"".join(clip.frames)


def wav(path: Path, pcm: bytes, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return path


@pytest.mark.parametrize("codec", [PCMA, PCMU])
async def test_each_sound_loops_and_is_made_once(codec: Codec) -> None:
    sounds = WaitingSounds()
    ringing = sounds.clip(Sound.RINGBACK, codec, "91")
    assert ringing.loops
    assert sounds.clip(Sound.RINGBACK, codec, "91") is ringing
    assert sounds.clip(Sound.RINGBACK, codec, "1") is not ringing
    assert sounds.clip(Sound.MUSIC, codec, "91") is sounds.clip(Sound.MUSIC, codec, "1")
    assert await whole(ringing) == codec.new_encoder()(ringback(8000))
    assert len(await whole(sounds.clip(Sound.MUSIC, codec, "91"))) == len(hold_music(8000)) // 2


def test_our_tune_is_soft_and_has_no_seam() -> None:
    pcm = np.frombuffer(hold_music(8000), "<i2").astype(float)
    assert len(pcm) == 12.8 * 8000
    assert len(pcm) % 160 == 0
    assert 300 < np.sqrt(np.mean(pcm**2)) < 4000
    assert np.abs(pcm).max() < 20000
    steps = np.abs(np.diff(np.concatenate([pcm, pcm[:1]])))
    assert steps[-1] <= steps[:-1].max()


async def test_music_comes_from_the_configured_file_at_any_rate(tmp_path: Path) -> None:
    path = wav(tmp_path / "hold.wav", tone((Partial(440),), 1000, 16000), 16000)
    clip = WaitingSounds(path).clip(Sound.MUSIC, PCMA, "91")
    pcm = np.frombuffer(PCMA.new_decoder()(await whole(clip)), "<i2").astype(float)
    assert clip.duration_ms == 1000
    spectrum = np.abs(np.fft.rfft(pcm))
    assert spectrum.argmax() == pytest.approx(440, abs=2)


def test_a_file_that_cannot_be_played_stops_the_start(tmp_path: Path) -> None:
    stereo = wav(tmp_path / "stereo.wav", bytes(8000), channels=2)
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"not a sound")
    empty = wav(tmp_path / "empty.wav", b"")
    for path, why in (
        (tmp_path / "missing.wav", "No such file"),
        (stereo, "must be mono"),
        (noise, "noise.wav"),
        (empty, "nothing in it"),
    ):
        with pytest.raises(ConfigError, match=rf"media\.hold_music: .*{why}"):
            WaitingSounds(path)


def test_early_media_without_ringing_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="ring_s"):
        Config.model_validate({"numbers": {"1": {"flow": "f", "early_media": True}}})


class SlowLeg(FakeLeg):
    """A transfer lasts until the test says how it went."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict = asyncio.Event()
        self.ringing: list[str] = []

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        await self.verdict.wait()
        return await super().transfer(target, wait_s)

    async def ring(self) -> None:
        self.ringing.append("180")

    async def progress(self) -> None:
        self.ringing.append("183")


class Call:
    """A call of the flow above; `waiting` is given what is played while a transfer lasts."""

    def __init__(self, folder: Path, leg: FakeLeg, transfer: Sound | None, ring: Ring | None = None) -> None:
        path = folder / "hand-over.yaml"
        path.write_text(FLOW, encoding="utf-8")
        flow = load_flow(path)
        self.prompts = Prompts(routed(ToneSynthesizer()), folder / "prompts")
        self.client = httpx.AsyncClient()
        self.notebook = Notebook()
        self.sounds = WaitingSounds()
        services = Services(
            prompts=self.prompts,
            vad=LevelVad(),
            recognizer=ScriptedRecognizer(),
            asr_deadline_s=0.5,
            endpoints=Endpoints({}, self.client),
            switchboard=Switchboard({"help": direct("sip:help@127.0.0.1")}, nobody),
            max_call_s=60.0,
        )
        waiting = Waiting(leg, self.sounds, transfer=transfer)
        machine = FlowMachine(flow, flow.bind({}))
        session = CallSession(leg, machine, self.notebook, services, ring=ring, waiting=waiting)
        self.task = asyncio.create_task(session.run())

    async def ends(self) -> None:
        async with asyncio.timeout(5):
            await self.task
        await self.prompts.close()
        await self.client.aclose()


@pytest.mark.parametrize("sound", list(Sound))
async def test_a_transfer_that_lasts_is_heard_and_its_sound_ends_before_the_next_prompt(
    tmp_path: Path, sound: Sound
) -> None:
    leg = SlowLeg()
    leg.transfer_outcome = TransferOutcome.BUSY
    call = Call(tmp_path, leg, sound)
    await leg.until(lambda leg: bool(leg.playing))
    assert leg.played == [call.sounds.clip(sound, PCMA, "91")]
    leg.verdict.set()
    await leg.until(lambda leg: len(leg.played) == 2)
    assert leg.cut == 1
    assert not leg.played[1].loops
    assert [mark for mark, _ in leg.playing] != ["waiting"]
    leg.finish()
    await call.ends()
    assert "prompt_cut" not in call.notebook.order


async def test_where_silence_is_configured_there_is_none(tmp_path: Path) -> None:
    leg = SlowLeg()
    call = Call(tmp_path, leg, None)
    leg.verdict.set()
    await call.ends()
    assert leg.played == []


async def test_a_number_may_ring_before_it_is_answered(tmp_path: Path) -> None:
    leg = SlowLeg()
    leg.verdict.set()
    call = Call(tmp_path, leg, None, Ring(0.05))
    await call.ends()
    assert leg.ringing == ["180"]
    assert leg.answered
    assert leg.played == []


async def test_with_early_media_the_ringing_is_ours(tmp_path: Path) -> None:
    leg = SlowLeg()
    leg.verdict.set()
    call = Call(tmp_path, leg, None, Ring(0.05, early_media=True))
    await leg.until(lambda leg: bool(leg.playing))
    assert leg.ringing == ["183"]
    assert leg.played == [call.sounds.clip(Sound.RINGBACK, PCMA, "91")]
    assert not leg.answered
    await call.ends()
    assert leg.answered
    assert leg.cut == 1


async def test_who_gives_up_while_it_rings_is_not_answered(tmp_path: Path) -> None:
    leg = SlowLeg()
    call = Call(tmp_path, leg, None, Ring(60.0))
    await asyncio.sleep(0.01)
    leg.far_end_hangs_up()
    await call.ends()
    assert not leg.answered
    assert call.notebook.order == ["hung_up"]
