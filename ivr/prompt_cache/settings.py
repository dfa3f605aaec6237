"""The prompt cache as the configuration sets it up."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ivr.config import Config
from ivr.prompts import PromptLimits
from media.codecs import CODECS, Codec
from media.opus import OPUS

_MB: Final = 1024 * 1024


def folder_of(config: Config) -> Path:
    return config.store.path / "prompts"


def limits_of(config: Config) -> PromptLimits:
    settings = config.prompts
    return PromptLimits(
        round(settings.memory_mb * _MB), round(settings.disk_mb * _MB), settings.personal_s, settings.ahead
    )


def codecs_of(config: Config) -> tuple[Codec, ...]:
    """Those of all trunks; without a trunk those that one has unless it says otherwise. Opus where pages of
    others call, too: it is dear to encode for those that do not."""
    trunks = [trunk.codecs for trunk in config.trunks.values()] or [["PCMA", "PCMU"]]
    spoken = tuple(CODECS[name] for name in dict.fromkeys(name for names in trunks for name in names))
    pages = any("sessions:write" in key.scopes for key in config.api.keys.values())
    return (*spoken, OPUS) if pages or config.web.phone.access == "open" else spoken
