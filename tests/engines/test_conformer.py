"""The adapter of IndicConformer against a recorded contract: packages with the names, signatures and failures
of the real ones, on the worker's path.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engines.asr.remote import WorkerRecognizer
from engines.catalogue import Installed, find
from engines.contract import EngineError, EngineUnavailable, RecognitionRequest, Transcript
from engines.launch import WorkerCommand
from engines.supervisor import Limits
from tests.fakes.speech import frames, noise, silence

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRY = find("indic-conformer")
PACKAGES = Path(__file__).parents[1] / "fakes" / "conformer_packages"
HINDI = RecognitionRequest("hi", 8000)


def conformer(model: Path) -> WorkerRecognizer:
    assert isinstance(ENTRY.runs, Installed)
    root = Path(__file__).parents[2]
    command = WorkerCommand(
        ENTRY.runs.worker,
        sys.executable,
        environment={"PYTHONPATH": f"{PACKAGES}:{root}"},
        settings={"model": str(model)},
    )
    return WorkerRecognizer("indic-conformer", "1", command, Limits(start_s=60, stuck_s=60), ENTRY.speaks)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerRecognizer]:
    engine = conformer(tmp_path_factory.mktemp("weights"))
    await engine.start()
    yield engine
    await engine.close()


def loud(tenths: int) -> bytes:
    return noise(800 * tenths, 3000)


async def hear(engine: WorkerRecognizer, pcm: bytes, request: RecognitionRequest = HINDI) -> Transcript:
    stream = engine.open(request)
    stream.write(pcm)
    return await stream.finish(deadline_s=60)


async def test_an_utterance(engine: WorkerRecognizer) -> None:
    heard = await hear(engine, silence(800) + loud(10) + silence(800))
    assert heard.text.split()[0] == "hi"
    assert int(heard.text.split()[1]) in (10, 11)
    assert (heard.language, heard.confidence) == ("hi", 0.7)
    assert (await hear(engine, silence(8000))).text == ""
    marathi = await hear(engine, loud(5), RecognitionRequest("mr-IN", 8000))
    assert marathi.text.startswith("mr ")
    assert (await hear(engine, loud(1))).text  # shorter than the model's least


async def test_partials_and_a_pause(engine: WorkerRecognizer) -> None:
    partials: list[Transcript] = []
    stream = engine.open(HINDI, partials.append)
    for frame in frames(loud(30) + silence(4000)):
        stream.write(frame)
    async with asyncio.timeout(60):
        while not partials:
            await asyncio.sleep(0.01)
    final = await stream.finish(deadline_s=60)
    assert partials
    assert final.text


async def test_long_speech_is_cut_where_it_is_quiet(engine: WorkerRecognizer) -> None:
    """Every window fits the model, which asserts it; together they have heard all of it."""
    pcm = (loud(40) + silence(2400)) * 10
    heard = await hear(engine, pcm)
    assert len(heard.segments) >= 3
    counted = sum(int(text) for text in heard.text.split() if text.isdigit())
    assert counted == pytest.approx(400, abs=12)
    whole = await engine.transcribe(pcm, HINDI, idle_s=60, deadline_s=60)
    assert whole.text == heard.text


async def test_what_the_model_does_not_do(engine: WorkerRecognizer) -> None:
    with pytest.raises(EngineError, match="does not speak 'en'"):
        engine.open(RecognitionRequest("en", 8000))
    assert not engine.supports(RecognitionRequest("", 8000))
    with pytest.raises(EngineError, match="find out the language"):
        await engine.detect(loud(5), HINDI, deadline_s=60)


async def test_out_of_memory_costs_one_utterance(engine: WorkerRecognizer) -> None:
    pid = engine.health.pid
    with pytest.raises(EngineError, match="CUDA out of memory"):
        await hear(engine, loud(13))
    assert (await hear(engine, loud(5))).text
    assert engine.health.pid == pid


async def test_weights_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="not a local folder"):
        await conformer(tmp_path / "none").start()
