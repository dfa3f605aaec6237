"""Waiting for what a server's API tells of its calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ivr.local import LocalServer

WAIT_S = 15.0
T = TypeVar("T")


def eventually(look: Callable[[], T | None], what: str, within_s: float = WAIT_S) -> T:
    """The first that is found; `what` is told when nothing is in time."""
    deadline = time.monotonic() + within_s
    while True:
        if (found := look()) is not None:
            return found
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)


class Calls:
    """The calls of a server since now."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self._before = {call["id"] for call in server.api.calls()}

    def ids(self) -> list[str]:
        """Oldest first."""
        return [call["id"] for call in reversed(self._server.api.calls()) if call["id"] not in self._before]

    def next(self, number: int = 1) -> str:
        """The id of the call of that number, counted from one."""

        def look() -> str | None:
            ids = self.ids()
            return ids[number - 1] if len(ids) >= number else None

        return eventually(look, f"call {number}")

    def event(self, call_id: str, kind: str, **data: Any) -> dict[str, Any]:
        """Waits for an event of a call with at least this data."""

        def look() -> dict[str, Any] | None:
            events = self._server.api.call(call_id)["events"]
            return next((e for e in events if e["kind"] == kind and data.items() <= e["data"].items()), None)

        return eventually(look, f"{kind} {data}")

    def keys(self, call_id: str) -> str:
        """All keys that the call has got."""
        events = self._server.api.call(call_id)["events"]
        return "".join(event["data"]["key"] for event in events if event["kind"] == "key")
