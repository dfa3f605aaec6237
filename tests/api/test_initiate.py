"""Placing calls through the API, and every way in which that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ivr.api import BadNumber, NoCapacity
from ivr.api.gateway import NotAllowed
from ivr.api.limits import BodyLimit
from ivr.store import StoreUnavailable
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway

URL = "/api/voice/call/initiate"
ORDER: dict[str, Any] = {"to": "+919876543210", "flow": "vendor-order", "params": {"amount": "850"}}


def assert_problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"/problems/{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


def named(body: dict[str, Any]) -> set[str]:
    return {each["field"] for each in body["fields"]}


async def test_a_call_is_accepted_and_can_be_asked_for(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    response = await api.post(
        URL, json={**ORDER, "trunk": "exotel", "caller_id": "+912240000000", "language": "hi"}
    )
    assert response.status_code == 202
    body = response.json()
    assert body["state"] == "created"
    assert response.headers["location"] == body["href"] == f"/api/voice/calls/{body['id']}"
    (request,) = gateway.dialled
    assert (request.to, request.trunk, request.language) == ("+919876543210", "exotel", "hi")
    assert (await api.get(body["href"])).json()["called"] == "+919876543210"


async def test_an_unknown_flow_or_trunk(api: httpx.AsyncClient) -> None:
    body = assert_problem(await api.post(URL, json={**ORDER, "flow": "vendor-odrer"}), 404, "unknown-flow")
    assert body["known"] == ["vendor-order"]
    body = assert_problem(await api.post(URL, json={**ORDER, "trunk": "extl"}), 422, "unknown-trunk")
    assert (named(body), body["known"]) == ({"trunk"}, ["exotel"])


async def test_each_wrong_parameter_is_named(api: httpx.AsyncClient) -> None:
    response = await api.post(URL, json={**ORDER, "params": {"amuont": "850", "vendor": "x"}})
    body = assert_problem(response, 422, "invalid-request")
    assert named(body) == {"params.amuont", "params.vendor", "params.amount"}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"to": ""}, {"to"}),
        ({"to": 919876543210}, {"to"}),
        ({"to": "+91\r\nVia: x"}, {"to"}),
        ({"to": "9" * 129}, {"to"}),
        ({"flow": None}, {"flow"}),
        ({"params": []}, {"params"}),
        ({"number": "+91", "when": "now"}, {"number", "when"}),
        ({"idempotency_key": "with space"}, {"idempotency_key"}),
        ({"idempotency_key": "k" * 201}, {"idempotency_key"}),
    ],
)
async def test_each_wrong_field_is_named(
    api: httpx.AsyncClient, change: dict[str, Any], fields: set[str]
) -> None:
    body = assert_problem(await api.post(URL, json={**ORDER, **change}), 422, "invalid-request")
    assert named(body) == fields
    assert "9" * 20 not in str(body), "what was sent is not repeated: it may be a number"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"to": "x"', b"\xff\xfe", b"[" * 20_000, b'{"to":1e999999}']
)
async def test_what_is_not_a_request(api: httpx.AsyncClient, gateway: FakeGateway, content: bytes) -> None:
    response = await api.post(URL, content=content, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"
    assert gateway.dialled == []


async def test_a_body_that_is_not_json_is_told_by_what_it_is(api: httpx.AsyncClient) -> None:
    response = await api.post(URL, content=b'{"to":', headers={"content-type": "application/json"})
    body = assert_problem(response, 422, "invalid-request")
    message = "is not JSON: Expecting value, after 6 characters"
    assert body["fields"] == [{"field": "body", "message": message}]


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"', '{"deep": "\\udfff"}'])
async def test_values_that_cannot_be_stored(api: httpx.AsyncClient, gateway: FakeGateway, value: str) -> None:
    content = f'{{"to": "+91", "flow": "vendor-order", "params": {{"amount": {value}}}}}'
    response = await api.post(URL, content=content, headers={"content-type": "application/json"})
    assert_problem(response, 422, "invalid-request")
    assert gateway.dialled == []


async def test_refusals_of_the_gateway(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.refusal = BadNumber("it has 4 digits, a number of this country has 10")
    body = assert_problem(await api.post(URL, json=ORDER), 422, "bad-number")
    assert named(body) == {"to"}

    gateway.refusal = NoCapacity(7)
    response = await api.post(URL, json=ORDER)
    assert_problem(response, 503, "no-capacity")
    assert response.headers["retry-after"] == "7"

    gateway.refusal = StoreUnavailable("disk full at /var/lib")
    response = await api.post(URL, json=ORDER)
    assert_problem(response, 503, "store-unavailable")
    assert "retry-after" in response.headers
    assert "disk" not in response.text

    gateway.refusal = RuntimeError("a secret of the server")
    response = await api.post(URL, json=ORDER)
    assert_problem(response, 500, "internal")
    assert "secret" not in response.text


async def test_a_repetition_gives_the_first_call(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    keyed = {**ORDER, "idempotency_key": "order-1"}
    first = (await api.post(URL, json=keyed)).json()
    gateway.refusal = NoCapacity(5)
    header = {"Idempotency-Key": "order-1"}
    for again in (await api.post(URL, json=keyed), await api.post(URL, json=ORDER, headers=header)):
        assert again.status_code == 202
        assert again.json()["id"] == first["id"]
    assert len(gateway.dialled) == 1

    body = assert_problem(await api.post(URL, json={**keyed, "to": "+91"}), 409, "idempotency-conflict")
    assert body["call_id"] == first["id"]
    response = await api.post(URL, json=keyed, headers={"Idempotency-Key": "another"})
    assert named(assert_problem(response, 422, "invalid-request")) == {"idempotency_key"}


async def test_many_repetitions_at_once_make_one_call(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    keyed = {**ORDER, "idempotency_key": "order-2"}
    responses = await asyncio.gather(*(api.post(URL, json=keyed) for _ in range(20)))
    assert {each.status_code for each in responses} == {202}
    assert len({each.json()["id"] for each in responses}) == 1
    assert len(gateway.dialled) == 1


async def test_a_key_of_another_client_is_another_key(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    keyed = {**ORDER, "idempotency_key": "order-3"}
    mine = await api.post(URL, json=keyed)
    theirs = await api.post(URL, json=keyed, headers=bearer("caller"))
    assert mine.json()["id"] != theirs.json()["id"]


async def test_a_body_has_a_bound(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    large = {**ORDER, "params": {"amount": "8" * 70_000}}
    assert_problem(await api.post(URL, json=large), 413, "too-large")

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    assert_problem(await api.post(URL, content=unannounced()), 413, "too-large")
    assert gateway.dialled == []


async def test_a_body_has_a_time() -> None:
    reached: list[str] = []

    async def app(*_: object) -> None:
        reached.append("app")

    limited = httpx.ASGITransport(BodyLimit(app, max_s=0.05))

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=limited, base_url="http://ivr") as client:
        assert_problem(await client.post(URL, content=endless()), 408, "too-slow")
    assert reached == []


async def test_x_headers_of_the_call(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    sent = {"X-Order-Id": "4821", "x-campaign": "दीवाली"}
    assert (await api.post(URL, json={**ORDER, "headers": sent})).status_code == 202
    assert gateway.dialled[0].headers == sent
    for bad in (
        {"Via": "x"},
        {"X-A B": "x"},
        {"X-A": "a\r\nContact: evil"},
        {"X-A": ""},
        {"X-A": "a" * 257},
        {f"X-{number}": "x" for number in range(17)},
    ):
        assert_problem(await api.post(URL, json={**ORDER, "headers": bad}), 422, "invalid-request")
    assert len(gateway.dialled) == 1


async def test_what_the_trunk_may_not_call(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.refusal = NotAllowed("the number is not among the trunk's `destinations`")
    body = assert_problem(await api.post(URL, json=ORDER), 403, "destination-not-allowed")
    assert named(body) == {"to"}
