"""Calls as traces of OpenTelemetry: a call is a trace, each of its turns a span, each stage of a turn a span
in that. Needs the extra `tracing`; imported only where the configuration asks for it.

Spans are sent by a thread of the exporter, many at a time; when its queue is full they are dropped, and the
call knows nothing of it. Nothing in them is personal: no numbers, no words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ivr.waterfall import TurnTimes

CLOSE_MS: Final = 2000
"""How long the end of the server waits for the last spans to be sent."""


class TracedCall:
    """The trace of one call; ends with `end`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span, wall: Callable[[float], int]) -> None:
        """`wall` gives the Unix time, in nanoseconds, of one of the loop's clock."""
        self._tracer = tracer
        self._span = span
        self._wall = wall

    def turn(self, turn: TurnTimes) -> None:
        """To be called when the turn is complete."""
        about, reply_s = turn.about, turn.reply_s
        attributes: dict[str, str | int | float | bool] = {
            "ivr.turn": turn.number,
            "ivr.trigger": turn.trigger,
            "ivr.step": about.step,
            "ivr.verb": about.verb,
            "ivr.language": about.language,
            "ivr.answered": reply_s is not None,
        }
        if reply_s is not None:
            attributes["ivr.reply_ms"] = round(reply_s * 1000, 1)
        span = self._open(self._span, "turn", turn.began, attributes)
        for bar in turn.bars:
            engine = {"ivr.engine": bar.by} if bar.by else {}
            stage = self._open(span, bar.stage.value, turn.began + bar.start_s, engine)
            stage.end(self._wall(turn.began + bar.end_s))
        span.end(self._wall(max(turn.marks.values())))

    def end(self, cause: str) -> None:
        self._span.set_attribute("ivr.cause", cause)
        self._span.end()

    def _open(
        self, parent: trace.Span, name: str, at: float, attributes: Mapping[str, str | int | float | bool]
    ) -> trace.Span:
        return self._tracer.start_span(
            name, trace.set_span_in_context(parent), attributes=dict(attributes), start_time=self._wall(at)
        )


class SpanTracing:
    """Made by `open_tracing`; the `processor` takes what is complete."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        # The end of the process is the server's affair, not that of a hook.
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("ivr")

    def call(self, call_id: str, direction: str, flow: str, now: float) -> TracedCall:
        """The trace of a call that begins now, by the loop's clock."""
        behind = time.time_ns() - int(now * 1e9)
        attributes = {"ivr.call": call_id, "ivr.direction": direction, "ivr.flow": flow}
        span = self._tracer.start_span("call", attributes=attributes, kind=trace.SpanKind.SERVER)
        return TracedCall(self._tracer, span, lambda at: behind + int(at * 1e9))

    def close(self) -> None:
        """Sends what is left, for at most `CLOSE_MS`; blocks meanwhile."""
        self._provider.force_flush(CLOSE_MS)
        self._provider.shutdown()


def open_tracing(endpoint: str, headers: Mapping[str, str], service: str) -> SpanTracing:
    """Sends to an OTLP collector over HTTP, as http://127.0.0.1:4318/v1/traces."""
    exporter = OTLPSpanExporter(endpoint, headers=dict(headers), timeout=CLOSE_MS // 1000)
    return SpanTracing(service, BatchSpanProcessor(exporter))
