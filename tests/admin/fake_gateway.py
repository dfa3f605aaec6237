"""A server for the dashboard to look at: the routes that it asks, over calls that a test makes up.

    with FakeGateway() as gateway:
        call_id = gateway.begin(flow="vendor-order", caller="+919876543210")
        gateway.happen(call_id, "prompt", {"text": "नमस्ते"})
        ...
        assert gateway.hung_up == [call_id]

It runs in a thread of its own; what a test calls is safe from any thread. `asked` is every request: method,
path, the user in whose name it was. A test may add routes: `gateway.app.get("/...")(...)`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import unquote

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

KEY = "the-key-of-the-dashboard-7f3a"
RATE = 8000


def utc(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


class FakeGateway:
    def __init__(self) -> None:
        self.app = FastAPI()
        self.live: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.audit: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.hung_up: list[str] = []
        self.erased: list[str] = []
        self.supervised: list[tuple[str, str]] = []
        self.trunks: list[dict[str, Any]] = [
            {"name": "exotel", "up": True, "reason": "", "calls": 2, "max_calls": 100},
            {"name": "office", "up": False, "reason": "answers no OPTIONS", "calls": 0, "max_calls": 30},
        ]
        self.engines: list[dict[str, Any]] = [
            {"name": "espeak", "kind": "tts", "state": "up", "breaker": "closed", "latency_ms": 3.1},
            {"name": "pocketsphinx", "kind": "asr", "state": "up", "breaker": "closed", "latency_ms": 41.0},
        ]
        self._events: list[str] = []
        self._made = 0
        self._number = 0
        self._add_routes()

    def __enter__(self) -> Self:
        config = uvicorn.Config(self.app, port=0, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < deadline, "the fake server did not start"
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    # --- calls that a test makes up

    def begin(self, call_id: str = "", **told: Any) -> str:
        """A live call."""
        self._made += 1
        call_id = call_id or f"019aab1c-0000-7000-8000-{self._made:012}"
        call = {
            "id": call_id,
            "flow": "vendor-order",
            "direction": "inbound",
            "trunk": "exotel",
            "caller": "+919876543210",
            "called": "+912240001234",
            "state": "created",
            "since": utc(time.time()),
            "answered_at": None,
            "step": None,
            "language": "hi",
            "mos": 4.31,
            "supervisors": [],
            **told,
        }
        self.live[call_id] = call
        self.records[call_id] = record(call_id, state="created", events=[], **_shared(call))
        self.tell("call.began", {**call, "call_id": call_id, "at": call["since"]})
        return call_id

    def happen(self, call_id: str, kind: str, data: dict[str, Any], at: float | None = None) -> None:
        now, call = at or time.time(), self.live[call_id]
        match kind:
            case "ringing":
                call["state"] = "ringing"
            case "answered":
                call["state"], call["answered_at"] = "answered", utc(now)
            case "step":
                call["step"] = data["step"]
            case "prompt" | "heard":
                call["said" if kind == "prompt" else "heard"] = {"text": data["text"], "at": utc(now)}
            case "queued":
                call["queued"] = data["place"]
        event = {"seq": len(self.records[call_id]["events"]) + 1, "at": utc(now), "kind": kind, "data": data}
        self.records[call_id]["events"].append(event)
        self.tell("call.event", {"call_id": call_id, "at": utc(now), "kind": kind, "data": data})

    def end(self, call_id: str, cause: str = "normal") -> None:
        del self.live[call_id]
        self.records[call_id].update(state="ended", cause=cause, ended_at=utc(time.time()))
        self.tell("call.ended", {"call_id": call_id, "at": utc(time.time()), "cause": cause, "by": "us"})

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """An event for all who follow."""
        self._number += 1
        told = json.dumps(data, ensure_ascii=False)
        self._events.append(f"id: run-{self._number}\nevent: {name}\ndata: {told}\n\n")

    # --- routes

    def _add_routes(self) -> None:
        app = self.app

        @app.middleware("http")
        async def known(request: Request, go_on: Any) -> Response:
            path = request.url.path
            self.asked.append((request.method, path, unquote(request.headers.get("x-operator", ""))))
            signalling = path.startswith("/api/voice/stream/")
            if not signalling and request.headers.get("authorization") != f"Bearer {KEY}":
                return problem(401, "No key, or an unknown one", "the key is not known")
            answer: Response = await go_on(request)
            return answer

        @app.get("/admin/calls/active")
        async def active() -> Any:
            return {"calls": list(self.live.values()), "last_event_id": f"run-{self._number}"}

        @app.get("/admin/events")
        async def events() -> StreamingResponse:
            return StreamingResponse(self._stream(), media_type="text/event-stream")

        @app.get("/admin/metrics")
        async def metrics() -> Any:
            return figures(len(self.live), self.engines)

        @app.post("/admin/audit", status_code=201)
        async def note(entry: dict[str, Any]) -> Any:
            self.audit.append(entry)
            return entry

        @app.get("/admin/audit")
        async def noted(operator: str | None = None, limit: int = 100) -> Any:
            shown = [entry for entry in reversed(self.audit) if operator in (None, entry.get("operator"))]
            at = utc(time.time())
            told = [
                {"at": at, "client": "dashboard", **e, "action": f"dashboard.{e['action']}"} for e in shown
            ]
            return {"entries": told[:limit], "next": None}

        @app.get("/api/voice/trunks")
        async def trunks() -> Any:
            return {"trunks": self.trunks}

        @app.get("/api/voice/engines")
        async def engines() -> Any:
            return {"engines": self.engines}

        @app.get("/api/voice/calls")
        async def calls(
            number: str | None = None,
            flow: str | None = None,
            state: str | None = None,
            cause: str | None = None,
            cursor: int = 0,
            limit: int = 50,
        ) -> Any:
            found = [
                call
                for call in sorted(
                    self.records.values(), key=lambda call: str(call["created_at"]), reverse=True
                )
                if number is None or _is(call, number)
                if flow in (None, call["flow"])
                if state in (None, call["state"])
                if cause in (None, call["cause"])
            ]
            more = len(found) > cursor + limit
            return {"calls": found[cursor : cursor + limit], "next": str(cursor + limit) if more else None}

        @app.get("/api/voice/calls/{call_id}")
        async def call(call_id: str) -> Any:
            return self.records.get(call_id) or problem(404, "There is no such call", "no call has this id")

        @app.get("/api/voice/calls/{call_id}/recording")
        async def recording(call_id: str, request: Request) -> Response:
            return sound(request)

        @app.post("/api/voice/calls/{call_id}/hangup", status_code=202)
        async def hang_up(call_id: str) -> Any:
            if call_id not in self.live:
                return problem(409, "The call is not live", "it has ended")
            self.hung_up.append(call_id)
            self.end(call_id)
            return {"id": call_id, "state": "ended", "href": ""}

        @app.delete("/api/voice/calls/{call_id}", status_code=204)
        async def erase(call_id: str) -> None:
            self.erased.append(call_id)
            self.records[call_id].update(
                erased_at=utc(time.time()), caller="", called="", result=None, recording=None
            )
            for event in self.records[call_id]["events"]:
                event["data"] = {}

        @app.post("/admin/calls/{call_id}/supervise", status_code=201)
        async def supervise(call_id: str, body: dict[str, Any]) -> Any:
            self.supervised.append((call_id, body["mode"]))
            return {"session_id": "s1", "token": "one-time-token", "ice_servers": []}

    async def _stream(self) -> AsyncIterator[str]:
        place = len(self._events)
        while not self._server.should_exit:
            told = self._events[place:]
            place += len(told)
            yield "".join(told) or ":\n\n"
            await asyncio.sleep(0.1)


def record(call_id: str, **told: Any) -> dict[str, Any]:
    """A record of a call, in the API's words."""
    now = time.time()
    return {
        "id": call_id,
        "direction": "inbound",
        "state": "ended",
        "flow": "vendor-order",
        "flow_hash": "5f0c6ad1",
        "language": "hi",
        "trunk": "exotel",
        "caller": "+919876543210",
        "called": "+912240001234",
        "cause": None,
        "hung_up_by": "us",
        "created_at": utc(now),
        "ringing_at": None,
        "answered_at": None,
        "ended_at": None,
        "erased_at": None,
        "params": {},
        "result": None,
        "quality": None,
        "recording": None,
        "messages": [],
        "step": None,
        "events": [],
        **told,
    }


