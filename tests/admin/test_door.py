"""The door: who comes in, by which cookie, from which page; forms, sockets, headers. No NiceGUI behind it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI, WebSocket
from fastapi.responses import HTMLResponse
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from ivr.admin import login, passing, passwords
from ivr.admin.accounts import Accounts, Lifetimes
from ivr.admin.audit import AuditTrail
from ivr.admin.door import Door
from ivr.admin.gateway import GatewayClient
from ivr.admin.lockout import FREE_PAIR, Lockout
from ivr.admin.roles import Role

PASSWORD = "correct horse battery"
KEY = "the-key-of-the-dashboard"
HTML = {"Accept": "text/html"}
T0 = 1_800_000_000.0


@dataclass
class Clock:
    now: float = T0

    def __call__(self) -> float:
        return self.now


class Noted(AuditTrail):
    """An audit log that is a list."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []

    def note(self, action: str, by: str, *, outcome: str = "done", **_: Any) -> None:  # type: ignore[override]
        self.entries.append((action, by, outcome))


@dataclass
class House:
    accounts: Accounts
    app: Door
    audit: Noted
    clock: Clock
    asked: list[httpx.Request] = field(default_factory=list)

    def browser(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=("192.0.2.1", 4711))
        return httpx.AsyncClient(transport=transport, base_url="http://ivr.test", headers=headers)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", cheap)
    monkeypatch.setattr(passwords, "_NOBODY", cheap.hash("nobody"))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async for house in made(tmp_path):
        yield house


async def made(folder: Path, origin: str | None = None) -> AsyncIterator[House]:
    clock, audit = Clock(), Noted()
    accounts = await Accounts.open(folder / "admin.db", Lifetimes(3600, 600))
    hash = passwords.hashed(PASSWORD)
    for name, role in (("asha", Role.ADMIN), ("omar", Role.OPERATOR), ("vera", Role.VIEWER)):
        await accounts.add(name, role, hash, clock.now)
    app = FastAPI()
    door = Door(app, accounts, origin, clock)
    house = House(accounts, door, audit, clock)
    gateway = GatewayClient("http://gateway.test", KEY, httpx.MockTransport(lambda r: answered(house, r)))
    logins = login.Logins(accounts, audit, Lockout(), clock)
    app.include_router(login.routes(accounts, logins, login.Csrf(), audit, door.sweep, 3600))
    app.include_router(passing.routes(gateway, audit))

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse('<html dir="ltr"><script>1</script>', headers={"X-NiceGUI-Content": "page"})

    @app.websocket("/socket")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text(await socket.receive_text())

    yield house
    await gateway.close()
    await accounts.close()


def answered(house: House, request: httpx.Request) -> httpx.Response:
    house.asked.append(request)
    if request.method == "GET":
        wanted = request.headers.get("range")
        told = {"Content-Type": "audio/wav", "Accept-Ranges": "bytes"}
        return httpx.Response(206 if wanted else 200, stream=Sound(), headers=told)
    return httpx.Response(201, json={"secret": "s", "sdp": "v=0"})


