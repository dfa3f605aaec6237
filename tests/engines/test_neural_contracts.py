"""The adapters of the engines that need torch, against the recorded contracts of their packages: they speak,
stop, clone, forget, and survive what goes wrong in a model.
"""

from __future__ import annotations

import asyncio
import os
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from engines.catalogue import Installed, find
from engines.contract import EngineError, EngineTimeout, SpeechRequest, VoiceReference
from engines.launch import WorkerCommand
from engines.supervisor import Limits, WorkerState
from engines.tts.neural import NeuralSynthesizer

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "tests" / "fakes" / "packages"
SPEAKS = {
    "chatterbox-turbo": "en",
    "chatterbox-multilingual": "hi",
    "indic-parler": "mr",
    "cosyvoice3": "en",
    "vibevoice-realtime": "en",
    "xtts-v2": "hi",
    "glm-tts": "en",
}
CLONES = {"chatterbox-turbo", "chatterbox-multilingual", "cosyvoice3", "xtts-v2", "glm-tts"}
LIMITS = Limits(start_s=60, ping_every_s=0.1, stuck_s=1.0, backoff_first_s=0.05, memory_bytes=2**30)

TOKEN_S = 0.04
"""Of sound; a text takes two tokens a character."""

module_wide = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Tried:
    """An engine with the log of what its package was called with."""

    engine: NeuralSynthesizer
    language: str
    log: Path
    folder: Path

    @property
    def name(self) -> str:
        return self.engine.name

    def notes(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []

    def tokens_of(self, word: str) -> int:
        """How many were generated of the sentences with the word."""
        return sum(note.startswith("token ") and word in note for note in self.notes())

    def request(self, text: str, **more: object) -> SpeechRequest:
        return SpeechRequest(text, self.language, **more)  # type: ignore[arg-type]

    async def chunks(self, request: SpeechRequest, deadline_s: float = 20) -> list[bytes]:
        return [chunk async for chunk in self.engine.synthesize(request, deadline_s=deadline_s)]

    def seconds(self, chunks: list[bytes]) -> float:
        return len(b"".join(chunks)) / 2 / self.engine.sample_rate

    def reference(self, key: str, transcript: str = "these are my words") -> VoiceReference:
        path = self.folder / f"{key}.wav"
        write_wav(path)
        return VoiceReference(key, str(path), transcript)


def write_wav(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(bytes(48000))


def weights(folder: Path) -> Path:
    """The files that the adapters look for; the contracts read none of them."""
    made = folder / "weights"
    (made / "voices").mkdir(parents=True)
    (made / "llm").mkdir()
    for name in ("conds.pt", "voices/Emma.pt", "voices/Emma.txt"):
        (made / name).write_text("the words of Emma", encoding="utf-8")
    for name in ("config.json", "llm/config.json"):
        (made / name).write_text("{}", encoding="utf-8")
    write_wav(made / "voices" / "Emma.wav")
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SPEAKS)
async def tried(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Tried]:
    folder = tmp_path_factory.mktemp(request.param)
    code = folder / "checkout"
    code.mkdir()
    told = {"weights": str(weights(folder)), "device": "cpu", "code": str(code)}
    entry = find(request.param)
    assert isinstance(entry.runs, Installed)
    log = folder / "log"
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(PACKAGES)]),
        "CONTRACT_LOG": str(log),
    }
    engine = NeuralSynthesizer(
        entry, WorkerCommand(entry.runs.worker, environment=environment, settings=told), limits=LIMITS
    )
    await engine.start()
    yield Tried(engine, SPEAKS[request.param], log, folder)
    await engine.close()


@module_wide
async def test_it_speaks_sentence_by_sentence_in_short_pieces(tried: Tried) -> None:
    engine = tried.engine
    assert engine.sample_rate == find(tried.name).rate
    assert engine.supports(tried.language)
    assert not engine.supports("xx")
    chunks = await tried.chunks(tried.request("First of all. Then the second one! -"))
    assert max(map(len, chunks)) <= 2 * engine.sample_rate * 60 // 1000
    spoken = len("First of all.") + len("Then the second one!")
    assert tried.seconds(chunks) == pytest.approx(2 * spoken * TOKEN_S, abs=0.3)
    assert tried.tokens_of("First of all.") == 26
    assert engine.health.jobs == 0


@module_wide
async def test_the_first_sound_comes_while_the_rest_is_made(tried: Tried) -> None:
    stream = tried.engine.synthesize(tried.request("Now. " + "Later and later. " * 20), deadline_s=20)
    assert await anext(stream)
    await stream.aclose()
    assert tried.tokens_of("Later and later.") < 10 * 32


@module_wide
async def test_a_barge_in_stops_the_generation(tried: Tried) -> None:
    """A sentence of 600 tokens is left long before its end, and the next caller is served at once."""
    long = "interrupted " + "and so on " * 28
    stream = tried.engine.synthesize(tried.request(long), deadline_s=20)
    asking = asyncio.ensure_future(anext(stream))
    async with asyncio.timeout(20):
        while tried.tokens_of("interrupted") < 3:
            await asyncio.sleep(0.005)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await stream.aclose()
    assert await tried.chunks(tried.request("Next."))
    assert tried.tokens_of("interrupted") < 400
    assert tried.engine.health.restarts == 0


