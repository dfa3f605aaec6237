"""An advice on the end of a turn: its features are Whisper's, its model is a file, it may be late or down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import onnx
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from onnx import TensorProto, helper

from engines.contract import EngineUnavailable
from engines.turns.features import BANDS, FRAMES, RATE, features
from engines.turns.smart_turn import SmartTurn, installed_model
from engines.turns.smart_turn_worker import SmartTurnModel
from ivr.config import Config, ConfigError
from ivr.recognition import advisor_of
from ivr.speech_config import Engines
from tests.fakes.speech import noise, silence, spoken


def made_model(path: Path, name: str = "input_features") -> Path:
    """As smart-turn's, but all that it looks at is the last half second: the louder, the less over."""
    nodes = [
        helper.make_node("Slice", [name, "from", "to", "axis"], ["last"]),
        helper.make_node("ReduceMean", ["last"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Neg", ["mean"], ["quiet"]),
        helper.make_node("Mul", ["quiet", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["moved"]),
        helper.make_node("Sigmoid", ["moved"], ["logits"]),
    ]
    places = {"from": [FRAMES - 50], "to": [FRAMES], "axis": [2]}
    constants = [helper.make_tensor(key, TensorProto.INT64, [1], value) for key, value in places.items()]
    for key, value in {"scale": 12.0, "offset": 4.0}.items():
        constants.append(helper.make_tensor(key, TensorProto.FLOAT, [1], [value]))
    graph = helper.make_graph(
        nodes,
        "turn",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", BANDS, FRAMES])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def test_the_features_are_those_of_whisper() -> None:
    said = np.frombuffer(spoken("नमस्ते, मेरा ऑर्डर कहाँ है", "hi"), "<i2").astype(np.float32) / 32768
    samples = np.repeat(said, 2)
    padded = np.concatenate((np.zeros(8 * RATE - len(samples), np.float32), samples))
    normal = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
    theirs = FeatureExtractor(feature_size=80, chunk_length=8)(normal.astype(np.float32), padding=0)
    ours = features(samples)
    assert ours.shape == theirs.shape == (BANDS, FRAMES)
    assert np.max(np.abs(ours - theirs)) < 2e-3


def test_only_the_last_8_s_count() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 10 * RATE).astype(np.float32)
    assert np.array_equal(features(samples), features(samples[-8 * RATE :]))
    assert features(np.zeros(0, np.float32)).shape == (BANDS, FRAMES)


def test_the_model_hears_the_end_of_what_it_is_given(tmp_path: Path) -> None:
    model = SmartTurnModel(made_model(tmp_path / "turn.onnx"))
    speech = spoken("मेरा ऑर्डर कहाँ है", "hi")
    assert model.probability(speech + silence(8000), 8000) > 0.9
    assert model.probability(silence(8000) + noise(8000, 8000), 8000) < 0.1


def test_another_model_or_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model of smart-turn v3"):
        SmartTurnModel(made_model(tmp_path / "other.onnx", name="audio"))
    (tmp_path / "text.onnx").write_text("no model at all")
    with pytest.raises(ValueError, match="cannot load the model"):
        SmartTurnModel(tmp_path / "text.onnx")


async def test_the_worker_answers_on_the_loop(tmp_path: Path) -> None:
    engine = SmartTurn(made_model(tmp_path / "turn.onnx"))
    await engine.start()
    try:
        told: asyncio.Queue[float] = asyncio.Queue()
        async with asyncio.timeout(30):
            while told.empty():  # an advice may always be late
                engine.ask(spoken("नमस्ते", "hi") + silence(8000), 8000, told.put_nowait)
                await asyncio.sleep(0.05)
            assert await told.get() > 0.9
    finally:
        await engine.close()


async def test_a_model_that_is_down_costs_nobody_anything(tmp_path: Path) -> None:
    engine = SmartTurn(tmp_path / "missing.onnx")
    told: list[float] = []
    for _ in range(50):
        engine.ask(bytes(16000), 8000, told.append)
    await asyncio.sleep(0)
    await engine.close()
    assert told == []


def test_the_wheel_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineUnavailable, match="pip install --no-deps pipecat-ai"):
        installed_model()
    with pytest.raises(ConfigError, match=r"engines.smart_turn: the package pipecat-ai is not installed"):
        advisor_of(Config(engines=Engines(smart_turn="installed")))
    assert advisor_of(Config()) is None
