"""Switching a model at a speech service elsewhere, through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from engines.gpu.status import GpuMonitor
from engines.service import errors
from engines.service.admin import Operators, admin_routes
from engines.service.keys import Keys
from engines.service.serving import served
from engines.switching.places import VoicePlace
from engines.switching.switcher import Candidate, Order, Place, Switcher, SwitchRefused
from ivr.elsewhere import Elsewhere
from ivr.speech_config import EngineSetup
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.engines.test_switching import Model
from tests.fakes.switching import ready

OPERATOR = "the-services-operator-key"
CLIENT = "the-services-client-key"


@pytest.fixture
async def voice(gateway: FakeGateway) -> AsyncIterator[VoicePlace]:
    """The place of kokoro at a service elsewhere, which the gateway knows; xtts-v2 should be there, too."""
    place = VoicePlace(Model(version="old", running=True))

    def make(place: Place, order: Order) -> Candidate:
        if order.weights == "none":
            raise SwitchRefused("there is no folder 'none' beside the weights of kokoro", "unknown_weights")
        return Candidate(Model(version=order.weights or "new"), None, None)

    switcher = Switcher({"kokoro": place}, make, ready, grace_s=0.0)
    service = FastAPI()
    errors.install(service)
    clients = Keys({"gateway": CLIENT})
    service.include_router(
        admin_routes(Operators({"ops": OPERATOR}, clients), GpuMonitor(dict, list), switcher)
    )
    async with served(service, "127.0.0.1", 0, 1) as url, httpx.AsyncClient(trust_env=False) as client:
        setups = {
            "kokoro": EngineSetup(address=url, key=CLIENT, operator_key=OPERATOR),
            "xtts-v2": EngineSetup(address=url, operator_key=OPERATOR),
            "glm-tts": EngineSetup(address=url, key=CLIENT),
            "cosyvoice3": EngineSetup(address="http://127.0.0.1:9", key=CLIENT),
            "elevenlabs": EngineSetup(address=url, key=CLIENT),
        }
        gateway.elsewhere = Elsewhere(setups, client)
        yield place
    await switcher.close()


async def test_a_model_is_switched_where_its_engine_is(api: httpx.AsyncClient, voice: VoicePlace) -> None:
    body = {"engine": "kokoro", "weights": "two"}
    answer = await api.post("/admin/models/switch", json=body, headers=bearer("operator"))
    assert answer.status_code == 202, answer.text
    assert (answer.json()["before"], answer.json()["by"]) == ("kokoro old", "ops")
    async with asyncio.timeout(20):
        while True:
            there = await api.get("/admin/models", params={"engine": "kokoro"}, headers=bearer("operator"))
            if there.json()["switches"][0]["ended_at"] is not None:
                break
            await asyncio.sleep(0.01)
    assert [place["version"] for place in there.json()["places"]] == ["two"]
    assert voice.version == "two"
    here = await api.get("/admin/models", headers=bearer("operator"))
    assert here.json() == {"places": [], "switches": []}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"engine": "kokoro", "weights": "none"}, 422, "there is no folder 'none'"),
        ({"engine": "xtts-v2"}, 404, "it can be that of: kokoro"),
        ({"engine": "glm-tts"}, 502, "answers 403: the key is a client's"),
        ({"engine": "cosyvoice3"}, 502, "http://127.0.0.1:9 cannot be asked"),
        ({"engine": "elevenlabs"}, 404, "no model of 'elevenlabs' can be switched here"),
    ],
)
async def test_what_the_service_says_is_told(
    api: httpx.AsyncClient, voice: VoicePlace, body: dict[str, str], status: int, says: str
) -> None:
    answer = await api.post("/admin/models/switch", json=body, headers=bearer("operator"))
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]
    assert voice.version == "old"


async def test_a_service_that_is_away_is_told(api: httpx.AsyncClient, voice: VoicePlace) -> None:
    for engine, says in (("cosyvoice3", "cannot be asked"), ("glm-tts", "answers 403")):
        there = await api.get("/admin/models", params={"engine": engine}, headers=bearer("operator"))
        assert there.status_code == 502
        assert says in there.json()["detail"]
