"""A model of meaning in a worker, on the recorded contract of sentence-transformers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from engines.embedding.encoder import EncoderSettings, command_of
from engines.launch import WorkerCommand

NAME: Final = "multilingual-e5-small"
ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ROOT / "tests" / "fakes" / "packages"


def weights_in(folder: Path) -> Path:
    """A folder with as much of a model as the contract looks at."""
    weights = folder / NAME
    weights.mkdir()
    (weights / "modules.json").write_text("[]")
    return weights


def command_in(folder: Path) -> WorkerCommand:
    """With the weights, and a log of what is encoded, in the folder."""
    command = command_of(NAME, EncoderSettings(Path(sys.executable), weights_in(folder)))
    more = {"PYTHONPATH": f"{PACKAGES}:{ROOT}", "CONTRACT_LOG": str(folder / "log")}
    return WorkerCommand(
        command.engine,
        command.interpreter,
        environment={**command.environment, **more},
        settings=command.settings,
    )


def encoded(folder: Path) -> list[list[str]]:
    """What went through the model, as it read it, pass by pass."""
    return [json.loads(line) for line in (folder / "log").read_text(encoding="utf-8").splitlines()]
