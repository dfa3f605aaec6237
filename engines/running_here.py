"""What an engine of this machine needs to run, whichever way round it turns speech."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from engines.catalogue import CatalogueEntry
from engines.supervisor import Limits

OFFLINE: Final[Mapping[str, str]] = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""Of a worker's environment. What is installed is used: no model asks a hub while calls wait."""

_GB: Final = 1024**3


class CannotUse(Exception):
    """An engine that is not set up; the text says what to do."""


def weights_of(entry: CatalogueEntry, weights: Path | None) -> Path:
    """Raises `CannotUse` where there are none."""
    if weights is None:
        raise CannotUse(
            f"{entry.name} has no weights: run `ivr engines install {entry.name}`, or set `weights`"
        )
    return weights


def limits_with(limits: Limits, memory_gb: float | None) -> Limits:
    """With so much memory (in GB of 2^30 bytes) as is set; as they are where none is."""
    return limits if memory_gb is None else replace(limits, memory_bytes=round(memory_gb * _GB))
