"""How trunks stand, over the API and as figures."""

from __future__ import annotations

import httpx

from ivr.metrics import Metrics
from sip.stack import TrunkState
from tests.api.conftest import bearer


async def test_trunks_are_listed_in_the_order_of_the_configuration(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/voice/trunks", headers=bearer("viewer"))
    assert answer.status_code == 200
    first, second = answer.json()["trunks"]
    assert first == {
        "name": "exotel",
        "profile": "exotel",
        "up": False,
        "reason": "tcp:192.0.2.1:5070: no answer to OPTIONS",
        "registered": False,
        "rtt_ms": 12.5,
        "targets": [{"address": "tcp:192.0.2.1:5070", "up": False}],
        "seen_as": "198.51.100.4:5060",
        "calls": 3,
        "max_calls": 100,
    }
    assert (second["name"], second["up"], second["registered"]) == ("office", None, None)


async def test_one_trunk_and_one_that_is_not_there(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/voice/trunks/office")
    assert (answer.status_code, answer.json()["max_calls"]) == (200, 10)
    answer = await api.get("/api/voice/trunks/elsewhere")
    assert (answer.status_code, answer.json()["known"]) == (404, ["exotel", "office"])


async def test_trunks_are_shown_to_readers_only(api: httpx.AsyncClient) -> None:
    for path in ("/api/voice/trunks", "/api/voice/trunks/office"):
        assert (await api.get(path, headers=bearer("caller"))).status_code == 403
        assert (await api.get(path, headers={"Authorization": ""})).status_code == 401


def test_figures_of_trunks_are_asked_for_when_they_are_read() -> None:
    states = {"a": TrunkState(), "b": TrunkState(up=True, registered=False)}
    metrics = Metrics()
    metrics.watch_trunks(states, lambda name: states[name], lambda name: 7)
    text = metrics.render().decode()
    assert 'ivr_trunk_up{trunk="a"} NaN' in text
    assert 'ivr_trunk_up{trunk="b"} 1.0' in text
    assert 'ivr_trunk_registered{trunk="b"} 0.0' in text
    assert 'ivr_trunk_calls{trunk="b"} 7.0' in text
    states["b"] = TrunkState(up=False)
    assert 'ivr_trunk_up{trunk="b"} 0.0' in metrics.render().decode()
