"""A classifier on this machine, as an NLU server and as a language model: it answers, is slow, answers
nonsense, refuses, or dies in the middle."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mood = Literal["well", "slow", "nonsense", "refuses", "dies", "huge"]


@dataclass
class FakeClassifier:
    """`meant` is the option it chooses (None: none of them), `mood` how it is today; `asked` are the bodies
    that came. What is slow answers when `release` is set."""

    url: str
    meant: str | None = None
    score: float = 0.9
    mood: Mood = "well"
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> bytes:
        if self.mood == "nonsense":
            return b"as you like it"
        if self.mood == "huge":
            return json.dumps("x" * 100_000).encode()
        if path.endswith("/chat/completions"):
            content = json.dumps({"option": self.meant or "none_of_them"})
            return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
        return json.dumps({"intent": self.meant, "score": self.score}).encode()


@contextmanager
def fake_classifier() -> Iterator[FakeClassifier]:
    """Runs it on a free port."""
    fakes: list[FakeClassifier] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (fake,) = fakes
            length = int(self.headers.get("Content-Length") or 0)
            fake.asked.append(json.loads(self.rfile.read(length)))
            fake.headers.append(dict(self.headers))
            if fake.mood == "slow":
                fake.release.wait(30)
            if fake.mood == "dies":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                self.close_connection = True
                return
            content = fake.answer(self.path)
            self.send_response(503 if fake.mood == "refuses" else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # who asked has gone: it was too slow

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.block_on_close = False
        fake = FakeClassifier(f"http://127.0.0.1:{http.server_port}/v1")
        fakes.append(fake)
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            fake.release.set()
            http.shutdown()
            thread.join()
