"""The prompt cache: made once, shared, kept, and never in the way of a call."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engines.contract import EngineTimeout, EngineUnavailable
from ivr.flow.protocol import AudioFile, Text
from ivr.prompts import Prompt, Prompts, prune
from media.codecs import PCMA, PCMU
from tests.fakes.engines import ToneSynthesizer, routed
from tests.flow.calls import write_wav

HELLO = Text("नमस्ते", "hi")


@pytest.fixture
async def voice() -> ToneSynthesizer:
    return ToneSynthesizer()


@pytest.fixture
async def prompts(voice: ToneSynthesizer, tmp_path: Path) -> AsyncIterator[Prompts]:
    cache = Prompts(routed(voice), tmp_path / "prompts")
    yield cache
    await cache.close()


async def made(prompt: Prompt) -> Prompt:
    async with asyncio.timeout(5):
        await asyncio.wait([prompt.made])
    return prompt


async def test_a_prompt_is_synthesised_once_and_shared(prompts: Prompts, voice: ToneSynthesizer) -> None:
    first, second = prompts.get(HELLO, PCMA), prompts.get(HELLO, PCMA)
    assert first is second
    await made(first)
    expected_ms = len(HELLO.text) * voice.ms_per_character
    assert abs(first.clip.duration_ms - expected_ms) <= 20
    assert len(voice.requests) == 1


async def test_each_codec_has_its_own_payloads(prompts: Prompts) -> None:
    a = await made(prompts.get(HELLO, PCMA))
    u = await made(prompts.get(HELLO, PCMU))
    assert a.clip.frames != u.clip.frames
    assert len(a.clip.frames) == len(u.clip.frames)


async def test_what_was_said_before_comes_from_disk_after_a_restart(
    voice: ToneSynthesizer, tmp_path: Path
) -> None:
    folder = tmp_path / "prompts"
    before = Prompts(routed(voice), folder)
    first = await made(before.get(HELLO, PCMA))
    await before.close()
    after = Prompts(routed(voice), folder)
    second = await made(after.get(HELLO, PCMA))
    await after.close()
    assert second.clip.frames == first.clip.frames
    assert len(voice.requests) == 1


async def test_a_new_engine_version_never_speaks_with_an_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    for version in ("1", "2"):
        voice = ToneSynthesizer(version=version)
        cache = Prompts(routed(voice), folder)
        await made(cache.get(HELLO, PCMA))
        await cache.close()
        assert len(voice.requests) == 1


async def test_personal_prompts_are_not_kept_on_disk(prompts: Prompts, tmp_path: Path) -> None:
    await made(prompts.get(Text("नमस्ते शर्मा जी", "hi", personal=True), PCMA))
    assert not list((tmp_path / "prompts").glob("*/*"))


async def test_the_next_voice_speaks_when_the_first_is_down(tmp_path: Path) -> None:
    broken = ToneSynthesizer(name="broken", failures=deque([EngineUnavailable("starting")]))
    spare = ToneSynthesizer(name="spare")
    cache = Prompts(routed(broken, spare), tmp_path)
    prompt = await made(cache.get(HELLO, PCMA))
    await cache.close()
    assert not prompt.failed
    assert prompt.clip.frames
    assert len(spare.requests) == 1


async def test_without_any_voice_the_prompt_fails_and_is_tried_anew(
    voice: ToneSynthesizer, prompts: Prompts
) -> None:
    voice.failures.append(EngineTimeout())
    first = await made(prompts.get(HELLO, PCMA))
    assert first.failed
    assert first.clip.finished
    second = await made(prompts.get(HELLO, PCMA))
    assert not second.failed


async def test_a_language_nobody_speaks_fails_with_its_name(prompts: Prompts) -> None:
    prompt = await made(prompts.get(Text("bonjour", "fr"), PCMA))
    with pytest.raises(Exception, match="'fr'"):
        prompt.made.result()


async def test_a_prompt_plays_while_it_grows(tmp_path: Path) -> None:
    voice = ToneSynthesizer(chunk_delay_s=0.01)
    cache = Prompts(routed(voice), tmp_path)
    prompt = cache.get(Text("a longer text, in several chunks", "en"), PCMA)
    async with asyncio.timeout(5):
        while not prompt.clip.frames:
            await asyncio.sleep(0.001)
    assert not prompt.clip.finished
    await made(prompt)
    await cache.close()


async def test_a_missing_audio_file_is_replaced_by_its_text(prompts: Prompts, voice: ToneSynthesizer) -> None:
    prompt = await made(prompts.get(AudioFile("/nowhere/hello.wav", instead=HELLO), PCMA))
    assert prompt.clip.frames
    assert len(voice.requests) == 1


async def test_a_disk_that_cannot_be_written_costs_the_cache_only(
    voice: ToneSynthesizer, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    cache = Prompts(routed(voice), blocked)
    prompt = await made(cache.get(HELLO, PCMA))
    await cache.close()
    assert not prompt.failed


def test_the_least_recently_used_files_go_first(tmp_path: Path) -> None:
    import os

    for age, name in enumerate(("new", "middle", "old")):
        path = tmp_path / "ab" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (1000 - age, 1000 - age))
    prune(tmp_path, limit_bytes=200)
    assert sorted(path.stem for path in tmp_path.glob("*/*")) == ["middle", "new"]


async def test_another_voice_or_rate_is_another_prompt(prompts: Prompts, voice: ToneSynthesizer) -> None:
    wishes = [("", 1.0), ("low", 1.0), ("low", 1.5)]
    for _ in range(2):
        for name, rate in wishes:
            await made(prompts.get(Text("Hello", "en", voice=name, rate=rate), PCMA))
    assert [(request.voice, request.speed) for request in voice.requests] == wishes


async def test_kept_prompts_of_other_voices_are_other_files(
    prompts: Prompts, voice: ToneSynthesizer, tmp_path: Path
) -> None:
    for name, rate in [("", 1.0), ("low", 1.0), ("low", 1.5)]:
        await made(prompts.get(Text("Hello", "en", voice=name, rate=rate), PCMA))
    assert len(list((tmp_path / "prompts").rglob("*.wav"))) == 3


async def test_an_engine_that_steps_in_without_the_voice_speaks_as_itself(tmp_path: Path) -> None:
    first = ToneSynthesizer(failures=deque([EngineUnavailable("down")]))
    second = ToneSynthesizer(known_voices=frozenset(), name="other")
    cache = Prompts(routed(first, second), tmp_path / "prompts")
    prompt = await made(cache.get(Text("Hello", "en", voice="low", rate=0.8), PCMA))
    assert not prompt.failed
    assert [(request.voice, request.speed) for request in second.requests] == [("", 0.8)]
    await cache.close()


async def test_a_changed_recording_is_another_prompt(prompts: Prompts, tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    write_wav(path, b"\0\1" * 1600)
    before = await made(prompts.get(AudioFile(str(path), None, "one"), PCMA))
    write_wav(path, b"\0\2" * 3200)
    assert prompts.get(AudioFile(str(path), None, "one"), PCMA) is before
    after = await made(prompts.get(AudioFile(str(path), None, "two"), PCMA))
    assert (before.clip.duration_ms, after.clip.duration_ms) == (200, 400)


async def test_a_cloned_voice_is_not_kept_on_disk(tmp_path: Path) -> None:
    """Deleting a voice profile must leave nothing of the person's voice."""
    voice = ToneSynthesizer(known_voices=frozenset({"low", "voice_0123456789abcdef01234567"}))
    cache = Prompts(routed(voice), tmp_path / "prompts")
    for name, files in (("voice_0123456789abcdef01234567", 0), ("low", 1)):
        await cache.get(Text("Welcome", "en", voice=name), PCMA).made
        assert voice.requests[-1].voice == name
        assert len(list((tmp_path / "prompts").glob("*/*.wav"))) == files
    await cache.close()


async def test_the_first_choice_speaks_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt that another voice stood in for is kept for a while, and then made anew."""
    monkeypatch.setattr("ivr.prompts.SUBSTITUTE_S", 0.0)
    first = ToneSynthesizer(name="first", failures=deque([EngineUnavailable("down")]))
    second = ToneSynthesizer(name="second")
    cache = Prompts(routed(first, second), tmp_path / "prompts")
    for _ in range(3):
        await cache.get(HELLO, PCMA).made
    assert (len(first.requests), len(second.requests)) == (2, 1)
    monkeypatch.setattr("ivr.prompts.SUBSTITUTE_S", 30.0)
    other = Text("Welcome", "en")
    first.failures.append(EngineUnavailable("down"))
    for _ in range(3):
        await cache.get(other, PCMA).made
    assert (len(first.requests), len(second.requests)) == (3, 2)
    await cache.close()
