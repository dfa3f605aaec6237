"""The operator's routes: the card, and switching a model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from engines.gpu.budget import Share, card_budget
from engines.gpu.cards import Card, CardProcess, Cards
from engines.gpu.status import GpuMonitor
from engines.switching.places import VoicePlace
from engines.switching.switcher import Candidate, Order, Place, Switcher
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.engines.test_switching import Model
from tests.fakes.switching import ready

GB = 1024**3


@pytest.fixture
def voice(gateway: FakeGateway) -> VoicePlace:
    """The place of kokoro in the gateway, on a card with room for one more of 3 GB."""
    place = VoicePlace(Model(version="old", running=True))
    budget = card_budget([Share("kokoro", 0.5)], total_gb=5)

    def make(place: Place, order: Order) -> Candidate:
        return Candidate(Model(version=order.weights or "new"), 0, order.vram_gb)

    gateway.switcher = Switcher({"kokoro": place}, make, ready, (budget,), grace_s=0.0)
    return place


async def test_without_a_card_it_says_why(api: httpx.AsyncClient) -> None:
    answer = await api.get("/admin/gpu/status", headers=bearer("operator"))
    assert answer.status_code == 200
    assert answer.json() == {
        "gpus": [],
        "reason": "there is no NVIDIA driver on this machine",
        "budget": [],
    }


async def test_the_card_its_processes_and_what_is_meant_for_it(
    api: httpx.AsyncClient, gateway: FakeGateway, voice: VoicePlace
) -> None:
    card = Card(
        0, "NVIDIA GeForce RTX 3060", 12 * GB, 3 * GB, 41, 63, (CardProcess(1, GB // 2), CardProcess(9, GB))
    )
    gateway.gpu = GpuMonitor(lambda: {"kokoro": 1}, lambda: gateway.switcher.budgets, lambda: Cards((card,)))
    status = (await api.get("/admin/gpu/status", headers=bearer("operator"))).json()
    assert status["reason"] is None
    (gpu,) = status["gpus"]
    assert (gpu["memory_total_mb"], gpu["memory_used_mb"], gpu["temperature_c"]) == (12288, 3072, 63)
    assert [(each["engine"], each["memory_mb"]) for each in gpu["processes"]] == [
        ("kokoro", 512),
        (None, 1024),
    ]
    assert [(each["needed_gb"], each["fits"]) for each in status["budget"]] == [(1.5, True)]


async def test_a_model_is_switched_and_it_is_told_who_did(
    api: httpx.AsyncClient, gateway: FakeGateway, voice: VoicePlace
) -> None:
    body = {"engine": "kokoro", "weights": "kokoro-2", "vram_gb": 2}
    answer = await api.post("/admin/models/switch", json=body, headers=bearer("operator"))
    assert answer.status_code == 202, answer.text
    assert (answer.json()["stage"], answer.json()["by"], answer.json()["before"]) == (
        "loading",
        "operator",
        "kokoro old",
    )
    async with asyncio.timeout(20):
        await gateway.switcher.wait()
    models = (await api.get("/admin/models", headers=bearer("operator"))).json()
    assert models["places"] == [{"place": "kokoro", "engine": "kokoro", "version": "kokoro-2", "state": "up"}]
    assert [(each["stage"], each["after"]) for each in models["switches"]] == [("done", "kokoro kokoro-2")]
    assert models["switches"][0]["ended_at"] is not None


async def test_what_does_not_fit_is_refused_with_the_sum(api: httpx.AsyncClient, voice: VoicePlace) -> None:
    body = {"engine": "kokoro", "vram_gb": 3.8}
    answer = await api.post("/admin/models/switch", json=body, headers=bearer("operator"))
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "does_not_fit"
    for part in ("kokoro", "kokoro (new)", "CUDA", "5.3 GB", "unload_first"):
        assert part in problem["detail"]
    assert voice.version == "old"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"engine": "espeak", "vram_gb": 1}, 404, "it can be that of: kokoro"),
        ({"engine": "kokoro"}, 422, "say it with vram_gb"),
        ({"engine": "kokoro", "weights": "../../etc"}, 422, "weights"),
        ({"engine": "kokoro", "weights": "/etc"}, 422, "weights"),
        ({"engine": "kokoro", "wieghts": "x"}, 422, "is unknown"),
        ({}, 422, "engine"),
    ],
)
async def test_what_is_wrong_is_said(
    api: httpx.AsyncClient, voice: VoicePlace, body: dict[str, object], status: int, says: str
) -> None:
    answer = await api.post("/admin/models/switch", json=body, headers=bearer("operator"))
    assert answer.status_code == status
    assert says in answer.text


async def test_only_those_with_the_scope(api: httpx.AsyncClient, voice: VoicePlace, tmp_path: Path) -> None:
    for path in ("/admin/gpu/status", "/admin/models"):
        refused = await api.get(path)
        assert (refused.status_code, refused.json()["scope"]) == (403, "engines:read")
        assert (await api.get(path, headers={"Authorization": ""})).status_code == 401
    body = {"engine": "kokoro", "vram_gb": 1}
    refused = await api.post("/admin/models/switch", json=body)
    assert (refused.status_code, refused.json()["scope"]) == (403, "engines:write")
    assert voice.version == "old"
