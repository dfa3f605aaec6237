"""Weights for kokoro-onnx in its own form: a small ONNX graph of random values with the inputs and outputs of
Kokoro v1.0, and a file of random styles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TOKEN_SAMPLES = 600
"""Of sound for each token, at 24 kHz."""

VOICES = ("af_heart", "am_adam", "bf_emma", "hf_alpha", "hm_omega", "jf_alpha")


def write_kokoro(folder: Path) -> None:
    """`kokoro-v1.0.onnx` and `voices-v1.0.bin`; the sound depends on every token and on the style."""
    draw = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    constants = {
        "weights": draw.uniform(-1, 1, (1, 1, TOKEN_SAMPLES)).astype(np.float32),
        "loudness": np.array(0.3, np.float32),
        "last": np.array([2], np.int64),
        "flat": np.array([-1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["tokens"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["style"], ["shade"], keepdims=0),
        helper.make_node("Add", ["numbers", "shade"], ["shaded"]),
        helper.make_node("Mul", ["shaded", "speed"], ["paced"]),
        helper.make_node("Unsqueeze", ["paced", "last"], ["columns"]),
        helper.make_node("Mul", ["columns", "weights"], ["phases"]),
        helper.make_node("Sin", ["phases"], ["waves"]),
        helper.make_node("Mul", ["waves", "loudness"], ["quiet"]),
        helper.make_node("Reshape", ["quiet", "flat"], ["audio"]),
    ]
    graph = helper.make_graph(
        nodes,
        "kokoro",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "n"]),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
            helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["samples"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / "kokoro-v1.0.onnx"))
    styles = {name: draw.standard_normal((510, 1, 256)).astype(np.float32) for name in VOICES}
    with (folder / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, **styles)