def whole_record(call_id: str, began: float, **told: Any) -> dict[str, Any]:
    """A call of half a minute in Hindi, with a recording, three turns and a result."""

    def event(at: float, kind: str, **data: Any) -> dict[str, Any]:
        return {"seq": 0, "at": utc(began + at), "kind": kind, "data": data}

    events = [
        event(1.2, "answered", codec="PCMA"),
        event(1.2, "recording"),
        event(1.3, "step", step="offer", visit=1),
        event(1.3, "prompt", text="नमस्ते अन्नपूर्णा जी, ऑर्डर 4821, आठ सौ पचास रुपये। लेना है तो एक दबाएँ।"),
        event(7.9, "prompt_cut", after_ms=6600),
        event(7.9, "key", key="1"),
        event(8.0, "turn", **turn_record(1, 7.9, "key")),
        event(8.1, "step", step="minutes", visit=1),
        event(8.1, "prompt", text="कितने मिनट लगेंगे?"),
        event(10.4, "heard", text="बीस मिनट", confidence=0.91),
        event(10.6, "turn", **turn_record(2, 10.2, "speech")),
        event(10.7, "prompt", text="बीस मिनट। धन्यवाद।"),
    ]
    return record(
        call_id,
        created_at=utc(began),
        answered_at=utc(began + 1.2),
        ended_at=utc(began + 14.0),
        cause="normal",
        params={"vendor": "अन्नपूर्णा", "order_id": "4821", "amount": 850},
        result={"accepted": True, "minutes": 20},
        quality={"packets_received": 640, "packets_lost": 1, "jitter_ms": 3.1, "rtt_ms": 38.0, "mos": 4.39},
        recording=f"/api/voice/calls/{call_id}/recording",
        events=events,
        **told,
    )


