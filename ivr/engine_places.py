"""Where an engine's interpreter and weights are: as the configuration says, or as `ivr engines install` put
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engines.catalogue import find
from engines.installing.shelf import Shelf
from ivr.config import Config


@dataclass(frozen=True, slots=True)
class Place:
    python: Path | None
    weights: Path | None
    licence_accepted: bool


def shelf_of(config: Config) -> Shelf:
    return Shelf(config.store.path / "engines")


def place_of(config: Config, name: str) -> Place:
    """Raises `UnknownEngine`."""
    entry = find(name)
    shelf = shelf_of(config)
    setup = config.engines.setup.get(name)
    return Place(
        (setup.python if setup else None) or shelf.interpreter(entry),
        (setup.weights if setup else None) or shelf.weights(entry),
        (setup is not None and setup.licence_accepted) or shelf.record(entry).licence_accepted,
    )
