"""Every engine there is, as data: what it does, where it runs, what it needs, and under which licence."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from engines.catalogue.asr import RECOGNISERS
from engines.catalogue.embedding import MODELS
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
    "not_here",
]

ENGINES: Final = (*RECOGNISERS, *VOICES, *MODELS)

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


def not_here(name: str, kind: Kind, present: Sequence[str]) -> str:
    """Words for who asks a service for a model that is not among those `present`."""
    words = f"there is no model {name!r}; there {'is' if len(present) == 1 else 'are'} {', '.join(present)}"
    entry = _BY_NAME.get(name)
    if entry is None or entry.kind is not kind:
        return words
    if isinstance(entry.runs, Installed):
        return f"{words}. `ivr engines install {name}` adds it"
    return f"{words}. It can be added in `engines.{kind}` of the configuration"
