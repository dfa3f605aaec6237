"""The figures of a dashboard."""

from __future__ import annotations

import httpx

from engines.contract import Reason, Route
from ivr.feed import BEGAN
from ivr.metrics import Metrics
from ivr.overview import Overview
from ivr.store import CallEvent
from ivr.waterfall import Stage
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.api.test_live import BEGUN
from tests.api.test_metrics import turn

URL = "/admin/metrics"


async def test_what_the_server_measures_of_itself_is_there_by_the_minute(
    api: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    metrics = Metrics(flows=["vendor-order"], engines=["kokoro"])
    gateway.overview = Overview(gateway.feed, metrics.hour, lambda: 7.5, list)
    gateway.overview.take("c1", CallEvent(100.0, BEGAN, BEGUN))
    for _ in range(3):
        metrics.call_started("inbound")
    metrics.observe_setup("inbound", 0.012)
    metrics.call_ended("inbound", "vendor-order", "normal", answered_s=8.0, quality=None)
    metrics.call_ended("inbound", "vendor-order", "made up", answered_s=None, quality=None)
    metrics.call_refused("no_capacity")
    metrics.engine_routed("tts", Route("kokoro", Reason.FIRST), "prompt", 0.084)
    metrics.model_answered("big", "done", 0.4)
    metrics.observe_turn(turn({Stage.SPEECH_END: 0.0, Stage.FIRST_PACKET: 0.3}))
    gateway.overview.look()
    answer = await api.get(URL, headers=bearer("monitor"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["totals"] == {
        "began": 3,
        "answered": 1,
        "ended": {"normal": 1, "other": 1},
        "refused": {"no_capacity": 1},
    }
    assert told["now"]["by_flow"] == {"vendor-order": 1}
    assert (told["now"]["calls"], told["now"]["lateness_ms"]) == (1, 7.5)
    assert told["now"]["memory_mb"] > 10
    assert told["hour"]["tts"]["count"] == told["hour"]["llm"]["count"] == 1
    assert abs(told["hour"]["tts"]["p50_ms"] - 84) < 5
    assert told["hour"]["asr"] == {"count": 0, "p50_ms": None, "p95_ms": None}
    assert sum(minute["began"] for minute in told["minutes"]) == 3
    assert max(minute["calls"] for minute in told["minutes"]) == 1
    assert max(minute["lateness_ms"] for minute in told["minutes"]) == 7.5
    assert [engine["name"] for engine in told["engines"]] == ["kokoro", "pocketsphinx"]


async def test_it_needs_its_scope_even_from_this_machine(api: httpx.AsyncClient) -> None:
    assert (await api.get(URL)).status_code == 403
