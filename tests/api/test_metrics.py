"""Figures: what is counted where, bounded labels, and the lateness of the loop."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engines.contract import Passed, Reason, Route
from ivr.metrics import LoopLag, Metrics
from ivr.waterfall import About, Stage, TurnTimes
from media.leg import Quality
from sip.guard import Dropped

NOWHERE = About()


def turn(marks: dict[Stage, float], about: About = NOWHERE) -> TurnTimes:
    return TurnTimes(1, about, marks)


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, frozenset(labels.items())]


def test_a_call_from_beginning_to_end() -> None:
    metrics = Metrics(flows=["vendor-order"])
    metrics.call_started("inbound")
    metrics.call_started("inbound")
    assert value(metrics, "ivr_calls_active", direction="inbound") == 2
    metrics.observe_setup("inbound", 0.012)
    quality = Quality(
        packets_sent=500, packets_received=396, packets_lost=4, jitter_ms=3.0, mos=4.27, remote_mos=3.9
    )
    metrics.call_ended("inbound", "vendor-order", "normal", answered_s=8.0, quality=quality)

    assert value(metrics, "ivr_calls_active", direction="inbound") == 1
    labels = {"direction": "inbound", "flow": "vendor-order", "outcome": "normal"}
    assert value(metrics, "ivr_calls_total", **labels) == 1
    assert value(metrics, "ivr_rtp_packets_total", what="lost") == 4
    assert value(metrics, "ivr_rtp_loss_ratio_bucket", le="0.005") == 0
    assert value(metrics, "ivr_rtp_loss_ratio_bucket", le="0.01") == 1
    assert value(metrics, "ivr_rtp_jitter_seconds_sum") == 0.003
    assert value(metrics, "ivr_call_mos_bucket", heard_by="us", le="4.2") == 0
    assert value(metrics, "ivr_call_mos_bucket", heard_by="us", le="4.3") == 1
    assert value(metrics, "ivr_call_mos_sum", heard_by="far_end") == 3.9


def test_the_targets_are_bounds_of_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.039, 0.041):
        metrics.observe_turn(turn({Stage.KEY: 5.0, Stage.FIRST_PACKET: 5.0 + seconds}))
    for seconds in (0.049, 0.051):
        metrics.observe_setup("outbound", seconds)
    assert value(metrics, "ivr_key_to_prompt_seconds_bucket", le="0.04") == 1
    assert value(metrics, "ivr_call_setup_seconds_bucket", le="0.05", direction="outbound") == 1


def test_a_spoken_turn_is_observed_as_a_whole_and_stage_by_stage() -> None:
    metrics = Metrics()
    marks = {Stage.SPEECH_END: 7.0, Stage.ENDPOINT: 7.4, Stage.FINAL: 7.45, Stage.FIRST_PACKET: 7.5}
    metrics.observe_turn(turn(marks, About("ask", "collect", "hi")))
    metrics.observe_turn(turn({Stage.SPEECH_END: 9.0, Stage.ENDPOINT: 9.4}, About("ask", "collect", "hi")))

    assert value(metrics, "ivr_turn_seconds_sum", verb="collect", language="hi") == pytest.approx(0.5)
    stages = {
        stage: value(metrics, "ivr_turn_stage_seconds_sum", stage=stage, language="hi")
        for stage in ("endpoint", "final", "first_packet")
    }
    assert stages == pytest.approx({"endpoint": 0.4, "final": 0.05, "first_packet": 0.05})
    assert value(metrics, "ivr_turns_unanswered_total", verb="collect") == 1


def test_invented_names_make_no_new_series() -> None:
    metrics = Metrics(flows=["a"], engines=["espeak"])

    def observe(name: str) -> None:
        metrics.call_started("outbound")
        metrics.call_ended("outbound", name, name, answered_s=None, quality=None)
        metrics.engine_routed("tts", Route(name, Reason.FIRST), "prompt", 0.1)
        metrics.engine_passed("asr", Passed(name, Reason.LATE))
        metrics.engine_restarted(name)
        metrics.observe_turn(turn({Stage.SPEECH_END: 1.0, Stage.FIRST_PACKET: 2.0}, About("a", "say", name)))
        metrics.classified(name, "chosen", 0.1)

    observe("first")
    before = samples(metrics).keys()
    for number in range(200):
        observe(f"invented-{number}")
    assert samples(metrics).keys() == before
    other = {"direction": "outbound", "flow": "other", "outcome": "other"}
    assert value(metrics, "ivr_calls_total", **other) == 201


def test_a_call_without_media_says_nothing_of_loss() -> None:
    metrics = Metrics()
    metrics.call_started("inbound")
    metrics.call_ended("inbound", "", "cancelled", answered_s=None, quality=Quality())
    assert value(metrics, "ivr_rtp_loss_ratio_count") == 0
    assert value(metrics, "ivr_call_seconds_count") == 0


def test_the_store_is_asked_when_figures_are_read() -> None:
    metrics = Metrics()
    backlog = [3]
    metrics.watch_store(lambda: backlog[0])
    assert value(metrics, "ivr_store_backlog") == 3
    backlog[0] = 9
    assert value(metrics, "ivr_store_backlog") == 9


async def test_a_blocked_loop_shows_as_lag_and_passes() -> None:
    observed: list[float] = []
    lag = LoopLag(observed.append, interval_s=0.001, keep=5)
    task = asyncio.create_task(lag.run())
    async with asyncio.timeout(30):
        while not observed:
            await asyncio.sleep(0.001)
        time.sleep(0.2)  # noqa: ASYNC251 (the blocking is the point)
        while max(observed) < 0.15:
            await asyncio.sleep(0.001)
        worst = len(observed)
        assert lag.seconds >= 0.15
        while len(observed) < worst + 5:
            await asyncio.sleep(0.001)
        assert lag.seconds < max(observed), "only the recent past counts"
    task.cancel()


def test_what_got_no_answer_is_counted_by_its_reason() -> None:
    metrics = Metrics()
    for reason in (*Dropped, Dropped.SCANNER):
        metrics.sip_dropped(reason)
    counted = {
        reason: value(metrics, "ivr_sip_dropped_total", reason=reason)
        for reason in ("stranger", "flood", "scanner", "password")
    }
    assert counted == {"stranger": 1, "flood": 1, "scanner": 2, "password": 1}
