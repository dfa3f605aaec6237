"""Engines in the order of each language, here or at a service elsewhere; and a gateway that uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engines.catalogue import find
from engines.contract import EngineError, EngineTimeout, EngineUnavailable, SpeechRequest, VoiceReference
from engines.running_here import CannotUse
from engines.tts.remote import RemoteSynthesizer
from engines.tts.roster import TtsSettings, new_engine
from ivr.config import Config
from ivr.flow.protocol import Text
from ivr.prompts import Prompts
from ivr.speech import running, start_when_able, voice_engines, voices_of
from media.codecs import PCMA
from tests.fakes.engines import ToneSynthesizer
from tests.fakes.kokoro import write_kokoro
from tests.speech.conftest import KEYS, Stage


@pytest.fixture
async def remote(stage: Stage) -> AsyncIterator[RemoteSynthesizer]:
    stage.keys = KEYS
    async with stage.running() as url:
        engine = RemoteSynthesizer(find("kokoro"), url, KEYS["shop"])
        await engine.start()
        yield engine
        await engine.close()


async def test_an_engine_elsewhere(stage: Stage, remote: RemoteSynthesizer) -> None:
    assert remote.voices("en-IN") == {"af_heart"}
    assert remote.version == "1-remote1"
    request = SpeechRequest("Hello there.", "en", "af_heart", 1.5, "happy", 0.7)
    pcm = b"".join([chunk async for chunk in remote.synthesize(request, deadline_s=20)])
    assert len(pcm) / 2 / remote.sample_rate == pytest.approx(12 * 0.05, abs=0.01)
    got = stage.fast.requests[-1]
    assert (got.text, got.voice, got.speed, got.emotion, got.intensity) == (
        "Hello there.",
        "af_heart",
        1.5,
        "happy",
        0.7,
    )


async def test_what_goes_wrong_elsewhere_is_told_as_here(stage: Stage, remote: RemoteSynthesizer) -> None:
    async def speak(request: SpeechRequest, deadline_s: float = 20) -> bytes:
        return b"".join([chunk async for chunk in remote.synthesize(request, deadline_s=deadline_s)])

    with pytest.raises(EngineUnavailable, match="kokoro answered 404: voice_not_found"):
        await speak(SpeechRequest("Hello.", "en", "nobody"))
    stage.fast.failures += [EngineUnavailable("down")] * 2
    with pytest.raises(EngineUnavailable, match="kokoro answered 503: engine_unavailable"):
        await speak(SpeechRequest("Hello.", "en"))
    stage.fast.delay_s = 3600
    with pytest.raises(EngineTimeout):
        await speak(SpeechRequest("Hello.", "en"), deadline_s=0.1)
    with pytest.raises(EngineError, match="is elsewhere"):
        await speak(SpeechRequest("Hello.", "en", reference=VoiceReference("v", "/nowhere")))


async def test_of_several_replicas_another_is_asked_once_when_one_dies(
    stage: Stage, remote: RemoteSynthesizer
) -> None:
    """And nothing is said twice: once there was sound, the caller's chain decides."""
    stage.fast.failures.append(EngineError("killed"))
    request = SpeechRequest("Hello there.", "en")
    assert b"".join([chunk async for chunk in remote.synthesize(request, deadline_s=20)])
    asked = len(stage.fast.requests)
    stage.fast.breaks_after = 2
    with pytest.raises(EngineUnavailable):
        async for _ in remote.synthesize(request, deadline_s=20):
            pass
    assert len(stage.fast.requests) == asked + 1


async def test_a_barge_in_reaches_the_engine_elsewhere(stage: Stage, remote: RemoteSynthesizer) -> None:
    stage.fast.chunk_delay_s = 3600
    stream = remote.synthesize(SpeechRequest("Hello there.", "en"), deadline_s=20)
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(20):
        while not stage.fast.cancelled:
            await asyncio.sleep(0.01)


async def test_a_service_that_is_away_or_refuses_is_told_at_the_start(stage: Stage) -> None:
    stage.keys = KEYS
    async with stage.running() as url:
        for engine in (
            RemoteSynthesizer(find("kokoro"), url, "wrong"),
            RemoteSynthesizer(find("indic-parler"), url, KEYS["shop"]),
        ):
            with pytest.raises(EngineUnavailable, match="at http"):
                await engine.start()
            await engine.close()
    with pytest.raises(EngineUnavailable, match="kokoro at http"):
        await RemoteSynthesizer(find("kokoro"), url).start()


def test_what_is_missing_is_told() -> None:
    with pytest.raises(CannotUse, match="hears, it does not speak"):
        new_engine("deepgram")
    with pytest.raises(CannotUse, match=r"CPML.* `licence_accepted: true`"):
        new_engine("xtts-v2", TtsSettings(weights=Path("/w")))
    assert new_engine("xtts-v2", TtsSettings(weights=Path("/w"), licence_accepted=True)).name == "xtts-v2"
    assert isinstance(new_engine("indic-parler", TtsSettings(address="http://gpu:7002")), RemoteSynthesizer)
    with pytest.raises(CannotUse, match="ids of the service by names of your own"):
        new_engine("elevenlabs", TtsSettings(key="k" * 20))


async def test_the_gateway_speaks_with_the_engines_of_its_configuration(tmp_path: Path) -> None:
    """Before Kokoro is loaded, and in a language that it lacks, the embedded voice speaks."""
    write_kokoro(tmp_path / "weights")
    setup = {"kokoro": {"weights": str(tmp_path / "weights"), "device": "cpu"}}
    chains = {"en": {"engines": ["kokoro"], "hedge_ms": 5000}}
    config = Config.model_validate({"engines": {"tts": chains, "setup": setup, "tts_deadline_s": 20}})
    engines = voice_engines(config)
    spare = ToneSynthesizer(name="spare")
    prompts = Prompts(voices_of(config, engines, [spare]), tmp_path / "prompts")

    async def say(text: str, language: str) -> str:
        prompt = prompts.get(Text(text, language), PCMA)
        await asyncio.wait_for(prompt.made, 60)
        assert prompt.route is not None
        return prompt.route.engine

    try:
        assert await say("One moment.", "en") == "spare"
        async with running(engines):
            assert await say("Your order is ready.", "en") == "kokoro"
            assert await say("नमस्ते", "hi") == "spare"
    finally:
        await prompts.close()


async def test_an_engine_that_cannot_start_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Late(ToneSynthesizer):
        tries = 0

        async def start(self) -> None:
            self.tries += 1
            if self.tries < 3:
                raise EngineUnavailable("the GPU is not there yet")

        async def close(self) -> None:
            pass

    monkeypatch.setattr("ivr.speech.RETRY_S", 0.01)
    engine = Late()
    await asyncio.wait_for(start_when_able(engine), 20)
    assert engine.tries == 3
    assert caplog.text.count("does not start: the GPU is not there yet") == 2
