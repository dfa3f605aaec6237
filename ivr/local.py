"""A server of one's own: `ivr serve` in a process with a folder of its own, for demo, benchmark and tests."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import httpx

from ivr.config import Scope

START_S: Final = 60.0
STOP_S: Final = 10.0

PATIENT: Final = {"loop_lag_ms": 1000.0}
"""Limits of a server that shares a busy machine with its callers: it is to take calls late rather than not
at all."""

_LOG_LINES: Final = 20


class ServerFailed(Exception):
    """The server did not start; the text has the end of its log."""


class Api:
    """The API of a server, with a key for all of it."""

    def __init__(self, url: str, key: str) -> None:
        self.key = key
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10.0, trust_env=False
        )

    def calls(self) -> list[dict[str, Any]]:
        """Newest first, without events."""
        found: list[dict[str, Any]] = self._get("/api/voice/calls", limit=500)["calls"]
        return found

    def call(self, call_id: str) -> dict[str, Any]:
        """One call with events, result and quality."""
        return self._get(f"/api/voice/calls/{call_id}")

    def ended(self, call_id: str, within_s: float = 15.0) -> dict[str, Any]:
        """The call, once its record is closed; raises TimeoutError."""
        deadline = time.monotonic() + within_s
        while True:
            call = self.call(call_id)
            if call["ended_at"] is not None:
                return call
            if time.monotonic() > deadline:
                raise TimeoutError(f"the call is still {call['state']} after {within_s:g} s")
            time.sleep(0.05)

    def initiate(self, **request: Any) -> str:
        """Places a call; gives its id."""
        answer = self._client.post("/api/voice/call/initiate", json=request)
        answer.raise_for_status()
        call_id: str = answer.json()["id"]
        return call_id

    def session(self, **request: Any) -> dict[str, Any]:
        """A one-time token for a call by the web, with what comes with it."""
        answer = self._client.post("/api/voice/sessions", json=request)
        answer.raise_for_status()
        session: dict[str, Any] = answer.json()
        return session

    def trunk(self, name: str) -> dict[str, Any]:
        """How a trunk stands."""
        found: dict[str, Any] = next(t for t in self._get("/api/voice/trunks")["trunks"] if t["name"] == name)
        return found

    def signal(self, call_id: str, name: str, values: Mapping[str, Any]) -> None:
        """Something happened outside that the call may wait for."""
        body = {"name": name, "values": values}
        self._client.post(f"/api/voice/calls/{call_id}/signals", json=body).raise_for_status()

    def hang_up(self, call_id: str) -> None:
        self._client.post(f"/api/voice/calls/{call_id}/hangup").raise_for_status()

    def reload_flows(self, within_s: float = 120.0) -> list[dict[str, Any]]:
        """Has the server look at its flows now; gives what has changed."""
        answer = self._client.post("/api/flows/reload", timeout=within_s)
        answer.raise_for_status()
        changes: list[dict[str, Any]] = answer.json()["changes"]
        return changes

    def recording(self, call_id: str) -> bytes:
        """The WAV file."""
        answer = self._client.get(f"/api/voice/calls/{call_id}/recording")
        answer.raise_for_status()
        return answer.content

    def close(self) -> None:
        self._client.close()

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server: `sip` and `api` are where it really listens."""

    pid: int
    sip: tuple[str, ...]
    url: str
    api: Api
    folder: Path

    @property
    def port(self) -> int:
        """Of SIP over UDP."""
        return next(int(a.rpartition(":")[2]) for a in self.sip if a.startswith("udp:"))

    def uri(self, number: str) -> str:
        return f"sip:{number}@127.0.0.1:{self.port}"

    @property
    def recordings(self) -> Path:
        return self.folder / "var" / "recordings"


@contextmanager
def local_server(
    folder: Path, config: Mapping[str, Any], *, cpus: set[int] | None = None
) -> Iterator[LocalServer]:
    """Runs a server on free loopback ports; it is gone when the block is left. Raises `ServerFailed`.

    `config` are sections of the configuration (numbers, flows, ...). What it leaves out suits the purpose:
    callers from loopback only, data and log in `folder`. `cpus` are the cores that it may use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = secrets.token_urlsafe(24)
    announce = folder / "announce.json"
    announce.unlink(missing_ok=True)
    log_path, config_path = folder / "server.log", folder / "ivr.yaml"
    config_path.write_text(json.dumps({**_defaults(key), **config}), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, "-m", "ivr.cli", "serve"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--config", str(config_path), "--announce", str(announce)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
        )
    api: Api | None = None
    try:
        if cpus is not None:
            os.sched_setaffinity(process.pid, cpus)
        said = _announced(process, announce, log_path)
        api = Api(said["api"], key)
        yield LocalServer(process.pid, tuple(said["sip"]), said["api"], api, folder)
    finally:
        if api is not None:
            api.close()
        _stop(process)


def log_tail(folder: Path) -> str:
    """The end of a server's log."""
    try:
        lines = (folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LOG_LINES:])


def _defaults(key: str) -> dict[str, Any]:
    return {
        "sip": {"listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
        "media": {"ports": [0, 0]},
        "api": {"port": 0, "keys": {"local": {"key": key, "scopes": list(get_args(Scope))}}},
        "trunks": {"local": {"allow": ["127.0.0.0/8"], "max_calls": 1000, "caller_id": "1000"}},
        "store": {"path": "var"},
        "limits": PATIENT,
    }


def _announced(process: subprocess.Popen[bytes], announce: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_S
    while not announce.exists():
        if process.poll() is not None:
            raise ServerFailed(f"the server ended with status {process.returncode}:\n{log_tail(log.parent)}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"the server was not ready after {START_S:g} s:\n{log_tail(log.parent)}")
        time.sleep(0.02)
    said: dict[str, Any] = json.loads(announce.read_text(encoding="utf-8"))
    return said


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks twice (the second time without waiting for live calls), then kills."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(1.0 if number == signal.SIGTERM else STOP_S)
        except subprocess.TimeoutExpired:
            continue
