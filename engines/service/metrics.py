"""What a speech service measures of itself, in Prometheus' text format. Every label has few values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from engines.supervisor import WorkerHealth

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 60.0)


class ServiceMetrics:
    """`kind` is asr or tts: the second word of every name."""

    def __init__(self, kind: str) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        prefix = f"ivr_{kind}"
        self._requests = Counter(
            f"{prefix}_requests",
            "Pieces of work, by how they ended",
            ["engine", "outcome"],
            registry=registry,
        )
        self._latency = Histogram(
            f"{prefix}_seconds",
            "To what the client waited for: first audio, or the transcript after the end of speech",
            ["engine"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._audio = Counter(
            f"{prefix}_audio_seconds", "Seconds of audio heard or made", ["engine"], registry=registry
        )
        self._streams = Gauge(f"{prefix}_streams", "Streams that are open now", registry=registry)
        self._up = Gauge(
            f"{prefix}_engine_up", "Whether the engine's worker is up", ["engine"], registry=registry
        )
        self._jobs = Gauge(f"{prefix}_engine_jobs", "Open jobs of the worker", ["engine"], registry=registry)
        self._memory = Gauge(
            f"{prefix}_engine_memory_bytes", "Memory of the worker", ["engine"], registry=registry
        )
        self._restarts = Gauge(
            f"{prefix}_engine_restarts", "Restarts of the worker", ["engine"], registry=registry
        )

    def done(self, engine: str, latency_s: float, audio_s: float) -> None:
        """A piece of work went well."""
        self._requests.labels(engine, "done").inc()
        self._latency.labels(engine).observe(latency_s)
        self._audio.labels(engine).inc(audio_s)

    def failed(self, engine: str) -> None:
        """The engine failed, was late, or was down."""
        self._requests.labels(engine, "failed").inc()

    def cancelled(self, engine: str) -> None:
        """Nobody wanted the result any more."""
        self._requests.labels(engine, "cancelled").inc()

    def watch_streams(self, streams: Callable[[], float]) -> None:
        """`streams` is asked whenever the figures are read."""
        self._streams.set_function(streams)

    def watch_workers(self, names: Iterable[str], health: Callable[[str], WorkerHealth]) -> None:
        """`health` is asked by name whenever the figures are read."""
        for name in names:
            ask = partial(health, name)
            self._up.labels(name).set_function(partial(_read, ask, lambda found: found.pid is not None))
            self._jobs.labels(name).set_function(partial(_read, ask, lambda found: found.jobs))
            self._memory.labels(name).set_function(partial(_read, ask, lambda found: found.rss_bytes or 0))
            self._restarts.labels(name).set_function(partial(_read, ask, lambda found: found.restarts))

    def render(self) -> bytes:
        """All figures, in the format that `CONTENT_TYPE` names."""
        return generate_latest(self._registry)


def _read(ask: Callable[[], WorkerHealth], figure: Callable[[WorkerHealth], float]) -> float:
    return float(figure(ask()))
