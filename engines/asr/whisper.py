"""Whisper by faster-whisper as a `Recognizer` of free speech, in a worker process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engines.asr.remote import WorkerRecognizer
from engines.catalogue.asr import FASTER_WHISPER
from engines.catalogue.model import Installed
from engines.launch import WorkerCommand
from engines.supervisor import Limits

_MB: Final = 1024 * 1024

LIMITS: Final = Limits(start_s=120.0, stuck_s=60.0, memory_bytes=6000 * _MB)
"""On a CPU the large model takes seconds for a window, and half a minute to load."""


def whisper(
    model: Path,
    interpreter: str,
    settings: Mapping[str, Any] | None = None,
    limits: Limits = LIMITS,
) -> WorkerRecognizer:
    """`model` is a folder in CTranslate2's format, `interpreter` that of an environment with faster-whisper;
    `settings` are those of `WhisperEngine`, without the model.
    """
    runs = FASTER_WHISPER.runs
    assert isinstance(runs, Installed)
    command = WorkerCommand(
        runs.worker,
        interpreter,
        # Nothing is to be asked of a hub: what is not there is an error at the start.
        environment={"HF_HUB_OFFLINE": "1"},
        settings={**(settings or {}), "model": str(model)},
    )
    return WorkerRecognizer(
        FASTER_WHISPER.name,
        f"{model.name}-1",
        command,
        limits,
        lambda language: not language or FASTER_WHISPER.speaks(language),
    )
