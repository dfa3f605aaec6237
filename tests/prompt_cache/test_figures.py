"""The figures of the prompt cache, as Prometheus reads them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ivr.flow.protocol import Text
from ivr.metrics import Metrics
from ivr.prompt_cache.figures import PromptFigures
from ivr.prompts import PromptLimits, Prompts
from media.codecs import PCMA
from tests.fakes.engines import ToneSynthesizer, routed


async def test_hits_misses_bytes_and_evictions(tmp_path: Path) -> None:
    metrics = Metrics()
    second_of_speech = 50 * (160 + 48)
    prompts = Prompts(
        routed(ToneSynthesizer()), tmp_path, limits=PromptLimits(memory_bytes=2 * second_of_speech)
    )
    metrics.watch_prompts(PromptFigures(prompts))
    for letter in "abcca":
        async with asyncio.timeout(20):
            await asyncio.wait([prompts.get(Text(letter * 20, "en"), PCMA).made])
    await prompts.close()
    figures = dict(
        line.rsplit(" ", 1)
        for line in metrics.render().decode().splitlines()
        if line.startswith("ivr_prompt")
    )
    assert {name: float(value) for name, value in figures.items()} == {
        'ivr_prompt_hits_total{where="memory"}': 1,
        'ivr_prompt_hits_total{where="disk"}': 1,
        "ivr_prompt_misses_total": 3,
        'ivr_prompt_bytes{where="memory"}': 2 * second_of_speech,
        'ivr_prompt_bytes{where="disk"}': sum(entry.size for entry in prompts.files.entries()),
        'ivr_prompt_evictions_total{where="memory"}': 2,
        'ivr_prompt_evictions_total{where="disk"}': 0,
        "ivr_prompt_files_damaged_total": 0,
    }
