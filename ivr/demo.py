"""`ivr demo`: a server, and a scripted caller who places two real SIP calls to the vendor-order flow, in
Hindi.

The first call barges in with key 1, enters 20# and hangs up; the second says «नहीं» and gives a reason. What
happens is printed as it happens, from both ends: `caller` is seen at the phone, `server` is the call's record
as the API gives it. Anything that is not as it should be is named, and makes the exit status 1.
"""

from __future__ import annotations

import asyncio
import heapq
import io
import json
import sys
import threading
import time
import wave
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import numpy as np

from engines.contract import EngineError
from ivr.local import Api, LocalServer, ServerFailed, local_server
from ivr.phone.calling import CallOver, NothingHeard, PhoneCall
from ivr.phone.phone import NoPhone, Phone, open_phone
from ivr.phone.timeline import Timeline

ROOT: Final = Path(__file__).resolve().parent.parent
NUMBER: Final = "1001"
PARAMS: Final = {"vendor": "शर्मा भोजनालय", "order": "48213", "amount": 1250.50, "language": "hi"}

LISTEN_S: Final = 2.0
"""How much of the offer is heard before it is interrupted."""

_ANSWER_S: Final = 15.0
_POLL_S: Final = 0.1
_SETTLE_S: Final = 0.4
"""Lines are printed so late, to stand in the order in which things happened."""

_LOUD: Final = 1000


class LiveTimeline(Timeline):
    """Lines of several sources in the order of their times."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[float, int, str, str]] = []
        self._count = 0

    def note(self, who: str, text: str, at: float | None = None) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (time.monotonic() if at is None else at, self._count, who, text))

    def flush(self, before: float) -> None:
        """Prints what happened before that moment."""
        while self._waiting and self._waiting[0][0] < before:
            at, _, who, text = heapq.heappop(self._waiting)
            super().note(who, text, at)


@dataclass(slots=True)
class Outcome:
    """What the demo saw, and what of it was not as it should be."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    key_to_prompt_ms: list[float] = field(default_factory=list)

    def expect(self, good: bool, fault: str) -> None:
        if not good:
            self.faults.append(fault)


def run(folder: Path = Path("var/demo")) -> int:
    """The exit status: 0 when all went as it should. `folder` keeps the server's data, log and recordings."""
    outcome = Outcome()
    try:
        asyncio.run(_demo(folder.resolve(), outcome))
    except KeyboardInterrupt:
        return 130
    except (ServerFailed, NoPhone) as error:
        outcome.faults.append(str(error))
    return _report(outcome)


async def _demo(folder: Path, outcome: Outcome) -> None:
    began = time.monotonic()
    with _webhook_receiver(outcome.webhooks) as hooks, local_server(folder, _config(hooks)) as server:
        print(f"A server is up after {time.monotonic() - began:.1f} s: SIP {server.sip[0]}, API {server.url}")
        timeline = LiveTimeline()
        known = {call["id"] for call in server.api.calls()}
        async with open_phone(timeline=timeline, language="hi") as phone:
            print("\nCall 1: accepts by key 1 over the prompt, 20 minutes by 20#, hangs up\n")
            first = await _follow(_accepts, phone, server, timeline, known, outcome)
            print("\nCall 2: says «नहीं» over the prompt, then a reason\n")
            second = await _follow(_refuses, phone, server, timeline, known, outcome)
        _check(server, outcome)
        _measure(first, second, outcome)


# --- the two callers


async def _accepts(call: PhoneCall) -> None:
    await call.hear()
    await asyncio.sleep(LISTEN_S)
    await call.press("1")
    await call.hear()
    await call.quiet()
    await call.press("20#")
    await call.hear()
    await asyncio.sleep(1.0)
    await call.hang_up()


async def _refuses(call: PhoneCall) -> None:
    await call.hear()
    await asyncio.sleep(2 * LISTEN_S)
    await call.say("नहीं")
    await call.hear()
    await call.quiet()
    await call.say("सामान नहीं है")
    await call.hear()
    await call.until_hung_up()


async def _follow(
    behave: Any, phone: Phone, server: LocalServer, timeline: LiveTimeline, known: set[str], outcome: Outcome
) -> PhoneCall:
    """Places one call and lets the caller behave, while the server's record of it is printed."""
    call = await phone.call(server.uri(NUMBER))
    async with _printed(server.api, timeline, known):
        try:
            await call.until_answered(_ANSWER_S)
            await behave(call)
        except (CallOver, NothingHeard, EngineError) as error:
            outcome.faults.append(f"call {len(outcome.calls) + 1}: {error}")
        finally:
            await call.close()
        try:
            record = await asyncio.to_thread(_newest_ended, server.api, known)
            outcome.calls.append(record)
        except (LookupError, TimeoutError) as error:
            outcome.faults.append(f"call {len(outcome.calls) + 1}: {error}")
            return call
    known.add(record["id"])
    timeline.flush(float("inf"))
    return call


def _newest_ended(api: Api, known: set[str]) -> dict[str, Any]:
    new = [call["id"] for call in api.calls() if call["id"] not in known]
    if not new:
        raise LookupError("the server has no record of it")
    return api.ended(new[0])


