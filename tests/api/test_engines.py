"""How speech engines stand, over the API and as figures."""

from __future__ import annotations

import httpx

from engines.breaker import BreakerState
from ivr.metrics import Metrics
from tests.api.conftest import bearer


async def test_engines_are_listed_with_their_breakers(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/voice/engines", headers=bearer("viewer"))
    assert answer.status_code == 200
    voice, recogniser = answer.json()["engines"]
    assert voice == {
        "name": "kokoro",
        "kind": "tts",
        "state": "up",
        "breaker": "closed",
        "restarts": 1,
        "jobs": 2,
        "latency_ms": 84.0,
        "last_failure": "",
    }
    assert (recogniser["state"], recogniser["breaker"], recogniser["latency_ms"]) == (
        "down",
        "half open",
        None,
    )
    assert recogniser["last_failure"] == "the worker died"


async def test_engines_are_shown_to_readers_only(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/voice/engines", headers=bearer("caller"))).status_code == 403
    assert (await api.get("/api/voice/engines", headers={"Authorization": ""})).status_code == 401


def test_figures_of_breakers_are_asked_for_when_they_are_read() -> None:
    states = {"kokoro": BreakerState.CLOSED, "espeak": BreakerState.OPEN}
    metrics = Metrics()
    metrics.watch_breakers("tts", {name: lambda name=name: states[name] for name in states})  # type: ignore[misc]
    assert 'ivr_engine_breaker{engine="kokoro",kind="tts"} 0.0' in metrics.render().decode()
    assert 'ivr_engine_breaker{engine="espeak",kind="tts"} 1.0' in metrics.render().decode()
    states["espeak"] = BreakerState.HALF_OPEN
    assert 'ivr_engine_breaker{engine="espeak",kind="tts"} 0.5' in metrics.render().decode()
