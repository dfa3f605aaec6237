"""Kokoro by its real package, on weights made here: random values in the real form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engines.catalogue import find
from engines.contract import EngineError, SpeechRequest
from engines.launch import WorkerCommand
from engines.tts.neural import NeuralSynthesizer
from tests.fakes.kokoro import write_kokoro

module_wide = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NeuralSynthesizer]:
    folder = tmp_path_factory.mktemp("kokoro")
    write_kokoro(folder)
    engine = NeuralSynthesizer(find("kokoro"), kokoro(folder), streams=4)
    await engine.start()
    yield engine
    await engine.close()


def kokoro(folder: Path) -> WorkerCommand:
    return WorkerCommand("engines.tts.kokoro_worker:KokoroEngine", settings={"weights": str(folder)})


async def speak(engine: NeuralSynthesizer, text: str, language: str, voice: str = "") -> bytes:
    request = SpeechRequest(text, language, voice)
    return b"".join([chunk async for chunk in engine.synthesize(request, deadline_s=30)])


@module_wide
async def test_it_speaks_english_and_hindi(engine: NeuralSynthesizer) -> None:
    assert engine.sample_rate == 24000
    assert engine.version.startswith("0.6")
    assert engine.voices("en") == {"af_heart", "am_adam", "bf_emma"}
    assert engine.voices("hi-IN") == {"hf_alpha", "hm_omega"}
    assert not engine.supports("mr")
    english = await speak(engine, "Your order is ready. Thank you.", "en")
    hindi = await speak(engine, "आपका ऑर्डर तैयार है। धन्यवाद।", "hi")
    assert len(english) > 24000
    assert len(hindi) > 24000
    assert english == await speak(engine, "Your order is ready. Thank you.", "en", "af_heart")
    assert english != await speak(engine, "Your order is ready. Thank you.", "en", "am_adam")


@module_wide
async def test_many_callers_at_once_hear_their_own_text(engine: NeuralSynthesizer) -> None:
    texts = [
        f"This is caller number {['one', 'two', 'three', 'four', 'five', 'six', 'seven'][n]}."
        for n in range(7)
    ]
    alone = [await speak(engine, text, "en") for text in texts]
    assert len(set(alone)) == 7
    assert await asyncio.gather(*(speak(engine, text, "en") for text in texts)) == alone


@module_wide
async def test_leaving_early_gives_the_place_back(engine: NeuralSynthesizer) -> None:
    for _ in range(8):
        stream = engine.synthesize(SpeechRequest("Word after word. " * 200, "en"), deadline_s=30)
        chunk = await anext(stream)
        assert len(chunk) <= 2 * 24 * 60
        await stream.aclose()
    assert engine.health.jobs == 0
    assert await speak(engine, "Still here.", "en")


@module_wide
async def test_what_it_cannot_say_is_told_or_left_out(engine: NeuralSynthesizer) -> None:
    assert await speak(engine, "… - ! [cough]", "en") == b""
    with pytest.raises(EngineError, match="does not speak 'mr'"):
        await speak(engine, "नमस्कार", "mr")
    with pytest.raises(EngineError, match="no voice 'jf_alpha' in en; it has af_heart, am_adam, bf_emma"):
        await speak(engine, "Hello.", "en", "jf_alpha")
    assert await speak(engine, "Still here.", "en")


async def test_weights_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "kokoro-v1.0.onnx").write_bytes(b"an error page")
    with pytest.raises(EngineError, match="did not start"):
        await NeuralSynthesizer(find("kokoro"), kokoro(tmp_path)).start()
