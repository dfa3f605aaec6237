"""The endpoints of flows, on this machine: requests are kept, and answered when a scenario says how."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

ANSWER_S: Final = 60.0
"""So long a request is kept waiting at most; the server gives it up before."""


@dataclass(slots=True)
class Asked:
    """A request that came. `body` is its JSON object, or the query of a GET as texts."""

    endpoint: str
    get: bool
    body: dict[str, Any]
    _answer: queue.SimpleQueue[tuple[int, Any]] = field(default_factory=queue.SimpleQueue)

    def answer(self, status: int, body: Any = None) -> None:
        """Sends the answer; the first counts."""
        self._answer.put((status, body))

    def awaited(self) -> tuple[int, Any]:
        try:
            return self._answer.get(timeout=ANSWER_S)
        except queue.Empty:
            return 503, None


@contextmanager
def answering(asked: queue.SimpleQueue[Asked]) -> Iterator[str]:
    """An HTTP server that puts each request into `asked`; gives its URL, to which an endpoint's name is
    added."""

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            get = self.command == "GET"
            request = Asked(
                parts.path.strip("/"),
                get,
                dict(parse_qsl(parts.query)) if get else _object(self.rfile.read(length)),
            )
            asked.put(request)
            status, body = request.awaited()
            content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _take

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.block_on_close = False
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/"
        finally:
            http.shutdown()


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