@asynccontextmanager
async def _printed(api: Api, timeline: LiveTimeline, known: set[str]) -> AsyncIterator[None]:
    """Prints what happens on the newest call, from both sides, while the block runs."""
    task = asyncio.create_task(_print_live(api, timeline, frozenset(known)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _print_live(api: Api, timeline: LiveTimeline, known: frozenset[str]) -> None:
    seen, call_id = 0, ""
    while True:
        if not call_id:
            calls = await asyncio.to_thread(api.calls)
            call_id = next((call["id"] for call in calls if call["id"] not in known), "")
        else:
            call = await asyncio.to_thread(api.call, call_id)
            offset = time.time() - time.monotonic()
            for event in call["events"][seen:]:
                at = datetime.fromisoformat(event["at"]).timestamp() - offset
                timeline.note("server", _event(event), at)
            seen = len(call["events"])
        timeline.flush(time.monotonic() - _SETTLE_S)
        await asyncio.sleep(_POLL_S)


def _event(event: Mapping[str, Any]) -> str:
    data = event["data"]
    match event["kind"]:
        case "prompt":
            return f"speaks «{data['text']}»"
        case "speech_made":
            by = data["by"]
            return f"  in the voice of {by['engine']}: {by['why']}, {by.get('ms', 0)} ms"
        case "prompt_resumed":
            return "goes on: that was no answer"
        case "prompt_cut":
            return f"prompt cut off after {data['after_ms']} ms"
        case "step":
            return f"step {data['step']}"
        case "outcome":
            via = f" by {data['via']}" if data["via"] else ""
            return f"  {data['step']}: {data['outcome']}{via} -> {data['next']}"
        case "key":
            return f"got key {data['key']}"
        case "heard":
            return f"heard «{data['text']}»" if data["text"] else "heard something it has no words for"
    return " ".join(
        [event["kind"].replace("_", " "), *(f"{k}={v}" for k, v in data.items() if v is not None)]
    )


# --- what should have come of it


def _check(server: LocalServer, outcome: Outcome) -> None:
    if len(outcome.calls) != 2:
        return
    first, second = (call["result"] or {} for call in outcome.calls)
    outcome.expect(first.get("decision") == "accepted", "call 1: the decision is not `accepted`")
    outcome.expect(first.get("eta") == 20, "call 1: the eta is not 20")
    outcome.expect(second.get("decision") == "rejected", "call 2: the decision is not `rejected`")
    for number, call in enumerate(outcome.calls, 1):
        fault = _recording_fault(_recording(server, call["id"]))
        outcome.expect(not fault, f"call {number}: {fault}")
    deadline = time.monotonic() + 5
    while len(outcome.webhooks) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    outcome.expect(len(outcome.webhooks) == 2, f"{len(outcome.webhooks)} of 2 webhooks came")


def _recording(server: LocalServer, call_id: str) -> Path | None:
    """The file, once it is written."""
    deadline = time.monotonic() + 5
    while True:
        found = next(server.recordings.rglob(f"{call_id}.wav"), None)
        if found is not None or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def _recording_fault(path: Path | None) -> str:
    """What is wrong with a recording; empty when both sides can be heard in it."""
    if path is None:
        return "there is no recording"
    print(f"recording (left: caller, right: server): {path}")
    try:
        with wave.open(io.BytesIO(path.read_bytes())) as file:
            if file.getnchannels() != 2:
                return "the recording is not stereo"
            sides = np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int32))
    except (OSError, wave.Error, EOFError) as error:
        return f"the recording cannot be read: {error}"
    return "" if len(sides) and sides[1::2].max() > _LOUD else "the server is not heard in the recording"


def _measure(first: PhoneCall, second: PhoneCall, outcome: Outcome) -> None:
    """Key to prompt in the first call, at the phone's socket.

    Key 1 cuts the offer off; the packets of the offer are known from the second call, which heard more of it.
    The key # ends the number; it is quiet before.
    """
    keys = first.wire.keys
    outcome.expect(len(keys) == 4, f"call 1: {len(keys)} of 4 keys were sent")
    if len(keys) != 4:
        return
    for name, key_at in (("1", keys[0]), ("#", keys[3])):
        answer_s = first.wire.answer_s(key_at, before=second.wire.first_prompt() if name == "1" else ())
        outcome.expect(answer_s is not None, f"call 1: no prompt followed the key {name}")
        if answer_s is not None:
            outcome.key_to_prompt_ms.append(answer_s * 1000)


def _report(outcome: Outcome) -> int:
    for number, call in enumerate(outcome.calls, 1):
        print(f"\nCall {number}, ended by {call['hung_up_by']}: {call['cause']}")
        print(json.dumps(call["result"], ensure_ascii=False, indent=2))
    if len(outcome.calls) == 2 and not (outcome.calls[1]["result"] or {}).get("reason"):
        print(
            "(The reason was heard and recorded, but has no words: the embedded recogniser knows small sets\n"
            " of phrases only. Free speech needs an engine for it.)"
        )
    if outcome.key_to_prompt_ms:
        worst = max(outcome.key_to_prompt_ms)
        print(f"\nworst key to prompt: {worst:.0f} ms, to its first sound at the caller's socket")
    for fault in outcome.faults:
        print(f"FAILED: {fault}", file=sys.stderr)
    print("\nThe demo failed." if outcome.faults else "\nAll went as it should.")
    return 1 if outcome.faults else 0


# --- what the server is told


def _config(hooks: str) -> dict[str, Any]:
    return {
        "flows": str(ROOT / "flows"),
        "numbers": {NUMBER: {"flow": "vendor-order", "params": PARAMS}},
        "endpoints": {"order-webhook": {"url": hooks}},
        "queues": {"vendor-desk": "sip:desk@127.0.0.1:5070"},
    }


@contextmanager
def _webhook_receiver(received: list[dict[str, Any]]) -> Iterator[str]:
    """An HTTP server for the flow's webhook; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0)))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/orders"
        finally:
            http.shutdown()
