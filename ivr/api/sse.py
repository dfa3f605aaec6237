"""Server-sent events (HTML, 9.2): a stream of what is logged, in batches, for one reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from ivr.api.models import utc
from ivr.event_log import EventLog, Logged

EVERY_S: Final = 0.25
"""How often a reader is sent what has come meanwhile."""

HEARTBEAT_S: Final = 15.0
"""A proxy closes a connection on which nothing comes."""

STALLED_S: Final = 30.0
"""A reader who takes nothing for so long is gone."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


class EventStream:
    """The answer to a request for events; an ASGI application of its own, for it must know of a reader that
    does not read."""

    def __init__(self, next_batch: Callable[[], bytes], over: Callable[[], bool]) -> None:
        """`next_batch` gives what is to be sent now, perhaps nothing; `over`: nothing more will come."""
        self._next = next_batch
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            if await self._stream(gone, send):
                await send({"type": "http.response.body", "body": b""})
        except (TimeoutError, OSError):
            return  # whoever it was reads no more
        finally:
            gone.cancel()

    async def _stream(self, gone: asyncio.Task[None], send: Send) -> bool:
        """Whether it came to its end while the reader was there."""
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while not gone.done():
            over = self._over()
            batch = self._next()
            if not batch and loop.time() - heard_at >= HEARTBEAT_S:
                batch = b":\n\n"
            if batch:
                heard_at = loop.time()
                message: Message = {"type": "http.response.body", "body": batch, "more_body": True}
                async with asyncio.timeout(STALLED_S):
                    await send(message)
            elif over:
                return True
            await asyncio.wait([gone], timeout=EVERY_S)
        return False


class Reader:
    """Where one reader is in the log."""

    def __init__(self, log: EventLog, last_event_id: str | None, call_id: str | None = None) -> None:
        """Goes on behind `last_event_id`, or begins with what comes next. Of one call when it is named; then
        `over` once that has ended."""
        self._log = log
        self._call_id = call_id
        self.over = False
        place = None if last_event_id is None else log.place_of(last_event_id)
        self._at = log.last if place is None else place
        self._lost = last_event_id is not None and place is None

    def batch(self) -> bytes:
        """All that came meanwhile. `missed` before it says how many events are gone; null: all that there
        were before, of another run of the server."""
        parts = []
        if self._lost:
            self._lost = False
            parts.append(self._missed(None))
        while True:
            before = self._at
            reading = self._log.read(self._at, self._call_id)
            self._at = reading.upto
            if reading.missed:
                parts.append(self._missed(reading.missed))
            parts.extend(self._written(reading.entries))
            if reading.upto in (before, self._log.last) or len(parts) > _MOST_PARTS:
                return b"".join(parts)

    def _written(self, entries: Iterable[Logged]) -> Iterable[bytes]:
        for entry in entries:
            if entry.written is None:
                entry.written = self._write(entry.number, entry.name, _data(entry))
            if self._call_id is not None and entry.name == "call.ended":
                self.over = True
            yield entry.written

    def _missed(self, count: int | None) -> bytes:
        return self._write(self._at, "missed", {"count": count})

    def _write(self, number: int, name: str, data: dict[str, Any]) -> bytes:
        return f"id: {self._log.name_of(number)}\nevent: {name}\ndata: {_encode(data)}\n\n".encode(
            errors="replace"
        )


_MOST_PARTS: Final = 2000


def _data(entry: Logged) -> dict[str, Any]:
    told = {"call_id": entry.call_id} if entry.call_id is not None else {}
    return {**told, **entry.data, "at": utc(entry.data["at"]).isoformat().replace("+00:00", "Z")}


async def _gone(receive: Receive) -> None:
    """Returns when the reader has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