def turn_record(number: int, at_s: float, trigger: str) -> dict[str, Any]:
    speech = {"speech_end": 0.0, "pause": 208.0, "endpoint": 310.0, "final": 342.0, "intent": 343.1}
    first = {"key": 0.0, "intent": 0.9} if trigger == "key" else speech
    last = max(first.values())
    ms = {**first, "first_sentence": last + 0.4, "first_audio": last + 31.0, "first_packet": last + 38.0}
    return {
        "turn": number,
        "at_s": at_s,
        "trigger": trigger,
        "step": "offer" if number == 1 else "minutes",
        "verb": "menu",
        "language": "hi",
        "reply_ms": last + 38.0,
        "ms": ms,
        "by": {"first_audio": "cache" if trigger == "key" else "espeak"},
    }


def figures(calls: int, engines: list[dict[str, Any]]) -> dict[str, Any]:
    now = time.time()
    minutes = [
        {
            "at": utc(now - (59 - i) * 60),
            "began": 6 + i % 5,
            "answered": 5 + i % 5,
            "ended": {"normal": 5, "no_answer": i % 2, "busy": int(i % 7 == 0)},
            "calls": round(30 + 18 * np.sin(i / 9)),
        }
        for i in range(60)
    ]
    return {
        "at": utc(now),
        "started_at": utc(now - 86_000),
        "now": {
            "calls": calls,
            "by_state": {"answered": calls} if calls else {},
            "by_flow": {},
            "by_trunk": {},
            "lateness_ms": 1.2,
            "cpu": 0.31,
            "memory_mb": 210.5,
        },
        "totals": {"began": 611, "answered": 598, "ended": {"normal": 560}, "refused": {}},
        "hour": {
            "turn": {"count": 312, "p50_ms": 381.0, "p95_ms": 540.0},
            "key": {"count": 804, "p50_ms": 21.4, "p95_ms": 38.0},
        },
        "minutes": minutes,
        "engines": engines,
    }


def sound(request: Request) -> Response:
    """Two seconds of a tone as WAV, or the part of it that is asked for."""
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(RATE * 2) / RATE)).astype("<i2").tobytes()
    head = b"RIFF" + (36 + len(tone)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"\1\0\1\0" + RATE.to_bytes(4, "little") + (RATE * 2).to_bytes(4, "little") + b"\2\0\x10\0"
    whole = head + b"data" + len(tone).to_bytes(4, "little") + tone
    wanted = request.headers.get("range", "")
    told = {"Accept-Ranges": "bytes"}
    if not wanted.startswith("bytes="):
        return Response(whole, 200, told, "audio/wav")
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    begin, end = int(first), min(int(last or len(whole) - 1), len(whole) - 1)
    told["Content-Range"] = f"bytes {begin}-{end}/{len(whole)}"
    return Response(whole[begin : end + 1], 206, told, "audio/wav")


def problem(status: int, title: str, detail: str) -> JSONResponse:
    told = {"type": "/problems/made-up", "title": title, "status": status, "detail": detail}
    return JSONResponse(told, status, media_type="application/problem+json")


def _is(call: dict[str, Any], number: str) -> bool:
    numbers = (call["caller"], call["called"])
    if number.endswith("*"):
        return any(each.startswith(number[:-1]) for each in numbers)
    return number in numbers


def _shared(call: dict[str, Any]) -> dict[str, Any]:
    shared = ("flow", "direction", "trunk", "caller", "called", "language")
    return {**{name: call[name] for name in shared}, "created_at": call["since"]}
