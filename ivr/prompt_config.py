"""The part of the configuration about the prompt cache."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PromptCache(BaseModel):
    """Prompts that were made once. In memory they take up to `memory_mb`, on disk, without those that hold
    values of a call, up to `disk_mb` (0: nothing is kept there); what was used least recently goes first.
    What holds values is forgotten `personal_s` after it was last said. `ahead` is how many prompts are made
    ahead of one call in one step; 0: none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_mb: float = Field(default=64.0, gt=0)
    disk_mb: float = Field(default=512.0, ge=0)
    personal_s: float = Field(default=600.0, gt=0)
    ahead: int = Field(default=16, ge=0, le=64)