@module_wide
async def test_sounds_and_feelings_are_the_engines_own(tried: Tried) -> None:
    await tried.chunks(tried.request("[laugh] Wonderful [breath] news.", emotion="happy", intensity=1.0))
    said = "\n".join(tried.notes())
    assert ("[laugh]" in said) == (tried.name == "chatterbox-turbo")
    assert ("[laughter] Wonderful [breath] news." in said) == (tried.name == "cosyvoice3")
    if tried.name == "chatterbox-multilingual":
        assert "style 0.9 0.3" in said
    if tried.name == "indic-parler":
        assert "description Sunita speaks at a moderate pace in a very happy and cheerful tone" in said
    if tried.name == "cosyvoice3":
        assert "instruction You are a helpful assistant. Please say it in a very happy" in said


@module_wide
@pytest.mark.parametrize(("word", "told"), [("OOM", "out of memory: CUDA"), ("BREAK", "inf, nan")])
async def test_a_failure_of_the_model_costs_one_request(
    tried: Tried, word: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    pid = tried.engine.health.pid
    with pytest.raises(EngineError, match=told) as failed:
        await tried.chunks(tried.request(f"A secret fails: {word}."))
    assert "secret" not in f"{failed.value} {caplog.text}"
    assert await tried.chunks(tried.request("This does not."))
    assert tried.engine.health.pid == pid


@module_wide
async def test_a_voice_is_cloned_once_and_forgotten(tried: Tried) -> None:
    if tried.name not in CLONES:
        with pytest.raises(EngineError, match="cannot clone"):
            await tried.chunks(tried.request("Hello.", reference=tried.reference("none")))
        return
    one, other = tried.reference("one"), tried.reference("other")

    def derived(key: str) -> int:
        return sum(note.startswith("derived") and f"{key}.wav" in note for note in tried.notes())

    for reference in (one, other, one):
        await tried.chunks(tried.request(f"I am {reference.key}.", reference=reference))
    await tried.chunks(tried.request("I am nobody."))
    assert (derived("one"), derived("other")) == (1, 1)
    said = [note.partition(": ") for note in tried.notes() if note.startswith("spoken with")]
    if said:
        assert all("one.wav" in voice for voice, _, text in said if text == "I am one.")
        assert all("other.wav" in voice for voice, _, text in said if text == "I am other.")
        assert not any("one.wav" in voice for voice, _, text in said if "nobody" in text)
    await tried.engine.forget("one")
    os.unlink(one.path)
    with pytest.raises(EngineError, match="reference audio is gone"):
        await tried.chunks(tried.request("I am one.", reference=one))
    await tried.chunks(tried.request("I am other.", reference=other))
    assert derived("other") == 1


@module_wide
async def test_an_unknown_voice_is_told(tried: Tried) -> None:
    with pytest.raises(EngineError, match="has no voice 'nobody' in"):
        await tried.chunks(tried.request("Hello.", voice="nobody"))
    for name in sorted(tried.engine.voices(tried.language))[:2]:
        assert await tried.chunks(tried.request("Hello.", voice=name))


@module_wide
async def test_who_waits_in_line_is_served_or_told(tried: Tried) -> None:
    """One sentence at a time: three callers get theirs one after another; who cannot wait is told."""
    texts = ["Number one.", "Number two, a longer one.", "Three."]
    got = await asyncio.gather(*(tried.chunks(tried.request(text)) for text in texts))
    for text, chunks in zip(texts, got, strict=True):
        assert tried.seconds(chunks) == pytest.approx(2 * len(text) * TOKEN_S, abs=0.3)
    line = "Hold the line, " * 40 + "please."
    holding = asyncio.create_task(tried.chunks(tried.request(line)))
    async with asyncio.timeout(20):
        while not tried.tokens_of("Hold the line"):
            await asyncio.sleep(0.001)
    with pytest.raises(EngineTimeout, match=f"{tried.name} was busy: it makes 1 sentences at once"):
        await tried.chunks(tried.request("Hurry."), deadline_s=0.01)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


@module_wide
async def test_a_hanging_model_is_replaced(tried: Tried) -> None:
    """The caller is told at his deadline; a new worker speaks soon after."""
    pid = tried.engine.health.pid
    with pytest.raises(EngineTimeout):
        await tried.chunks(tried.request("HANG"), deadline_s=0.3)
    async with asyncio.timeout(60):
        while tried.engine.health.pid in (pid, None) or tried.engine.health.state is not WorkerState.UP:
            await asyncio.sleep(0.02)
    assert await tried.chunks(tried.request("Here again."))


async def test_missing_weights_are_told_before_any_call(tmp_path: Path) -> None:
    entry = find("chatterbox-turbo")
    assert isinstance(entry.runs, Installed)
    told = {"weights": str(tmp_path / "nowhere")}
    engine = NeuralSynthesizer(entry, WorkerCommand(entry.runs.worker, settings=told), limits=LIMITS)
    with pytest.raises(EngineError, match=r"the weights are missing .* run `ivr engines install`"):
        await engine.start()
