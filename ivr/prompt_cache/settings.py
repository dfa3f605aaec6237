"""The prompt cache as the configuration sets it up."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ivr.config import Config
from ivr.prompts import PromptLimits
from media.codecs import CODECS, Codec

_MB: Final = 1024 * 1024


def folder_of(config: Config) -> Path:
    return config.store.path / "prompts"


def limits_of(config: Config) -> PromptLimits:
    settings = config.prompts
    return PromptLimits(
        round(settings.memory_mb * _MB), round(settings.disk_mb * _MB), settings.personal_s, settings.ahead
    )


def codecs_of(config: Config) -> tuple[Codec, ...]:
    """Those of all trunks; without a trunk those that one has unless it says otherwise."""
    trunks = [trunk.codecs for trunk in config.trunks.values()] or [["PCMA", "PCMU"]]
    return tuple(CODECS[name] for name in dict.fromkeys(name for names in trunks for name in names))
