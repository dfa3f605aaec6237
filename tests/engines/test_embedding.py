"""A model of meaning on the recorded contract of sentence-transformers, in a worker of its own."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from engines.contract import EngineDown, EngineError, EngineTimeout, EngineUnavailable
from engines.embedding.encoder import Encoder, EncoderSettings, command_of
from engines.embedding.use import Use
from engines.embedding.worker import EncodingJob, SentenceTransformersEngine
from engines.running_here import CannotUse
from engines.supervisor import Limits, WorkerState
from engines.wire import Fields
from engines.worker.engine import JobError, Progress
from engines.worker.queue import Priority, Want
from engines.worker.settings import packed
from tests.fakes.encoders import NAME, PACKAGES, command_in, encoded, weights_in

LIMITS = Limits(start_s=60, ping_wait_s=20, stuck_s=60)
LONG_S = 25.0

module_wide = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoder")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encoder(folder: Path) -> AsyncIterator[Encoder]:
    encoder = Encoder(NAME, command_in(folder), LIMITS)
    await encoder.start()
    yield encoder
    await encoder.close()


@module_wide
async def test_a_question_and_passages_are_told_apart_as_the_model_was_taught(
    encoder: Encoder, folder: Path
) -> None:
    texts = [f"दुकान {at}" for at in range(9)]
    passages = await encoder.encode(texts, Use.PASSAGE, deadline_s=LONG_S)
    (question,) = await encoder.encode(["दुकान 7"], Use.QUESTION, deadline_s=LONG_S)
    assert [len(row) for row in (*passages, question)] == [384] * 10
    assert [float(np.linalg.norm(row)) for row in passages] == pytest.approx([1.0] * 9, abs=1e-5)
    assert int(np.argmax([row @ question for row in passages])) == 7, "they come in their order"
    *steps, last = encoded(folder)[-4:]
    assert [text for step in steps for text in step] == [f"passage: {text}" for text in texts]
    assert [len(step) for step in steps] == [4, 4, 1], "a question would wait for a few, not for all"
    assert last == ["query: दुकान 7"]


@module_wide
async def test_what_a_model_cannot_do_costs_that_request_alone(encoder: Encoder) -> None:
    worker = encoder.health.pid
    with pytest.raises(EngineError, match="must match the size"):
        await encoder.encode(["fine", "BREAK"], Use.PASSAGE, deadline_s=LONG_S)
    with pytest.raises(EngineError, match="1 to 256 texts are encoded at once, not 0"):
        await encoder.encode([], Use.PASSAGE, deadline_s=LONG_S)
    with pytest.raises(EngineError, match="over 1024 KiB"):
        await encoder.encode(["a" * 2**20], Use.PASSAGE, deadline_s=LONG_S)
    assert len(await encoder.encode(["fine"], Use.QUESTION, deadline_s=LONG_S)) == 1
    assert encoder.health.pid == worker


async def test_one_that_hangs_is_late_once_and_replaced(tmp_path: Path) -> None:
    limits = replace(LIMITS, ping_every_s=0.05, stuck_s=1.0, backoff_first_s=0.02)
    encoder = Encoder(NAME, command_in(tmp_path), limits)
    await encoder.start()
    hung = encoder.health.pid
    with pytest.raises(EngineTimeout):
        await encoder.encode(["HANG"], Use.QUESTION, deadline_s=0.05)
    async with asyncio.timeout(LONG_S):
        while encoder.health.pid in (hung, None) or encoder.health.state is not WorkerState.UP:
            await asyncio.sleep(0.01)
    assert len(await encoder.encode(["fine"], Use.QUESTION, deadline_s=LONG_S)) == 1
    await encoder.close()


async def test_one_that_does_not_start_says_why_and_may_be_tried_again(tmp_path: Path) -> None:
    command = command_in(tmp_path)
    (tmp_path / NAME / "modules.json").unlink()
    encoder = Encoder(NAME, command, LIMITS)
    with pytest.raises(EngineDown):
        await encoder.encode(["fine"], Use.QUESTION, deadline_s=LONG_S)
    with pytest.raises(EngineUnavailable, match=r"does not appear to have a file named modules\.json"):
        await encoder.start()
    (tmp_path / NAME / "modules.json").write_text("[]")
    await encoder.start()
    assert len(await encoder.encode(["fine"], Use.QUESTION, deadline_s=LONG_S)) == 1
    await encoder.close()


def test_other_weights_may_want_other_words_before_their_texts(tmp_path: Path) -> None:
    here = EncoderSettings(Path(sys.executable), tmp_path)
    told = command_of(NAME, here).settings
    assert (told["question"], told["passage"], told["device"]) == ("query: ", "passage: ", "cpu")
    told = command_of(NAME, replace(here, more={"question": "", "passage": "Text: "})).settings
    assert (told["question"], told["passage"]) == ("", "Text: ")


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match=f"has no weights: run `ivr engines install {NAME}`"):
        command_of(NAME, EncoderSettings(Path(sys.executable)))
    with pytest.raises(CannotUse, match=f"has no environment: run `ivr engines install {NAME}`"):
        command_of(NAME, EncoderSettings(weights=tmp_path))
    with pytest.raises(CannotUse, match="kokoro speaks, it makes no vectors"):
        command_of("kokoro", EncoderSettings(Path(sys.executable), tmp_path))


# --- inside the worker


class Reply:
    """The way back to who asked."""

    cancelled = False

    def __init__(self) -> None:
        self.rows: list[bytes] = []

    def send(self, data: bytes, fields: Fields | None = None) -> None:
        assert fields == {"dimensions": 384}
        self.rows.append(data)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SentenceTransformersEngine:
    told = packed({"model": str(weights_in(tmp_path)), "question": "query: "})
    for variable, value in {**told, "CONTRACT_LOG": str(tmp_path / "log")}.items():
        monkeypatch.setenv(variable, value)
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(PACKAGES))
        package = importlib.import_module("sentence_transformers")
    monkeypatch.setitem(sys.modules, "sentence_transformers", package)
    return SentenceTransformersEngine()


def asked(engine: SentenceTransformersEngine, use: str, texts: bytes) -> tuple[EncodingJob, Reply]:
    reply = Reply()
    job = engine.open({"use": use}, reply)
    job.feed(texts)
    job.finish()
    return job, reply


def test_questions_that_wait_together_are_encoded_together(
    engine: SentenceTransformersEngine, tmp_path: Path
) -> None:
    jobs = [asked(engine, "question", texts) for texts in (b'["one"]', b'["two", "three"]', b'["four"]')]
    assert {job.want() for job, _ in jobs} == {Want(Priority.FINAL, Use.QUESTION)}
    assert engine.step_together([job for job, _ in jobs]) == [Progress.DONE] * 3
    assert encoded(tmp_path)[-1] == ["query: one", "query: two", "query: three", "query: four"]
    alone = engine.encode(["two", "three"], Use.QUESTION)
    assert jobs[1][1].rows == [alone.tobytes()]


def test_passages_wait_until_no_caller_does(engine: SentenceTransformersEngine, tmp_path: Path) -> None:
    job, _ = asked(engine, "passage", b'["a", "b", "c", "d", "e"]')
    assert job.want() == Want(Priority.BULK)
    assert (job.step(), job.step()) == (Progress.MORE, Progress.DONE)
    assert encoded(tmp_path)[-2:] == [["a", "b", "c", "d"], ["e"]], "without a prefix, where none is set"


@pytest.mark.parametrize(
    ("use", "texts", "says"),
    [
        ("poem", b"[]", "as one of question, passage"),
        ("question", b"\xff", "no JSON"),
        ("question", b"{}", "no list of texts"),
        ("question", b"[1]", "no list of texts"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    engine: SentenceTransformersEngine, use: str, texts: bytes, says: str
) -> None:
    with pytest.raises(JobError, match=says):
        asked(engine, use, texts)
