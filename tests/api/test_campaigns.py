"""Campaigns and the suppression list over the API, with a gateway without telephones."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.campaigns.model import Claim, Retries
from ivr.campaigns.plan import Decision, Standing, judge
from ivr.campaigns.settings import Campaigns
from ivr.store import AuditQuery, CallState, Ending, NewCall, Store, new_id
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.api.test_fuzz import a_few, assert_documented

URL = "/api/voice/campaigns"
OFF = "/api/voice/suppressions"
ASKED = {"name": "Vendors", "flow": "vendor-order", "language": "hi"}
TABLE = "to,amount\n+919876543210,850\n09876543211,1250.50\n"


@pytest.fixture
async def client(api: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """With the key `marketing`."""
    api.headers.update(bearer("marketing"))
    return api  # type: ignore[return-value]


async def made(client: httpx.AsyncClient, table: str | None = TABLE, **changes: Any) -> str:
    answer = await client.post(URL, json=ASKED | changes)
    assert answer.status_code == 201, answer.text
    href: str = answer.headers["location"]
    if table is not None:
        assert (await uploaded(client, href, table)).status_code == 200
    return href


async def uploaded(client: httpx.AsyncClient, href: str, table: str | bytes, **params: Any) -> httpx.Response:
    return await client.post(
        f"{href}/contacts", content=table, headers={"Content-Type": "text/csv"}, params=params
    )


async def claim(store: Store, href: str, take: int = 9) -> tuple[Claim, ...]:
    """As the runner would."""

    def decide(standing: Standing) -> Decision:
        return Decision(standing.state, take, tuple(standing.earliest))

    return (await store.campaigns.round(href.rpartition("/")[2], decide, "node", time.time())).claims


async def call(store: Store, each: Claim, cause: str, result: dict[str, Any] | None = None) -> str:
    record = NewCall(new_id(), "outbound", time.time(), called=each.called, idempotency_key=each.key)
    await store.create_call(record)
    await store.campaigns.placed(each, record.id)
    if result is not None:
        await store.advance(record.id, CallState.ANSWERED, time.time())
    await store.finish_call(record.id, Ending(time.time(), cause, "callee", result))
    await store.campaigns.settle(each, lambda *args: judge(*args, Retries(times=1), time.time()))
    return record.id


async def test_a_campaign_from_its_making_to_its_results(client: httpx.AsyncClient, store: Store) -> None:
    href = await made(client, pace={"at_once": 3}, answering_machine={"action": "hang_up"})
    draft = (await client.get(href)).json()
    assert (draft["state"], draft["trunk"], draft["created_by"]) == ("draft", "exotel", "marketing")
    assert draft["window"] == {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "from": "09:00",
        "to": "21:00",
        "holidays": [],
    }
    assert draft["pace"] == {"at_once": 3, "per_minute": 60}
    assert draft["answering_machine"]["action"] == "hang_up"
    assert draft["figures"]["waiting"] == 2
    assert (await client.post(f"{href}/start")).json()["state"] == "running"
    busy, there = await claim(store, href)
    assert (busy.called, busy.params) == ("+919876543210", {"amount": "850"})
    await call(store, busy, "busy")
    call_id = await call(store, there, "normal", {"accepted": True, "minutes": 20})
    shown = (await client.get(href)).json()
    assert shown["figures"] == {
        "contacts": 2, "waiting": 1, "calling": 0, "answered": 1, "unreached": 0, "suppressed": 0,
        "erased": 0,
    }  # fmt: skip
    assert shown["causes"] == {"busy": 1, "normal": 1}
    assert shown["results"] == {"accepted": {"true": 1}, "minutes": {"20": 1}}
    (listed,) = (await client.get(URL)).json()["campaigns"]
    assert listed["figures"] == shown["figures"]
    first, second = (await client.get(f"{href}/contacts")).json()["contacts"]
    assert (first["state"], first["attempts"], first["cause"]) == ("waiting", 1, "busy")
    assert first["due_at"] is not None
    assert (second["state"], second["call"]) == ("answered", f"/api/voice/calls/{call_id}")
    results = await client.get(f"{href}/results")
    assert results.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(results.text)))
    assert [row["to"] for row in rows] == ["+919876543210", "09876543211"]
    assert rows[1]["call_id"] == call_id
    assert (rows[1]["params.amount"], rows[1]["result.accepted"]) == ("1250.50", "true")
    assert rows[0]["result.accepted"] == ""


async def test_states_and_what_they_do_not_allow(client: httpx.AsyncClient) -> None:
    href = await made(client, table=None)
    nobody = await client.post(f"{href}/start")
    assert (nobody.status_code, nobody.json()["type"]) == (409, "/problems/campaign-state")
    assert "no contacts" in nobody.json()["detail"]
    await uploaded(client, href, TABLE)
    for action, state in (
        ("start", "running"),
        ("start", "running"),
        ("pause", "paused"),
        ("start", "running"),
    ):
        assert (await client.post(f"{href}/{action}")).json()["state"] == state
    await client.post(f"{href}/start")
    running = await client.delete(href)
    assert (running.status_code, running.json()["state"]) == (409, "running")
    assert (await client.post(f"{href}/cancel")).json()["state"] == "cancelled"
    for action in ("start", "pause"):
        refused = await client.post(f"{href}/{action}")
        assert (refused.status_code, refused.json()["state"]) == (409, "cancelled")
    assert (await uploaded(client, href, "to,amount\n+911234567890,1\n")).status_code == 409
    assert (await client.delete(href)).status_code == 204
    for answer in (await client.get(href), await client.post(f"{href}/start"), await client.delete(href)):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-campaign")


async def test_a_start_that_is_to_come(client: httpx.AsyncClient) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    href = await made(client, starts_at=later.isoformat())
    assert (await client.post(f"{href}/start")).json()["state"] == "scheduled"
    assert (await client.post(f"{href}/pause")).json()["state"] == "paused"
    wrong = await client.post(
        URL, json=ASKED | {"starts_at": later.isoformat(), "ends_at": later.isoformat()}
    )
    assert wrong.status_code == 422
    assert "after starts_at" in wrong.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"flow": "vendor-ordr"}, 404, "there is no flow"),
        ({"trunk": "exotl"}, 422, "there is no trunk 'exotl'"),
        ({"language": "ta"}, 422, "must be one of hi, en"),
        ({"window": {"from": "08:00"}}, 422, "09:00 to 21:00 (campaigns.hours)"),
        ({"window": {"from": "22:00", "to": "06:00"}}, 422, "must lie within the hours"),
        ({"window": {"from": 9}}, 422, 'window.from: write it in quotes, as "09:00"'),
        ({"window": {"days": []}}, 422, "window.days"),
        ({"timezone": "Asia/Calcuta"}, 422, "timezone: is not a time zone: write it as Asia/Kolkata"),
        ({"pace": {"at_once": 0}}, 422, "pace.at_once"),
        ({"retries": {"on": ["answered"]}}, 422, "retries.on"),
        ({"contacts": [{"to": "Asha", "params": {}}]}, 422, "1 of the contacts cannot be called"),
        ({"colour": "red"}, 422, "colour: is unknown"),
    ],
)
async def test_what_cannot_be_done_is_told(
    client: httpx.AsyncClient, changes: dict[str, Any], status: int, told: str
) -> None:
    answer = await client.post(URL, json=ASKED | changes)
    assert_documented(answer, status)
    assert told in answer.json()["detail"]
    assert (await client.get(URL)).json()["campaigns"] == []


async def test_contacts_may_come_with_the_request(client: httpx.AsyncClient) -> None:
    people = [
        {"to": "+919876543210", "params": {"amount": 5}},
        {"to": "+12025550100", "params": {"amount": 6}, "timezone": "America/New_York"},
    ]
    href = await made(client, table=None, contacts=people)
    zones = [each["timezone"] for each in (await client.get(f"{href}/contacts")).json()["contacts"]]
    assert zones == ["Asia/Kolkata", "America/New_York"]
    wrong = await client.post(
        URL, json=ASKED | {"contacts": [people[0], {"to": "+91123", "params": {"x": 1}}]}
    )
    assert {each["field"] for each in wrong.json()["fields"]} == {"contacts.1.amount", "contacts.1.x"}


async def test_hours_of_the_operator_may_be_others(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.campaign_rules = Campaigns.model_validate({"hours": {"from": "00:00", "to": "00:00"}})
    href = await made(client, window={"from": "22:00", "to": "06:00"})
    assert (await client.get(href)).json()["window"]["from"] == "22:00"


async def test_every_mistake_of_a_table_is_told_and_nothing_is_stored(client: httpx.AsyncClient) -> None:
    href = await made(client)
    table = "to,amount\nAsha,5\n+919876543212,much\n+919876543213,5\n09876 543213,6\n9876543210,7\n,8\n"
    refused = await uploaded(client, href, table)
    assert_documented(refused, 422)
    problem = refused.json()
    assert (problem["type"], problem["count"]) == ("/problems/bad-table", 4)
    assert problem["errors"] == [
        {"line": 2, "column": "to", "message": "is not a number: write it as +919876543210"},
        {"line": 5, "column": "to", "message": "is the number of line 4"},
        {"line": 6, "column": "to", "message": "is a number that the campaign has already"},
        {"line": 7, "column": "to", "message": "is missing"},
    ]
    assert "9876" not in refused.text.replace("+919876543210", ""), "numbers are not told back"
    assert (await client.get(href)).json()["figures"]["contacts"] == 2
    kept = await uploaded(client, href, table, skip_bad=True)
    assert (kept.status_code, kept.json()["added"], kept.json()["count"]) == (200, 2, 4)
    assert kept.json()["errors"] == problem["errors"]


async def test_a_header_that_is_wrong_is_told_once(client: httpx.AsyncClient) -> None:
    href = await made(client, table=None)
    for table, column in (("to,amout\n1,2\n", "amout"), ("amount\n2\n", "to"), ("", "")):
        refused = await uploaded(client, href, table, skip_bad=False)
        assert column in {each["column"] for each in refused.json()["errors"]}
    latin = await uploaded(client, href, "to,amount\n+919876543210,é\n".encode("latin-1"))
    assert latin.json()["errors"] == [
        {"line": 2, "column": "", "message": "is not UTF-8: save the table as “CSV UTF-8”"}
    ]


async def test_a_large_table_is_taken_and_too_large_a_one_refused(client: httpx.AsyncClient) -> None:
    href = await made(client, table=None)
    rows = "".join(f"+9198{n:08},{n}\n" for n in range(4000))
    assert (await uploaded(client, href, f"to,amount\n{rows}")).json()["added"] == 4000
    huge = await uploaded(client, href, "to,amount\n" + "x" * (16 * 1024 * 1024))
    assert_documented(huge, 413)
    assert_documented(await client.post(URL, content=b" " * (1024 * 1024 + 1)), 413)


async def test_contacts_are_listed_page_by_page_and_by_state(client: httpx.AsyncClient) -> None:
    await client.put(f"{OFF}/%2B919876543211")
    href = await made(client, "to,amount\n" + "".join(f"+91987654321{n},1\n" for n in range(5)))
    seen: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        page = (await client.get(f"{href}/contacts", params={"limit": 2, "cursor": cursor})).json()
        seen += [each["contact"] for each in page["contacts"]]
        cursor = page["next"]
    assert seen == [1, 2, 3, 4, 5]
    (off,) = (await client.get(f"{href}/contacts", params={"state": "suppressed"})).json()["contacts"]
    assert off["to"] == "+919876543211"


async def test_who_is_erased_is_gone_from_the_campaign_too(client: httpx.AsyncClient, store: Store) -> None:
    href = await made(client)
    await client.post(f"{href}/start")
    each = (await claim(store, href, take=1))[0]
    calling = await client.delete(f"{href}/contacts/1")
    assert (calling.status_code, calling.json()["detail"]) == (409, "the contact is called at present")
    call_id = await call(store, each, "busy")
    assert (await client.delete(f"/api/voice/calls/{call_id}")).status_code == 204
    assert (await client.delete(f"{href}/contacts/2")).status_code == 204
    assert (await client.delete(f"{href}/contacts/3")).status_code == 404
    listed = (await client.get(f"{href}/contacts")).text
    assert "98765" not in listed
    assert "98765" not in (await client.get(f"{href}/results")).text
    assert (await client.get(href)).json()["figures"]["erased"] == 2


async def test_the_suppression_list(client: httpx.AsyncClient, store: Store) -> None:
    added = await client.put(f"{OFF}/09876 543210")
    assert (added.status_code, added.json()["number"]) == (201, "+919876543210")
    assert (await client.put(f"{OFF}/%2B919876543210")).status_code == 200
    found = (await client.get(f"{OFF}/9876543210")).json()
    assert found["source"] == "api:marketing"
    table = "number;name\n+919876543211;x\n 98765 43212 \n\n+919876543210\n"
    done = await client.post(f"{OFF}/import", content=table)
    assert done.json() == {"added": 2, "known": 1}
    wrong = await client.post(f"{OFF}/import", content="number\nAsha\n+91987654321x\n")
    assert_documented(wrong, 422)
    assert [each["line"] for each in wrong.json()["errors"]] == [2, 3]
    first = (await client.get(OFF, params={"limit": 2})).json()
    rest = (await client.get(OFF, params={"limit": 2, "cursor": first["next"]})).json()
    numbers = [each["number"] for each in first["suppressions"] + rest["suppressions"]]
    assert numbers == ["+919876543210", "+919876543211", "+919876543212"]
    assert rest["next"] is None
    assert (await client.delete(f"{OFF}/+919876543210")).status_code == 204
    for gone in (await client.delete(f"{OFF}/+919876543210"), await client.get(f"{OFF}/+919876543210")):
        assert (gone.status_code, gone.json()["type"]) == (404, "/problems/not-suppressed")
    assert (await client.put(f"{OFF}/Asha")).json()["type"] == "/problems/bad-number"
    entries = await store.list_audit(AuditQuery())
    assert all("9876543210" not in str(entry) for entry in entries.entries), "the log has no numbers"


async def test_a_single_call_respects_the_list_where_it_is_asked_to(
    client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    await client.put(f"{OFF}/+919876543210")
    order = {"to": "09876543210", "flow": "vendor-order", "params": {"amount": 5}}
    url = "/api/voice/call/initiate"
    refused = await client.post(url, json=order | {"respect_suppressions": True})
    assert_documented(refused, 409)
    assert refused.json()["type"] == "/problems/suppressed"
    assert gateway.dialled == []
    assert (await client.post(url, json=order)).status_code == 202
    other = order | {"to": "+919876543211", "respect_suppressions": True}
    assert (await client.post(url, json=other)).status_code == 202


async def test_scopes(api: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", URL),
        ("POST", URL),
        ("GET", OFF),
        ("PUT", f"{OFF}/123"),
        ("POST", f"{OFF}/import"),
    ):
        refused = await api.request(method, path, headers=bearer("viewer"))
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/missing-scope")
    assert (await api.get(URL, headers={"Authorization": ""})).status_code == 401


async def test_a_person_is_named_where_the_key_may_say_who(api: httpx.AsyncClient) -> None:
    named = bearer("dashboard") | {"X-Operator": "asha"}
    made = await api.post(URL, json=ASKED, headers=named)
    assert made.json()["created_by"] == "asha"
    assert (await api.put(f"{OFF}/+919876543210", headers=named)).json()["source"] == "api:asha"


async def test_what_was_done_stands_in_the_audit_log(client: httpx.AsyncClient, store: Store) -> None:
    href = await made(client)
    await client.post(f"{href}/start")
    entries = (await store.list_audit(AuditQuery())).entries
    told = {(entry.action, entry.target, entry.client) for entry in entries}
    id = href.rpartition("/")[2]
    assert told == {(f"campaigns.{name}", id, "marketing") for name in ("create", "upload", "start")}


ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["name", "flow", "trunk", "timezone", "window", "pace", "retries", "starts_at", "ends_at", "contacts"]
)
some = settings(a_few, max_examples=25)
WINDOWS = st.fixed_dictionaries({}, optional={"from": ANY, "to": ANY, "days": ANY, "holidays": ANY})


@some
@given(changes=st.dictionaries(FIELDS, ANY | WINDOWS, max_size=3))
async def test_any_json(api: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    answer = await api.post(URL, json=_finite(ASKED | changes), headers=bearer("marketing"))
    assert_documented(answer, 201, 404, 422)


@some
@given(table=st.binary(max_size=120) | st.text(alphabet='to,amount\n+9185"', max_size=60).map(str.encode))
async def test_any_table(api: httpx.AsyncClient, table: bytes) -> None:
    api.headers.update(bearer("marketing"))
    href = await made(api, table=None)
    assert_documented(await uploaded(api, href, table), 200, 422)
    assert_documented(await api.post(f"{OFF}/import", content=table), 200, 422)


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    if isinstance(value, float) and value - value != 0:
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value
