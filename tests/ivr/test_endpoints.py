"""Requests of flows: what is sent, and what every kind of answer becomes."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable

import httpx
import pytest

from ivr.config import Endpoint
from ivr.endpoints import MAX_ANSWER_BYTES, Endpoints
from ivr.flow.protocol import Replied, RequestFailed, SendRequest

Handler = Callable[[httpx.Request], httpx.Response]
SECRET = "a-secret-for-tests"


async def ask(
    handler: Handler, request: SendRequest, url: str = "http://shop/orders"
) -> Replied | RequestFailed:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        return await Endpoints({"orders": Endpoint(url=url, secret=SECRET)}, client).send(request)


async def test_a_post_carries_signed_json() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"status": "ready"})

    answer = await ask(handler, SendRequest("r1", "orders", "POST", {"vendor": "शर्मा"}, 2.0))
    assert answer == Replied("r1", 200, {"status": "ready"})
    (sent,) = seen
    assert json.loads(sent.content) == {"vendor": "शर्मा"}
    stamp, _, signature = sent.headers["X-Signature"].removeprefix("t=").partition(",v1=")
    assert (
        signature
        == hmac.new(SECRET.encode(), f"{stamp}.".encode() + sent.content, hashlib.sha256).hexdigest()
    )


async def test_a_get_carries_its_values_in_the_query() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.content == b""
        return httpx.Response(200, json=dict(request.url.params))

    answer = await ask(
        handler, SendRequest("r1", "orders", "GET", {"order": "48213", "n": 2, "eta": None}, 2.0)
    )
    assert answer == Replied("r1", 200, {"order": "48213", "n": "2"})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (httpx.Response(500), "status 500"),
        (httpx.Response(302, headers={"Location": "http://elsewhere/"}), "status 302"),
        (httpx.Response(200, content=b"x" * (MAX_ANSWER_BYTES + 1)), "the answer is over 262144 bytes"),
    ],
)
async def test_what_is_not_an_answer(response: httpx.Response, reason: str) -> None:
    answer = await ask(lambda _: response, SendRequest("r1", "orders", "POST", {}, 2.0))
    assert isinstance(answer, RequestFailed)
    assert (answer.reason, answer.status) == (reason, response.status_code)


async def test_an_answer_that_is_no_json_is_none() -> None:
    answer = await ask(
        lambda _: httpx.Response(200, text="<html>"), SendRequest("r1", "orders", "POST", {}, 2.0)
    )
    assert answer == Replied("r1", 200, None)


async def test_an_endpoint_that_hangs_or_is_away() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as client:
        endpoints = Endpoints({"orders": Endpoint(url="http://shop/")}, client)
        answer = await endpoints.send(SendRequest("r1", "orders", "POST", {}, 0.05))
    assert answer == RequestFailed("r1", "no answer within 0.05 s")

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    answer = await ask(refuse, SendRequest("r2", "orders", "POST", {}, 2.0))
    assert answer == RequestFailed("r2", "ConnectError: refused")
