"""A server of the tests own for `client.js`: it signals as ours does, answers with aiortc, and does what it
is told to: refuse, fall silent, lose a connection, end the call. What a client sends is kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import uvicorn
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from aiortc.sdp import candidate_from_sdp
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from ivr.web.pages import pages

OFFER: Final = [
    {
        "flow": "vendor-order",
        "languages": ["hi", "mr", "en"],
        "params": [
            {"name": "vendor", "kind": "text", "optional": False, "options": [], "sample": "शर्मा भोजनालय"},
            {"name": "order", "kind": "digits", "optional": False, "options": [], "sample": "48213"},
            {"name": "amount", "kind": "rupees", "optional": False, "options": [], "sample": 1250.5},
            {
                "name": "language",
                "kind": "language",
                "optional": False,
                "options": ["hi", "mr", "en"],
                "sample": "hi",
            },
        ],
        "result": {"decision": "one_of", "eta": "minutes", "reason": "text"},
    },
    {
        "flow": "every-kind",
        "languages": ["en"],
        "params": [
            {"name": "due", "kind": "date", "optional": False, "options": [], "sample": "2026-12-31"},
            {"name": "at", "kind": "time", "optional": True, "options": [], "sample": None},
            {
                "name": "size",
                "kind": "one_of",
                "optional": True,
                "options": ["small", "large"],
                "sample": None,
            },
            {"name": "cold", "kind": "yes_no", "optional": False, "options": [], "sample": True},
            {"name": "items", "kind": "list", "optional": False, "options": [], "sample": ["tea", "samosa"]},
            {"name": "share", "kind": "percent", "optional": True, "options": [], "sample": None},
            {"name": "rooms", "kind": "count", "optional": False, "options": [], "sample": 2},
            {"name": "call_back", "kind": "phone", "optional": True, "options": [], "sample": None},
        ],
        "result": {},
    },
]
"""What the phone page may call here."""
PAGE: Final = """<!doctype html><title>Client</title><script type=module>
import {IvrCall} from "/static/client.js";
window.IvrCall = IvrCall;
</script>"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How the next requests of a kind are answered."""

    status: int
    kind: str = "about:blank"
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    reason: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body: dict[str, Any] = {"type": f"/problems/{self.kind}", "title": self.kind, "status": self.status}
        body |= {"detail": self.detail, "reason": self.reason}
        body["fields"] = [{"field": name, "message": message} for name, message in self.fields.items()]
        return JSONResponse(body, self.status, self.headers, media_type="application/problem+json")


