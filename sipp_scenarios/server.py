"""A server for the scenarios alone: free loopback ports, an empty data folder, ended by its process id."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
START_S: Final = 90
STOP_S: Final = 10
USERNAME: Final = "caller"
PASSWORD: Final = "scenario secret"


class ServerFailed(Exception):
    """The server did not start, or not stop; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Api:
    """The HTTP API of the server under test."""

    url: str
    key: str

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, body: Any = None) -> Any:
        return self._ask("POST", path, body)

    def calls(self, caller: str) -> list[dict[str, Any]]:
        """Calls from that number, newest first."""
        listed = self.get("/api/voice/calls?limit=500")["calls"]
        return [call for call in listed if call["caller"] == caller]

    def ended(self, call_id: str, wait_s: float = 10.0) -> dict[str, Any]:
        """The record of a call once it has ended; raises TimeoutError."""
        deadline = time.monotonic() + wait_s
        while True:
            call: dict[str, Any] = self.get(f"/api/voice/calls/{call_id}")
            if call["ended_at"] is not None:
                return call
            if time.monotonic() > deadline:
                raise TimeoutError(f"the call is still {call['state']} after {wait_s:g} s")
            time.sleep(0.05)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from error


class Server:
    """`ivr serve` in a process of its own. Use it as a context manager; `folder` keeps its data and log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self.udp = ""
        self.tcp = ""
        self.api = Api("", "")

    @property
    def log(self) -> Path:
        return self._folder / "server.log"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process.pid

    def __enter__(self) -> Server:
        config, announce = self._folder / "ivr.yaml", self._folder / "announce.json"
        config.write_text(json.dumps(self._config(), indent=2), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "ivr.cli",
            "serve",
            "--config",
            str(config),
            "--announce",
            str(announce),
        ]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log
            )
        try:
            said = self._announced(announce)
        except BaseException:
            self._stop()
            raise
        addresses = dict(address.split(":", 1) for address in said["sip"])
        self.udp, self.tcp = addresses["udp"], addresses["tcp"]
        self.api = Api(said["api"], self._key)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def tail(self, lines: int = 30) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _announced(self, path: Path) -> dict[str, Any]:
        deadline = time.monotonic() + START_S
        while not path.exists():
            if self._process is not None and self._process.poll() is not None:
                raise ServerFailed(f"the server ended with {self._process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"the server was not ready after {START_S} s:\n{self.tail()}")
            time.sleep(0.05)
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return said

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)
            raise ServerFailed(f"the server did not stop within {STOP_S} s:\n{self.tail()}") from None

    def _config(self) -> dict[str, Any]:
        first = random.randrange(20000, 28000, 2)
        return {
            "sip": {"listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
            "media": {"ports": [first, first + 2000], "timeout_s": 12},
            "api": {
                "port": 0,
                "keys": {"scenarios": {"key": self._key, "scopes": ["calls:read", "calls:write"]}},
            },
            "trunks": {
                "local": {
                    "allow": ["127.0.0.1/32"],
                    "caller_id": "1000",
                    "credentials": {"username": USERNAME, "password": PASSWORD},
                    "max_calls": 300,
                    "refer_to": ["sip:127.0.0.1"],
                }
            },
            "numbers": {
                "1001": {"flow": "code"},
                "1002": {"flow": "notice"},
                "1003": {"flow": "notice", "ring_s": 2, "early_media": True},
                "1004": {"flow": "handover"},
            },
            "queues": {"help": "sip:agent@127.0.0.1"},
            "flows": str(Path(__file__).resolve().parent / "flows"),
            "store": {"path": "var"},
            # What the protocol says is judged here, also on a machine that is too busy for good audio.
            "limits": {"loop_lag_ms": 5000},
        }
