"""A model of an ONNX file on one thread: many small inferences, and no pool of threads that spins beside the
media."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Raises `ValueError` when the file is no model that can be run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common class of its own
        raise ValueError(f"cannot load the model {path}: {error}") from error