class FakeSignalling:
    """One call at a time; `told` are the data channel's messages, `asked` the requests by method and path."""

    def __init__(self) -> None:
        self.refusals: dict[str, Refusal] = {}
        """By `offer`, `ticket`, `start`, `renew`; stays until it is taken away."""
        self.answering = asyncio.Event()
        """Cleared: requests are not answered until it is set again."""
        self.reconnect_s = 60.0
        self.media = True
        """Whether connections are answered at all, or the answer leads nowhere."""
        self.asked: list[tuple[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.peers: list[RTCPeerConnection] = []
        self._untold: list[dict[str, Any]] = []
        """Our candidates, for who asks."""
        self._channel: asyncio.Future[RTCDataChannel] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Condition()
        self.answering.set()

    async def reset(self) -> None:
        """As new."""
        self.refusals, self.media, self.reconnect_s = {}, True, 60.0
        self.answering.set()
        await self.close()
        for kept in (self.asked, self.told, self.peers):
            kept.clear()
        self._channel = asyncio.get_running_loop().create_future()

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.include_router(pages(phone=True))
        for path, method, handler in (
            ("/blank", "GET", _blank),
            ("/api/voice/phone", "GET", self._offer),
            ("/api/voice/phone/sessions", "POST", self._ticket),
            ("/api/voice/stream/start", "POST", self._start),
            ("/api/voice/stream/{id}", "PATCH", self._change),
            ("/api/voice/stream/{id}", "DELETE", self._end),
        ):
            app.add_route(path, handler, methods=[method])
        return app

    async def tell(self, *events: Mapping[str, Any]) -> None:
        """Sends events of a call over the channel that is open now, or will be."""
        channel = await self._channel
        for event in events:
            channel.send(json.dumps(event))

    async def wait_for(self, what: str) -> None:
        """Until a request of this method and path has come."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: any(name == what for name, _ in self.asked))

    async def wait_for_keys(self, keys: str) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: self.keys == keys)

    @property
    def keys(self) -> str:
        return "".join(told["key"] for told in self.told if told["type"] == "key")

    async def lose(self) -> None:
        """The way to the client breaks."""
        self._channel = asyncio.get_running_loop().create_future()
        await self.peers[-1].close()

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()

    async def _offer(self, _: Request) -> Response:
        if (refusal := self.refusals.get("offer")) is not None:
            return refusal.response()
        return JSONResponse({"flows": OFFER, "ice_servers": []})

    async def _ticket(self, request: Request) -> Response:
        body = await self._note("ticket", request)
        if (refusal := self.refusals.get("ticket")) is not None:
            return refusal.response()
        assert body["flow"]
        return JSONResponse({"session_id": "s-1", "token": "t-1", "ice_servers": []}, 201)

    async def _start(self, request: Request) -> Response:
        body = await self._note("start", request)
        if (refusal := self.refusals.get("start")) is not None:
            return refusal.response()
        assert request.headers["authorization"] == "Bearer t-1"
        call = {"session_id": "s-1", "call_id": "c-1", "secret": "hush", "reconnect_s": self.reconnect_s}
        return JSONResponse(call | await self._answer(body), 201)

    async def _change(self, request: Request) -> Response:
        body = await self._note("renew" if request.method == "PATCH" else "", request)
        assert request.headers["authorization"] == "Bearer hush"
        if "candidates" in body:
            self.asked[-1] = ("trickle", body)
            for candidate in body["candidates"]:
                await self._add(candidate)
            return JSONResponse({"candidates": [*self._untold, None]})
        if (refusal := self.refusals.get("renew")) is not None:
            return refusal.response()
        return JSONResponse(await self._answer(body))

    async def _end(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer hush"
        await self._note("end", request)
        if self._channel.done():
            await self.tell({"type": "ended", "cause": "normal", "result": {"decision": "unreached"}})
        return Response(status_code=204)

    async def _note(self, what: str, request: Request) -> Any:
        body = await request.body()
        async with self._changed:
            self.asked.append((what, json.loads(body) if body else None))
            self._changed.notify_all()
        await self.answering.wait()
        return json.loads(body) if body else None

    async def _add(self, candidate: Mapping[str, Any] | None) -> None:
        if candidate is None or not self.peers:
            return
        read = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
        read.sdpMid, read.sdpMLineIndex = candidate["sdpMid"], candidate["sdpMLineIndex"]
        await self.peers[-1].addIceCandidate(read)

    async def _answer(self, offer: Mapping[str, str]) -> dict[str, str]:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)
        peer.addTrack(AudioStreamTrack())
        peer.on("datachannel", self._opened)
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        lines = peer.localDescription.sdp.split("\r\n")
        found = [line.removeprefix("a=") for line in lines if line.startswith("a=candidate")]
        self._untold = [{"candidate": line, "sdpMLineIndex": 0} for line in found if self.media]
        if not self.media:  # as if a firewall were between
            await peer.close()
        sdp = "\r\n".join(line for line in lines if "candidate" not in line)
        return {"sdp": sdp, "type": "answer"}

    def _opened(self, channel: RTCDataChannel) -> None:
        channel.on("message", self._heard)
        if not self._channel.done():
            self._channel.set_result(channel)

    async def _heard(self, message: str) -> None:
        async with self._changed:
            self.told.append(json.loads(message))
            self._changed.notify_all()


async def _blank(_: Request) -> Response:
    return HTMLResponse(PAGE)


@contextlib.asynccontextmanager
async def fake_signalling() -> AsyncIterator[tuple[FakeSignalling, str]]:
    """The server on a free port, and its address."""
    fake = FakeSignalling()
    async with serving(fake.app()) as url:
        yield fake, url
        fake.answering.set()
        await fake.close()


@contextlib.asynccontextmanager
async def serving(app: Any, listener: socket.socket | None = None) -> AsyncIterator[str]:
    """An ASGI application on a free loopback port, and its address."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
