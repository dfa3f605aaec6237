"""Whatever is sent, the answer is one of the documented ones: never an error of the server, never another
shape.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.api.test_initiate import ORDER, URL

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*ORDER, "trunk", "caller_id", "language", "idempotency_key", "x"])

a_few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_documented(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json().keys() >= {"type", "title", "status", "detail"}


@a_few
@given(changes=st.dictionaries(FIELDS, ANY_JSON, max_size=3))
async def test_any_json(api: httpx.AsyncClient, gateway: FakeGateway, changes: dict[str, Any]) -> None:
    body = json.dumps({**ORDER, **changes})
    response = await api.post(URL, content=body, headers={"content-type": "application/json"})
    assert_documented(response, 202, 404, 409, 422)
    if response.status_code == 202:
        assert_documented(await api.get(response.headers["location"]), 200)


@a_few
@given(body=st.binary(max_size=200))
async def test_any_bytes(api: httpx.AsyncClient, body: bytes) -> None:
    response = await api.post(URL, content=body, headers={"content-type": "application/json"})
    assert_documented(response, 400, 422)


@a_few
@given(
    path=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    query=st.dictionaries(
        st.sampled_from(["state", "flow", "since", "cursor", "limit"]),
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers().map(str) | st.datetimes().map(str),
    ),
)
async def test_any_path_and_query(api: httpx.AsyncClient, path: str, query: dict[str, str]) -> None:
    assert_documented(await api.get("/api/voice/calls", params=query), 200, 422)
    segment = quote(path, safe="")
    assert_documented(await api.get(f"/api/voice/calls/{segment}x"), 404)
    assert_documented(await api.post(f"/api/voice/calls/{segment}x/hangup"), 404)


@a_few
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=70) | st.just("hello"),
    body=st.binary(max_size=200) | st.text().map(lambda text: f"flow: hello\n{text}".encode()),
    condition=st.sampled_from([None, "*", '"x"', 'W/"x"', '"', '"a", "b"', ""]),
)
async def test_any_flow(api: httpx.AsyncClient, name: str, body: bytes, condition: str | None) -> None:
    headers = bearer("author") | ({} if condition is None else {"If-Match": condition})
    response = await api.put(f"/api/flows/{quote(name, safe='')}", content=body, headers=headers)
    assert_documented(response, 200, 201, 307, 404, 405, 409, 412, 422, 428)
    shown = await api.get(f"/api/flows/{quote(name, safe='')}", headers=headers)
    assert_documented(shown, 200, 307, 404, 405, 422)
