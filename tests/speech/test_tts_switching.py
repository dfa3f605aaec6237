"""A running `ivr tts` with kokoro on weights of the test's: others take over while clients listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.service.serving import served
from ivr.config import Config, load
from ivr.services import tts_service
from tests.fakes.kokoro import write_kokoro

OPERATOR = {"Authorization": "Bearer operator-key-0123456789"}
CLIENT = {"Authorization": "Bearer client-key-0123456789"}
LONG = "One sentence after the other, and none of them is short. " * 8
WAIT_S = 60


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in ("one", "two"):
        write_kokoro(tmp_path / "weights" / name)
    (tmp_path / "weights" / "broken").mkdir()
    path = tmp_path / "ivr.yaml"
    path.write_text(
        """
store: {path: var}
engines:
  tts: {en: [kokoro]}
  setup: {kokoro: {weights: weights/one, device: cpu, options: {threads: 1}}}
services:
  tts:
    keys: {shop: client-key-0123456789}
    operators: {ops: operator-key-0123456789}
""",
        encoding="utf-8",
    )
    return load(path)


@asynccontextmanager
async def service(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        tts_service(config) as app,
        served(app, "127.0.0.1", 0, 1) as url,
        httpx.AsyncClient(base_url=url, timeout=WAIT_S, trust_env=False, headers=CLIENT) as client,
    ):
        yield client


def body(text: str) -> dict[str, Any]:
    return {"input": text, "language": "en", "model": "kokoro", "response_format": "pcm"}


async def models(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/admin/models", headers=OPERATOR)).json()
    return found


async def ended(client: httpx.AsyncClient) -> dict[str, Any]:
    """The switch once it is over."""
    async with asyncio.timeout(WAIT_S):
        while (last := (await models(client))["switches"][0])["ended_at"] is None:
            await asyncio.sleep(0.02)
    return dict(last)


async def test_weights_are_switched_while_a_text_is_spoken(config: Config) -> None:
    async with service(config) as client:
        whole = await client.post("/v1/audio/speech", json=body(LONG))
        before = whole.headers["x-engine-version"]
        assert before.endswith("-one-1-level2")
        (place,) = (await models(client))["places"]
        assert (place["place"], place["state"]) == ("kokoro", "up")
        async with client.stream("POST", "/v1/audio/speech/stream", json=body(LONG)) as under_way:
            sound = under_way.aiter_raw()
            size = len(await anext(sound))
            order = {"engine": "kokoro", "weights": "two"}
            begun = await client.post("/admin/models/switch", json=order, headers=OPERATOR)
            assert begun.status_code == 202, begun.text
            again = await client.post("/admin/models/switch", json=order, headers=OPERATOR)
            assert (again.status_code, again.json()["error"]["code"]) == (409, "switch_under_way")
            async with asyncio.timeout(WAIT_S):
                while "-two-" not in (await models(client))["places"][0]["version"]:
                    size += len(await anext(sound, b""))
            following = await client.post("/v1/audio/speech", json=body("And the next."))
            assert following.headers["x-engine-version"].endswith("-two-1-level2")
            async for chunk in sound:
                size += len(chunk)
            assert under_way.headers["x-engine-version"] == before
            assert size == len(whole.content), "to its end, of the model that it began with"
        last = await ended(client)
        assert (last["stage"], last["by"], last["cut_off"]) == ("done", "ops", 0)
        assert "-one-" in last["before"]
        assert "-two-" in last["after"]


async def test_a_model_that_cannot_be_loaded_changes_nothing(config: Config) -> None:
    async with service(config) as client:
        order = {"engine": "kokoro", "weights": "broken"}
        assert (await client.post("/admin/models/switch", json=order, headers=OPERATOR)).status_code == 202
        last = await ended(client)
        assert last["stage"] == "failed"
        assert "did not start" in last["reason"]
        answer = await client.post("/v1/audio/speech", json=body("Still here."))
        assert answer.headers["x-engine-version"].endswith("-one-1-level2")
        for order, status, code in (
            ({"engine": "kokoro", "weights": "three"}, 400, "unknown_weights"),
            ({"engine": "kokoro", "to": "faster-whisper"}, 400, "cannot_be_used"),
            ({"engine": "kokoro", "to": "espeak"}, 400, "cannot_be_used"),
            ({"engine": "kokoro", "to": "chatterbox-turbo"}, 400, "cannot_be_used"),
            ({"engine": "espeak"}, 404, "unknown_engine"),
            ({"engine": "kokoro", "weights": "../one"}, 400, "invalid_value"),
        ):
            refused = await client.post("/admin/models/switch", json=order, headers=OPERATOR)
            assert (refused.status_code, refused.json()["error"]["code"]) == (status, code), refused.text
        known = await client.post(
            "/admin/models/switch", json={"engine": "kokoro", "weights": "three"}, headers=OPERATOR
        )
        assert "there are broken, one, two" in known.json()["error"]["message"]


async def test_only_operators_operate(config: Config) -> None:
    async with service(config) as client:
        for headers, status, code in (
            (CLIENT, 403, "operators_only"),
            ({"Authorization": ""}, 401, "no_api_key"),
            ({"Authorization": "Bearer nobodys-key-0123456789"}, 401, "invalid_api_key"),
        ):
            for path in ("/admin/gpu/status", "/admin/models"):
                refused = await client.get(path, headers=headers)
                assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
            order = {"engine": "kokoro", "weights": "two"}
            refused = await client.post("/admin/models/switch", json=order, headers=headers)
            assert refused.status_code == status
        status = (await client.get("/admin/gpu/status", headers=OPERATOR)).json()
        assert bool(status["gpus"]) != bool(status["reason"])
        assert (await models(client))["switches"] == []