class Sound(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"RIFF"
        yield b"WAVE"


async def log_in(
    browser: httpx.AsyncClient, name: str = "asha", password: str = PASSWORD, code: str = "", **more: Any
) -> httpx.Response:
    form = await browser.get("/login")
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', form.text)
    assert token is not None
    told = {"name": name, "password": password, "code": code, "csrf": token[1], **more}
    return await browser.post("/login", data=told, headers={"Origin": "http://ivr.test"})


async def test_nobody_comes_in_without_a_session(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/calls?number=%2B91", headers=HTML)
        assert page.status_code == 303
        assert page.headers["location"] == "/login?next=%2Fcalls%3Fnumber%3D%252B91"
        for path in ("/sound/x", "/_nicegui/3/static/nicegui.js", "/session", "/openapi.json"):
            assert (await browser.get(path)).status_code == 401
        for cookie in ("", "x", "ivr-admin=forged"):
            assert (
                await browser.get("/session", headers={"Cookie": f"ivr-admin={cookie}"})
            ).status_code == 401
    assert house.asked == []


async def test_a_link_from_elsewhere_is_loaded_again_from_here(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/calls", headers={**HTML, "Sec-Fetch-Site": "cross-site"})
    assert page.status_code == 200
    assert 'http-equiv="refresh"' in page.text


async def test_who_knows_the_password_comes_in(house: House) -> None:
    async with house.browser() as browser:
        entered = await log_in(browser, next="/calls?state=ended")
        assert (entered.status_code, entered.headers["location"]) == (303, "/calls?state=ended")
        cookie = next(c for c in entered.headers.get_list("set-cookie") if c.startswith("ivr-admin="))
        assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.lower().split("; "))
        assert (await browser.get("/", headers=HTML)).status_code == 200
    assert house.audit.entries == [("login", "asha", "done")]


@pytest.mark.parametrize(
    "next", ["//evil.example", "/\\evil.example", "https://evil.example", "/login", "/a\nb"]
)
async def test_after_the_log_in_nobody_is_sent_elsewhere(house: House, next: str) -> None:
    async with house.browser() as browser:
        assert (await log_in(browser, next=next)).headers["location"] == "/"


async def test_what_was_wrong_is_not_told(house: House) -> None:
    await house.accounts.set_totp("omar", passwords.new_totp_secret())
    texts = set()
    for name, password, code in (
        ("nobody", PASSWORD, ""),
        ("asha", "wrong", ""),
        ("omar", PASSWORD, ""),
        ("omar", PASSWORD, "123456"),
    ):
        async with house.browser() as browser:
            answer = await log_in(browser, name, password, code)
            assert answer.status_code == 401
            assert "ivr-admin=" not in str(answer.headers)
            fault = re.search(r'role="alert">([^<]*)', answer.text)
            assert fault is not None
            texts.add(fault[1])
    assert len(texts) == 1
    assert ("login", "", "refused") in house.audit.entries  # a name that is none may be a password
    assert ("login", "asha", "refused") in house.audit.entries


async def test_a_code_is_asked_for_and_good_once(house: House) -> None:
    secret = passwords.new_totp_secret()
    await house.accounts.set_totp("omar", secret)
    code = pyotp.TOTP(secret).at(int(house.clock.now))
    async with house.browser() as browser:
        assert (await log_in(browser, "omar", code=code)).status_code == 303
    async with house.browser() as browser:
        assert (await log_in(browser, "omar", code=code)).status_code == 401
        house.clock.now += 60
        later = pyotp.TOTP(secret).at(int(house.clock.now))
        assert (await log_in(browser, "omar", code=later)).status_code == 303


async def test_who_guesses_must_wait_whatever_he_guesses(house: House) -> None:
    async with house.browser() as browser:
        for _ in range(FREE_PAIR):
            assert (await log_in(browser, password="wrong")).status_code == 401
        locked = await log_in(browser)
        assert locked.status_code == 429
        assert int(locked.headers["retry-after"]) > 0
        house.clock.now += 3
        assert (await log_in(browser)).status_code == 303


async def test_a_form_needs_its_token_and_our_page(house: House) -> None:
    async with house.browser() as browser:
        right = {"name": "asha", "password": PASSWORD}
        for headers in (
            {},
            {"Origin": "http://evil.test"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
        ):
            assert (await browser.post("/login", data=right, headers=headers)).status_code == 403
        ours = {"Origin": "http://ivr.test"}
        assert (
            await browser.post("/login", data={**right, "csrf": "0" * 64}, headers=ours)
        ).status_code == 403
        await log_in(browser)
        assert (await browser.post("/logout", data={"csrf": "0" * 64}, headers=ours)).status_code == 403
        assert (await browser.get("/session")).status_code != 401


async def test_logging_out_everywhere_ends_every_session(house: House) -> None:
    async with house.browser() as here, house.browser() as there:
        await log_in(here)
        await log_in(there)
        assert (await there.get("/session")).status_code == 404  # nothing is there, but it was let in
        await house.accounts.log_out_everywhere("asha")
        for browser in (here, there):
            assert (await browser.get("/session")).status_code == 401


async def test_a_session_ends_by_itself(house: House) -> None:
    async with house.browser() as browser:
        await log_in(browser)
        house.clock.now += 601
        assert (await browser.get("/", headers=HTML)).headers["location"] == "/login"


async def test_every_answer_is_safe_to_show(house: House) -> None:
    async with house.browser() as browser:
        await log_in(browser)
        pages = [await browser.get(path, headers=HTML) for path in ("/login", "/", "/nothing")]
        shown = await browser.get("/", headers=HTML)
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "same-origin"
        assert "no-store" in page.headers["cache-control"]
        assert "server" not in page.headers
    nonce = re.search(r"'nonce-([^']+)'", shown.headers["content-security-policy"])
    assert nonce is not None
    assert shown.text == f'<html lang="en" dir="ltr"><script nonce="{nonce[1]}">1</script>'
    assert int(shown.headers["content-length"]) == len(shown.content)


async def test_behind_https_the_cookie_is_bound_to_it(tmp_path: Path) -> None:
    async for house in made(tmp_path, "https://admin.example"):
        transport = httpx.ASGITransport(app=house.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://admin.example") as browser:
            form = await browser.get("/login")
            token = re.search(r'name="csrf" value="([0-9a-f]+)"', form.text)
            assert token is not None
            told = {"name": "asha", "password": PASSWORD, "csrf": token[1]}
            assert (
                await browser.post("/login", data=told, headers={"Origin": "http://admin.example"})
            ).status_code == 403
            entered = await browser.post("/login", data=told, headers={"Origin": "https://admin.example"})
            cookie = next(c for c in entered.headers.get_list("set-cookie") if "ivr-admin=" in c)
            assert cookie.startswith("__Host-ivr-admin=")
            assert "secure" in cookie.lower()
            assert "max-age" in entered.headers["strict-transport-security"]


async def test_recordings_and_calls_are_for_operators(house: House) -> None:
    ours = {"Origin": "http://ivr.test"}
    async with house.browser() as browser:
        await log_in(browser, "vera")
        assert (await browser.get("/sound/c1")).status_code == 403
        for method, path in (("POST", "start"), ("PATCH", "s1"), ("DELETE", "s1")):
            answer = await browser.request(method, f"/voice/api/voice/stream/{path}", json={}, headers=ours)
            assert answer.status_code == 403
    assert house.asked == []
    async with house.browser() as browser:
        await log_in(browser, "omar")
        heard = await browser.get("/sound/c%3Fx", headers={"Range": "bytes=4-7"})
        assert (heard.status_code, heard.headers["content-type"]) == (206, "audio/wav")
        assert heard.content == b"RIFFWAVE"
        begun = await browser.post(
            "/voice/api/voice/stream/start", json={}, headers={**ours, "Authorization": "Bearer one-time"}
        )
        assert begun.json()["sdp"] == "v=0"
        elsewhere = {"Origin": "http://evil.test", "Authorization": "Bearer one-time"}
        forged = await browser.post("/voice/api/voice/stream/start", json={}, headers=elsewhere)
        assert forged.status_code == 403
    sound, start = house.asked
    assert sound.url.raw_path == b"/api/voice/calls/c%3Fx/recording"
    assert (sound.headers["range"], sound.headers["authorization"]) == ("bytes=4-7", f"Bearer {KEY}")
    assert start.headers["authorization"] == "Bearer one-time"  # the browser's token, not our key
    assert "cookie" not in start.headers


async def test_a_socket_needs_a_session_and_our_page(house: House) -> None:
    token = await house.accounts.log_in("vera", "", house.clock.now)
    ours = "http://ivr.test"
    for cookie, origin in (("", ours), ("forged", ours), (token, "http://evil.test"), (token, "")):
        assert await opened(house, cookie, origin) == ["websocket.close"]
    assert await opened(house, token, ours) == ["websocket.accept"]


async def test_a_socket_ends_with_its_session(house: House) -> None:
    token = await house.accounts.log_in("vera", "", house.clock.now)

    async def log_out() -> None:
        await house.accounts.log_out_everywhere("vera")
        await house.app.sweep()

    assert await opened(house, token, "http://ivr.test", log_out) == ["websocket.accept", "ended"]
    assert house.app._sockets == {}


async def opened(house: House, cookie: str, origin: str, then: Any = None) -> list[str]:
    """What a socket is told; after it was accepted `then` is done, and the rest of what is told."""
    told: list[str] = []
    accepted = asyncio.Event()
    headers = [(b"host", b"ivr.test"), (b"cookie", f"ivr-admin={cookie}".encode())]
    if origin:
        headers.append((b"origin", origin.encode()))
    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": "/socket",
        "raw_path": b"/socket",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "subprotocols": [],
        "client": ("192.0.2.1", 1),
        "server": ("ivr.test", 80),
    }
    coming: asyncio.Queue[Message] = asyncio.Queue()
    coming.put_nowait({"type": "websocket.connect"})

    async def send(message: Message) -> None:
        told.append(message["type"])
        accepted.set()

    task = asyncio.create_task(house.app(scope, coming.get, send))
    await asyncio.wait_for(accepted.wait(), 20)
    if then is not None:
        await then()
        with pytest.raises(WebSocketDisconnect):
            await asyncio.wait_for(task, 20)
        return [*told, "ended"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told
