"""The prompt cache: made once, shared, kept, and never in the way of a call."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from engines.contract import EngineTimeout, EngineUnavailable
from engines.switching.places import VoicePlace
from engines.tts.roster import TtsEngine
from ivr.flow.protocol import AudioFile, Text
from ivr.prompts import Lookups, Prompt, PromptLimits, Prompts
from media.codecs import G722, PCMA, PCMU
from tests.fakes.engines import ToneSynthesizer, routed
from tests.fakes.gated import GatedSynthesizer
from tests.flow.calls import write_wav

HELLO = Text("नमस्ते", "hi")
HELLO_MR = Text("नमस्कार मंडळी", "mr")


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


async def test_another_voice_or_rate_is_another_prompt(prompts: Prompts, voice: ToneSynthesizer) -> None:
    wishes = [("", 1.0), ("low", 1.0), ("low", 1.5)]
    for _ in range(2):
        for name, rate in wishes:
            await made(prompts.get(Text("Hello", "en", voice=name, rate=rate), PCMA))
    assert [(request.voice, request.speed) for request in voice.requests] == wishes


async def test_kept_prompts_of_other_voices_are_other_files(
    prompts: Prompts,
) -> None:
    for name, rate in [("", 1.0), ("low", 1.0), ("low", 1.5)]:
        await made(prompts.get(Text("Hello", "en", voice=name, rate=rate), PCMA))
    assert len(list(prompts.files.entries())) == 3


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
        assert len(list(cache.files.entries())) == files
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


async def test_a_model_that_was_switched_speaks_anew(voice: ToneSynthesizer, prompts: Prompts) -> None:
    await made(prompts.get(HELLO, PCMA))
    voice.version = "2"
    await made(prompts.get(HELLO, PCMA))
    await made(prompts.get(HELLO, PCMA))
    assert len(voice.requests) == 2


async def test_a_model_that_is_switched_while_it_speaks_leaves_no_file(tmp_path: Path) -> None:
    voice = GatedSynthesizer()
    cache = Prompts(routed(voice), tmp_path)
    prompt = cache.get(HELLO, PCMA)
    await voice.is_asked(HELLO.text)
    voice.version = "2"
    voice.let(HELLO.text)
    await made(prompt)
    await cache.close()
    assert list(cache.files.entries()) == []


async def test_one_synthesis_serves_all_codecs_after_a_restart(
    voice: ToneSynthesizer, tmp_path: Path
) -> None:
    before = Prompts(routed(voice), tmp_path, codecs=(PCMA, PCMU, G722))
    await made(before.get(HELLO, PCMA))
    await before.close()
    after = Prompts(routed(voice), tmp_path)
    for codec in (PCMU, G722):
        prompt = await made(after.get(HELLO, codec))
        assert abs(prompt.clip.duration_ms - len(HELLO.text) * voice.ms_per_character) <= 20
    await after.close()
    assert len(voice.requests) == 1


async def test_what_became_of_each_wish_is_counted(voice: ToneSynthesizer, tmp_path: Path) -> None:
    for turn in range(2):
        cache = Prompts(routed(voice), tmp_path)
        for _ in range(3):
            await made(cache.get(HELLO, PCMA))
        await made(cache.ahead(Text("Bye", "en"), PCMA))
        assert cache.lookups == Lookups(memory=2, disk=turn, missed=1 - turn), "what is made ahead is no miss"
        await made(cache.get(Text("Bye", "en"), PCMA))
        assert cache.lookups.memory == 3
        await cache.close()


async def test_a_prompt_with_values_is_forgotten_soon_and_at_once_when_asked(tmp_path: Path) -> None:
    limits = PromptLimits(personal_s=0.2)
    cache = Prompts(routed(ToneSynthesizer()), tmp_path, limits=limits)
    named = Text("Hello Sharma", "en", personal=True)
    await made(cache.get(HELLO, PCMA))
    await made(cache.get(named, PCMA))
    async with asyncio.timeout(20):
        while len(cache.memory) == 2:
            await asyncio.sleep(0.01)
    await made(cache.get(named, PCMA))
    cache.forget_personal()
    assert len(cache.memory) == 1
    assert cache.memory.bytes > 0
    await cache.close()


async def test_what_nobody_wants_any_more_is_not_made(tmp_path: Path) -> None:
    voice = GatedSynthesizer()
    cache = Prompts(routed(voice), tmp_path)
    first, second = cache.ahead(HELLO, PCMA), cache.ahead(HELLO, PCMA)
    assert first is second
    await voice.is_asked(HELLO.text)
    cache.release(first)
    await asyncio.sleep(0)
    assert not first.made.done(), "one still wants it"
    cache.release(second)
    await voice.is_cancelled(HELLO.text)
    await asyncio.wait([first.made])
    assert first.clip.finished
    voice.let(HELLO.text)
    assert (await made(cache.get(HELLO, PCMA))).clip.frames
    await cache.close()


async def test_what_many_say_is_finished_once_it_sounds_and_what_has_values_is_not(tmp_path: Path) -> None:
    voice = ToneSynthesizer(chunk_delay_s=0.01)
    cache = Prompts(routed(voice), tmp_path)
    texts = {personal: Text("a longer text, in several chunks", "en", personal) for personal in (False, True)}
    prompts = {personal: cache.get(text, PCMA) for personal, text in texts.items()}
    async with asyncio.timeout(20):
        while not all(prompt.clip.frames for prompt in prompts.values()):
            await asyncio.sleep(0.001)
    for prompt in prompts.values():
        cache.release(prompt)
    for prompt in prompts.values():
        await made(prompt)
    assert prompts[True].made.cancelled()
    assert not prompts[False].failed
    assert cache.files.load(prompts[False].filed) == prompts[False].clip.frames  # type: ignore[arg-type]
    await cache.close()


async def test_a_voice_may_be_slow_while_nobody_waits_for_it_and_not_after(tmp_path: Path) -> None:
    slow, spare = GatedSynthesizer(), ToneSynthesizer(name="spare")
    cache = Prompts(routed(slow, spare, hedge_s=0.01), tmp_path)
    early = cache.ahead(Text("early", "en"), PCMA)
    late = cache.ahead(Text("late", "en"), PCMA)
    await slow.is_asked("early", "late")
    late.hurry()
    await made(late)
    assert [request.text for request in spare.requests] == ["late"]
    assert not early.made.done(), "longer than any voice has while a caller waits"
    slow.let("early")
    await made(early)
    assert [request.text for request in slow.requests] == ["early"]
    assert cache.get(Text("early", "en"), PCMA) is early
    await cache.close()


async def test_what_is_in_memory_is_made_anew_when_another_model_has_the_place(tmp_path: Path) -> None:
    """Also what was on its way when that changed: it is of the old model to its end, and filed as its own."""
    old, new = ToneSynthesizer(version="old"), ToneSynthesizer(version="new")
    place = VoicePlace(cast(TtsEngine, old))
    cache = Prompts(routed(place), tmp_path)
    done = await made(cache.get(HELLO, PCMA))
    old.chunk_delay_s = 0.01
    on_its_way = cache.get(HELLO_MR, PCMA)
    async with asyncio.timeout(5):
        while not on_its_way.clip.frames:
            await asyncio.sleep(0.001)
    place.seat.give(cast(TtsEngine, new))
    await made(on_its_way)
    assert not on_its_way.failed
    assert len(new.requests) == 0
    for text, first in ((HELLO, done), (HELLO_MR, on_its_way)):
        second = await made(cache.get(text, PCMA))
        assert second is not first
        assert cache.get(text, PCMA) is second
    assert [request.text for request in new.requests] == [HELLO.text, HELLO_MR.text]
    await cache.close()


async def test_a_file_whose_prompt_is_spoken_from_memory_counts_as_used(
    prompts: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said every day must not be the first to go."""
    await made(prompts.get(HELLO, PCMA))
    (entry,) = prompts.files.entries()
    os.utime(entry.path, (1.0, 1.0))
    await made(prompts.get(HELLO, PCMA))
    assert entry.path.stat().st_mtime == 1.0, "told once in a while"
    monkeypatch.setattr("ivr.prompts._TOUCH_S", -1.0)
    prompts.get(HELLO, PCMA)
    async with asyncio.timeout(20):
        while entry.path.stat().st_mtime == 1.0:
            await asyncio.sleep(0.001)
