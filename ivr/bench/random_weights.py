"""`--random-weights`: an engine on weights of its true dimensions and random values: figures without a hub.

How long a model computes depends on its dimensions, not on what it says. The weights are written in the
environment of the engine, as its own package writes them; figures of a CPU would say nothing about a card, so
there must be one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import yaml

from engines.catalogue import find
from engines.gpu.cards import read_cards
from ivr.bench.service import Options
from ivr.config import Config, ConfigError, load
from ivr.engine_places import place_of
from ivr.local import ServerFailed

_WRITING_S: Final = 900.0
_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the weights of an engine are made: a module that writes them into a folder, in an environment that
    has `package`. `options` let the engine say whatever such weights say."""

    engine: str
    module: str
    package: str
    options: dict[str, Any]


RECIPES: Final = {
    "asr": Recipe(
        "faster-whisper",
        "ivr.bench.random_whisper",
        "faster_whisper",
        {"no_speech": None, "log_prob": None, "compression": None},
    ),
    "tts": Recipe("indic-parler", "ivr.bench.random_parler", "parler_tts", {}),
}
"""By the service that is measured. The other packages have no way to make a model without its weights."""


@contextmanager
def prepared(service: str, options: Options) -> Iterator[Options]:
    """The options of a measurement as they are carried out: with random weights, those of a service that has
    them. Raises `ServerFailed` with what is missing."""
    if not options.random_weights:
        yield options
        return
    recipe = RECIPES[service]
    interpreter = _checked(recipe, options)
    with tempfile.TemporaryDirectory(prefix="ivr-bench-weights-") as folder:
        weights = Path(folder) / "random"
        _write(recipe, interpreter, weights)
        path = Path(folder) / "ivr.yaml"
        path.write_text(_config(service, recipe, interpreter, weights, options.languages), encoding="utf-8")
        yield replace(options, config=path, model=recipe.engine)


def _checked(recipe: Recipe, options: Options) -> Path:
    """The interpreter that makes the weights and runs the engine."""
    if options.url:
        raise ServerFailed("--random-weights measures a service of its own: leave --url out")
    if options.model not in ("auto", recipe.engine):
        raise ServerFailed(
            f"there are no random weights for {options.model}: they can be made for {recipe.engine}"
        )
    unspoken = [language for language in options.languages if not find(recipe.engine).speaks(language)]
    if unspoken:
        raise ServerFailed(f"{recipe.engine} does not speak {', '.join(unspoken)}")
    cards = read_cards()
    if not cards.cards:
        raise ServerFailed(
            f"--random-weights needs a GPU: {cards.reason}. A CPU's figures would say nothing of one."
        )
    try:
        config = load(options.config) if options.config else Config()
    except ConfigError as error:
        raise ServerFailed(str(error)) from error
    python = place_of(config, recipe.engine).python
    if python is None and find_spec(recipe.package) is None:
        raise ServerFailed(
            f"{recipe.engine} has no environment here: run `ivr engines install {recipe.engine}`"
        )
    return python or Path(sys.executable)


def _write(recipe: Recipe, interpreter: Path, weights: Path) -> None:
    print(f"ivr bench: random weights of {recipe.engine} are written", file=sys.stderr)
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(
            [str(interpreter), "-m", recipe.module, str(weights)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_WRITING_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerFailed(f"the random weights were not written: {error}") from error
    if done.returncode:
        raise ServerFailed(f"the random weights were not written:\n{done.stderr[-2000:]}")


def _config(
    service: str, recipe: Recipe, interpreter: Path, weights: Path, languages: tuple[str, ...]
) -> str:
    setup = {
        "python": str(interpreter),
        "weights": str(weights),
        "device": "cuda",
        "options": recipe.options,
    }
    chains = {language: [recipe.engine] for language in languages}
    engines = {service: chains, "setup": {recipe.engine: setup}}
    return yaml.safe_dump({"store": {"path": str(weights.parent / "var")}, "engines": engines})
