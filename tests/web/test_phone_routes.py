"""What the phone page asks of the server: its files, its flows, and tokens, which not everybody gets."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from ivr.api import problems
from ivr.library import FlowLibrary
from ivr.shelf.folder import FlowFolder
from ivr.web import phone
from ivr.web.book import Purpose
from ivr.web.config import Phone
from ivr.web.offer import samples_beside
from ivr.web.pages import assets, pages
from ivr.web.visitors import CALLS_AT_ONCE, Visitors, from_our_page, names_this_machine

FLOW: Final = """flow: {name}
languages: [hi, en]
params: {{order: digits, amount: rupees, note: optional text, size: {{one_of: [small, large]}}}}
result: {{taken: optional yes_no}}
start: greet
steps:
  greet: {{say: {{hi: "नमस्ते।", en: "Hello."}}, next: bye}}
  bye: {{end: normal}}
"""
SCENARIOS: Final = """flow: tea
with: {order: "48213", amount: 1250.50, size: medium}
scenarios:
  - {name: this is never parsed, because: [it is not closed
"""
LOCAL: Final = Phone()
ASK: Final = {"flow": "tea", "params": {"order": "7", "amount": 10, "size": "small"}, "language": "hi"}


class Tokens:
    """As `ivr.web.sessions.Sessions`."""

    def __init__(self) -> None:
        self.issued: list[Purpose] = []

    def issue(self, purpose: Purpose, ttl_s: float | None = None) -> dict[str, Any]:
        self.issued.append(purpose)
        return {"session_id": "s", "token": "t", "expires_at": 1.0, "ice_servers": self.ice_servers()}

    def ice_servers(self) -> list[dict[str, Any]]:
        return [{"urls": ["stun:stun.example"]}]


OpenPhone = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Flows are all that the routes ask of it."""
    folder = tmp_path_factory.mktemp("flows")
    for name in ("tea", "coffee"):
        (folder / f"{name}.yaml").write_text(FLOW.format(name=name), encoding="utf-8")
    (folder / "tea.scenarios.yaml").write_text(SCENARIOS, encoding="utf-8")
    library = FlowLibrary(folder, {})
    for sighting in FlowFolder(folder, None).look(settled=False):
        library.take(sighting, 0.0, "file")
    return SimpleNamespace(flows=SimpleNamespace(library=library, folder=folder))


@pytest.fixture
def open_phone(gateway: Any, tokens: Tokens) -> OpenPhone:
    @asynccontextmanager
    async def opened(
        settings: Phone = LOCAL, client: str = "127.0.0.1", host: str = "localhost:8080"
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = FastAPI()
        problems.install(app)
        app.include_router(pages(phone=settings.access != "off"))
        app.include_router(phone.routes(gateway, settings, tokens))
        transport = httpx.ASGITransport(app, client=(client, 4711))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
            yield http

    return opened


async def test_the_page_may_do_little_and_is_asked_for_once(open_phone: OpenPhone) -> None:
    async with open_phone() as http:
        page = await http.get("/")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["permissions-policy"].startswith("microphone=(self)")
        assert page.headers["cache-control"] == "no-cache"
        again = await http.get("/", headers={"If-None-Match": f'"other", W/{page.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        script = await http.get("/static/client.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["x-content-type-options"] == "nosniff"
        assert (await http.head("/static/phone.css")).status_code == 200


@pytest.mark.parametrize("path", ["nothing.js", "../pyproject.toml", "%2e%2e/py.typed", "", "client/"])
async def test_nothing_else_is_served(open_phone: OpenPhone, path: str) -> None:
    async with open_phone() as http:
        assert (await http.get(f"/static/{path}")).status_code == 404


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for path, asset in assets().items():
        text = asset.body.decode()
        for line in text.splitlines():
            if "http://" in line or "https://" in line:
                assert line.lstrip().startswith(("*", "error_insecure")) or "www.w3.org" in line, (
                    f"{path}: {line}"
                )
        assert "innerHTML" not in text, path
        assert " style=" not in text, path


def test_every_text_of_the_page_is_there_in_its_three_languages() -> None:
    files = {path: asset.body.decode() for path, asset in assets().items()}
    tables = re.findall(r"^  (en|hi|mr): \{\n(.*?)^  \},", files["phone/texts.js"], re.DOTALL | re.MULTILINE)
    texts = {
        tongue: dict(re.findall(r'^    "?([\w-]+)"?: "(.+)",$', table, re.MULTILINE))
        for tongue, table in tables
    }
    assert set(texts) == {"en", "hi", "mr"}
    assert texts["en"].keys() == texts["hi"].keys() == texts["mr"].keys()
    for name, words in texts["en"].items():
        holes = sorted(re.findall(r"\{\w+\}", words))
        for tongue in ("hi", "mr"):
            assert sorted(re.findall(r"\{\w+\}", texts[tongue][name])) == holes, (tongue, name)
    scripts = "".join(text for path, text in files.items() if path.startswith("phone"))
    used = set(re.findall(r'\bt\("(\w+)"', scripts)) | set(re.findall(r'data-t="(\w+)"', files["index.html"]))
    assert used <= texts["en"].keys()
    made = tuple(re.findall(r"\bt\(`(\w+_)\$", scripts))  # `state_${state}`
    chosen = {name for name in texts["en"] if name.startswith(made)}
    assert set(made) == {"state_", "cause_", "error_", "stage_"}
    assert {name for name in texts["en"] if f'"{name}"' not in scripts} - used - chosen == set()


async def test_flows_are_offered_with_samples_that_fit(open_phone: OpenPhone) -> None:
    async with open_phone(Phone(flows=["tea", "cocoa"])) as http:
        told = (await http.get("/api/voice/phone")).json()
    assert told["ice_servers"] == [{"urls": ["stun:stun.example"]}]
    (tea,) = told["flows"]
    assert (tea["flow"], tea["languages"]) == ("tea", ["hi", "en"])
    assert tea["params"] == [
        {"name": "order", "kind": "digits", "optional": False, "options": [], "sample": "48213"},
        {"name": "amount", "kind": "rupees", "optional": False, "options": [], "sample": 1250.5},
        {"name": "note", "kind": "text", "optional": True, "options": [], "sample": None},
        {"name": "size", "kind": "one_of", "optional": False, "options": ["small", "large"], "sample": None},
    ]
    assert tea["result"] == {"taken": "yes_no"}


def test_samples_of_a_broken_file_are_none(tmp_path: Path) -> None:
    assert samples_beside(tmp_path / "tea.yaml") == {}
    (tmp_path / "tea.scenarios.yaml").write_text("with: [a\nscenarios: []", encoding="utf-8")
    assert samples_beside(tmp_path / "tea.yaml") == {}


async def test_the_page_gets_a_token(open_phone: OpenPhone, tokens: Tokens) -> None:
    async with open_phone() as http:
        answer = await http.post(
            "/api/voice/phone/sessions", json=ASK, headers={"Origin": "http://localhost:8080"}
        )
    assert (answer.status_code, answer.json()["token"]) == (201, "t")
    (call,) = tokens.issued
    assert (call.flow, call.language, call.caller) == ("tea", "hi", "phone page")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8080"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
async def test_no_other_site_calls_with_this_browser(
    open_phone: OpenPhone, tokens: Tokens, headers: dict[str, str], status: int
) -> None:
    async with open_phone() as http:
        answer = await http.post("/api/voice/phone/sessions", json=ASK, headers=headers)
    assert answer.status_code == status
    assert tokens.issued == []


@pytest.mark.parametrize(
    ("settings", "client", "host"),
    [
        (Phone(access="off"), "127.0.0.1", "localhost"),
        (Phone(), "192.0.2.7", "ivr.example"),
        (Phone(), "127.0.0.1", "evil.example"),  # a name that was made to lead here
    ],
)
async def test_a_closed_page_gives_nothing(
    open_phone: OpenPhone, tokens: Tokens, settings: Phone, client: str, host: str
) -> None:
    async with open_phone(settings, client, host) as http:
        for answer in (
            await http.get("/api/voice/phone"),
            await http.post("/api/voice/phone/sessions", json=ASK),
        ):
            assert answer.status_code == 403
            assert answer.json()["type"] == "/problems/phone-closed"
        assert (await http.get("/")).status_code == (404 if settings.access == "off" else 200)
        assert (await http.get("/static/client.js")).status_code == 200
    assert tokens.issued == []


async def test_a_proxy_is_not_this_machine(open_phone: OpenPhone) -> None:
    async with open_phone() as http:
        answer = await http.get("/api/voice/phone", headers={"X-Forwarded-For": "198.51.100.2"})
    assert answer.status_code == 403


def test_an_open_page_calls_what_was_named_for_it() -> None:
    with pytest.raises(ValidationError, match="name the flows that anybody may call"):
        Phone(access="open")
    assert not Phone(access="open", flows=["tea"]).offers("admin-voice")
    assert Phone().offers("admin-voice")  # of this machine


async def test_an_open_page_is_limited_by_address(open_phone: OpenPhone, tokens: Tokens) -> None:
    async with open_phone(Phone(access="open", flows=["tea"]), "192.0.2.7", "ivr.example") as http:
        for _ in range(CALLS_AT_ONCE):
            assert (await http.post("/api/voice/phone/sessions", json=ASK)).status_code == 201
        answer = await http.post("/api/voice/phone/sessions", json=ASK)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert len(tokens.issued) == CALLS_AT_ONCE


async def test_what_does_not_fit_is_named(open_phone: OpenPhone) -> None:
    async with open_phone(Phone(flows=["tea"])) as http:
        answer = await http.post(
            "/api/voice/phone/sessions", json={**ASK, "params": {"order": "x", "size": "tiny"}}
        )
        assert answer.status_code == 422
        assert {each["field"] for each in answer.json()["fields"]} == {
            "params.order",
            "params.amount",
            "params.size",
        }
        hidden = await http.post("/api/voice/phone/sessions", json={**ASK, "flow": "coffee"})
        assert (hidden.status_code, hidden.json()["known"]) == (404, ["tea"])
        language = await http.post("/api/voice/phone/sessions", json={**ASK, "language": "fr"})
        assert language.json()["fields"] == [{"field": "params.language", "message": "must be one of hi, en"}]


def test_addresses_and_names() -> None:
    visitors = Visitors()
    for last in range(CALLS_AT_ONCE):
        assert visitors.take(f"2001:db8::{last}", 0.0)
    assert not visitors.take("2001:db8::ffff", 0.0)
    assert visitors.take("2001:db8:0:1::1", 0.0)
    assert visitors.take("2001:db8::1", 11.0)
    for host in ("localhost", "localhost:8080", "phone.localhost", "127.0.0.1:80", "[::1]:8080"):
        assert names_this_machine(host)
    for host in ("", "evil.example", "127.0.0.1.evil.example", "192.0.2.1", "[::1", "localhost.evil.example"):
        assert not names_this_machine(host)
    assert from_our_page({})
    assert from_our_page({"sec-fetch-site": "same-origin", "origin": "https://behind-a-proxy.example"})
