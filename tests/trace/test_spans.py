"""A call as a trace: what is within what, when it was, and what it is about."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ivr.config import ConfigError, Tracing, load
from ivr.spans import SpanTracing
from ivr.tracing import NoTracing, tracing_of
from ivr.waterfall import About, Stage, TurnTimes


def within(outer: ReadableSpan, inner: ReadableSpan) -> bool:
    return inner.parent is not None and inner.parent.span_id == outer.context.span_id


def took_ms(span: ReadableSpan) -> float:
    assert span.end_time is not None
    assert span.start_time is not None
    return (span.end_time - span.start_time) / 1e6


async def test_a_call_is_a_trace_with_its_turns_and_their_stages() -> None:
    kept = InMemorySpanExporter()
    tracing = SpanTracing("test", SimpleSpanProcessor(kept))
    now = asyncio.get_running_loop().time()
    call = tracing.call("c1", "inbound", "support", now)
    marks = {Stage.SPEECH_END: now - 1.0, Stage.ENDPOINT: now - 0.5, Stage.FINAL: now - 0.6}
    spoken = {**marks, Stage.FIRST_PACKET: now - 0.4}
    call.turn(TurnTimes(1, About("ask", "collect", "hi"), spoken, {Stage.FINAL: "conformer"}))
    call.turn(TurnTimes(2, About("ask", "collect", "hi"), marks))
    call.end("normal")
    tracing.close()

    spans = kept.get_finished_spans()
    (whole,) = (span for span in spans if span.name == "call")
    first, second = (span for span in spans if span.name == "turn")
    assert whole.attributes == {
        "ivr.call": "c1",
        "ivr.direction": "inbound",
        "ivr.flow": "support",
        "ivr.cause": "normal",
    }
    assert len({span.context.trace_id for span in spans}) == 1
    assert within(whole, first)
    assert within(whole, second)
    assert took_ms(first) == pytest.approx(600, abs=1)
    assert (first.attributes or {})["ivr.reply_ms"] == 600.0
    assert (second.attributes or {})["ivr.answered"] is False
    stages = {span.name: span for span in spans if within(first, span)}
    assert {name: round(took_ms(span)) for name, span in stages.items()} == {
        "endpoint": 500,
        "final": 400,
        "first_packet": 100,
    }
    assert stages["final"].attributes == {"ivr.engine": "conformer"}
    assert first.end_time is not None
    assert abs(first.end_time / 1e9 - (time.time() - 0.4)) < 30
    assert whole.resource.attributes["service.name"] == "test"


def test_without_a_collector_nothing_is_kept() -> None:
    tracing = tracing_of(None)
    assert isinstance(tracing, NoTracing)
    call = tracing.call("c1", "inbound", "support", 0.0)
    call.turn(TurnTimes(1, About(), {Stage.KEY: 1.0}))
    call.end("normal")
    tracing.close()


def test_a_collector_that_is_not_there_holds_nobody_up() -> None:
    tracing = tracing_of(Tracing(endpoint="http://127.0.0.1:1/v1/traces"))
    tracing.call("c1", "inbound", "support", 0.0).end("normal")
    began = time.monotonic()
    tracing.close()
    assert time.monotonic() - began < 20


def test_an_endpoint_is_an_address(tmp_path: Path) -> None:
    path = tmp_path / "ivr.yaml"
    path.write_text("tracing: {endpoint: collector}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"tracing\.endpoint"):
        load(path)
