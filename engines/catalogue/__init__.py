"""Every engine there is, as data: what it does, where it runs, what it needs, and under which licence."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from engines.catalogue.asr import RECOGNISERS
from engines.catalogue.model import (
    CatalogueEntry,
    Checkout,
    Cloud,
    Embedded,
    Environment,
    Hub,
    Installed,
    Kind,
    Licence,
    Release,
    Repository,
    Source,
    Streaming,
    VoiceFiles,
)
from engines.catalogue.tts import VOICES

__all__ = [
    "ENGINES",
    "CatalogueEntry",
    "Checkout",
    "Cloud",
    "Embedded",
    "Environment",
    "Hub",
    "Installed",
    "Kind",
    "Licence",
    "Release",
    "Repository",
    "Source",
    "Streaming",
    "UnknownEngine",
    "VoiceFiles",
    "find",
]

ENGINES: Final = (*RECOGNISERS, *VOICES)

_BY_NAME: Final = {entry.name: entry for entry in ENGINES}


class UnknownEngine(Exception):
    """No engine has that name; the text names those that there are."""


def find(name: str) -> CatalogueEntry:
    """The engine of a name; raises `UnknownEngine`."""
    if name not in _BY_NAME:
        near = get_close_matches(name, _BY_NAME, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_BY_NAME)}"
        raise UnknownEngine(f"no engine is called {name!r}: {hint}")
    return _BY_NAME[name]
