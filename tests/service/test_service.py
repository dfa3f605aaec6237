"""What both services begin with: errors, keys, limits, health, pages, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.service.app import new_app
from engines.service.errors import RESPONSES, bad_request
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.service.serving import served

KEY = "a key of the tests"


def service(keys: Keys, reasons: list[str]) -> FastAPI:
    app = new_app("Test", "", keys, ServiceMetrics("asr"), lambda: reasons, body_bytes=1000, body_s=0.5)
    failures = {
        "down": EngineUnavailable("x is down"),
        "late": EngineTimeout("no answer"),
        "broken": EngineError("out of memory"),
        "bug": ZeroDivisionError("secret"),
        "wrong": bad_request("no such thing", code="wrong", param="model", status=404),
    }

    @app.post("/fail/{how}", responses=RESPONSES)
    async def fail(how: str, times: int = 1) -> None:
        raise failures[how]

    @app.post("/size", dependencies=[Depends(keys.client)])
    async def size(request: Request) -> int:
        return len(await request.body())

    return app


@pytest.fixture
def reasons() -> list[str]:
    return []


@pytest.fixture
async def url(reasons: list[str]) -> AsyncIterator[str]:
    async with served(service(Keys({"tests": KEY}), reasons), "127.0.0.1", 0, drain_s=2) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    ("how", "status", "kind", "code"),
    [
        ("down", 503, "server_error", "engine_unavailable"),
        ("late", 504, "server_error", "engine_timeout"),
        ("broken", 500, "server_error", "engine_failed"),
        ("bug", 500, "server_error", "internal"),
        ("wrong", 404, "invalid_request_error", "wrong"),
    ],
)
async def test_errors_have_one_shape(
    client: httpx.AsyncClient, how: str, status: int, kind: str, code: str
) -> None:
    answer = await client.post(f"/fail/{how}")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == (kind, code)
    assert error.keys() == {"message", "type", "param", "code"}
    assert "secret" not in answer.text


async def test_what_the_framework_refuses_has_it_too(client: httpx.AsyncClient) -> None:
    wrong = await client.post("/fail/x", params={"times": "often"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "times")
    assert "integer" in wrong.json()["error"]["message"]
    nowhere = (await client.get("/nowhere")).json()["error"]
    assert nowhere["code"] == "http_error"
    assert nowhere["message"] == "there is nothing at /nowhere: /docs shows what there is"
    method = await client.get("/size")
    assert (method.status_code, method.json()["error"]["message"]) == (405, "/size takes POST, not GET")


async def test_keys(client: httpx.AsyncClient) -> None:
    none = await client.post("/size")
    assert (none.status_code, none.json()["error"]["code"]) == (401, "no_api_key")
    wrong = await client.post("/size", headers={"Authorization": "Bearer no"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert wrong.json()["error"]["type"] == "authentication_error"
    right = await client.post("/size", content=b"abc", headers={"Authorization": f"Bearer {KEY}"})
    assert right.json() == 3
    assert (await client.get("/metrics")).status_code == 401
    assert Keys({}).check(None) == "anybody"


async def test_bodies_are_bounded(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(100)

    assert (await client.post("/size", content=pieces(9), headers=headers)).json() == 900
    announced = await client.post("/size", content=bytes(1001), headers=headers)
    assert (announced.status_code, announced.json()["error"]["code"]) == (413, "body_too_large")
    chunked = await client.post("/size", content=pieces(11), headers=headers)
    assert chunked.status_code == 413


async def test_bodies_that_do_not_come(url: str) -> None:
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /size HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 9\r\n\r\nabc"
    writer.write(head.encode())
    async with asyncio.timeout(20):
        assert b"408" in await reader.readline()
    writer.close()


async def test_health_says_why(client: httpx.AsyncClient, reasons: list[str]) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    assert (await client.get("/health/ready")).status_code == 200
    reasons.append("whisper is down")
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["whisper is down"])


async def test_pages_need_no_internet(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert "://" not in page.text.replace("http://www.w3.org", "")
    assert (await client.get("/docs/assets/swagger-ui-bundle.js")).status_code == 200
    document = (await client.get("/openapi.json")).json()
    assert "HTTPValidationError" not in str(document)
    assert "422" not in document["paths"]["/fail/{how}"]["post"]["responses"]


async def test_work_under_way_is_finished_at_the_end() -> None:
    app = service(Keys({}), [])
    entered = asyncio.Event()
    release = asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        entered.set()
        await release.wait()
        return "done"

    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(app, "127.0.0.1", 0, drain_s=20))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=20))
        request = asyncio.create_task(client.get(f"{url}/slow"))
        await entered.wait()
        asyncio.get_running_loop().call_later(0.3, release.set)
        stack.push_async_callback(asyncio.wait, [request])
        await stack.aclose()
    assert request.result().json() == "done"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


async def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: Address already in use"):
            async with served(service(Keys({}), []), "127.0.0.1", port):
                pass
