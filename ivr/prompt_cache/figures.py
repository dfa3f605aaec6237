"""The prompt cache in Prometheus' terms, read whenever the figures are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ivr.prompts import Prompts


class PromptFigures(Collector):
    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def collect(self) -> Iterator[Metric]:
        lookups, memory, files = self._prompts.lookups, self._prompts.memory, self._prompts.files
        hits = CounterMetricFamily("ivr_prompt_hits", "Prompts that were there", labels=["where"])
        hits.add_metric(["memory"], lookups.memory)
        hits.add_metric(["disk"], lookups.disk)
        yield hits
        yield CounterMetricFamily(
            "ivr_prompt_misses", "Prompts that a voice had to make while a call waited", lookups.missed
        )
        size = GaugeMetricFamily("ivr_prompt_bytes", "What the prompt cache takes", labels=["where"])
        evicted = CounterMetricFamily(
            "ivr_prompt_evictions", "Prompts that had to go for others", labels=["where"]
        )
        for where, place in (("memory", memory), ("disk", files)):
            size.add_metric([where], place.bytes)
            evicted.add_metric([where], place.evicted)
        yield size
        yield evicted
        yield CounterMetricFamily(
            "ivr_prompt_files_damaged", "Prompts on disk that were damaged, and made anew", files.damaged
        )
