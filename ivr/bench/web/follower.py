"""Follows all live calls as a dashboard does: the events as a stream, all calls again every few seconds, and
the figures."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import datetime
from typing import Final

import httpx

from ivr.admin.sse import SseReader

ACTIVE_S: Final = 10.0
FIGURES_S: Final = 5.0


class Follower:
    """Two threads, from `start` to `stop`."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=30.0, trust_env=False)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._follow, self._ask)]
        self.delays: list[int] = []
        """From the moment of each event until it is here, in nanoseconds."""
        self.events: Counter[str] = Counter()
        self.calls = 0
        """Most that were live at once."""
        self.failure: Exception | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30.0)
        self._client.close()

    def _follow(self) -> None:
        try:
            with self._client.stream("GET", "/admin/events") as answer:
                answer.raise_for_status()
                reader = SseReader()
                for line in answer.iter_lines():
                    if (event := reader.take(line)) is None:
                        continue
                    now = time.time_ns()
                    data = json.loads(event.data)  # as the dashboard does, whatever it is
                    self.events[event.kind] += 1
                    if event.kind == "call.event":
                        at = datetime.fromisoformat(data["at"]).timestamp()
                        self.delays.append(now - int(at * 1e9))
                    if self._stop.is_set():
                        return
        except Exception as error:
            self.failure = error

    def _ask(self) -> None:
        due = {"/admin/calls/active": 0.0, "/admin/metrics": 0.0}
        every = {"/admin/calls/active": ACTIVE_S, "/admin/metrics": FIGURES_S}
        while not self._stop.is_set():
            for path, at in due.items():
                if time.monotonic() >= at:
                    due[path] = time.monotonic() + every[path]
                    try:
                        told = self._client.get(path).raise_for_status().json()
                    except Exception as error:
                        self.failure = error
                        return
                    if path == "/admin/calls/active":
                        self.calls = max(self.calls, len(told["calls"]))
            self._stop.wait(0.1)
