"""What a scenario has at hand: SIPp processes, RTP peers, the API, and a caller number that is its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sipp_scenarios.rtp import TELEPHONE_EVENT, RtpPeer
from sipp_scenarios.server import Api, Server

XML: Final = Path(__file__).resolve().parent / "xml"
CODE: Final = "1001"
"""The number of the flow that asks for a code and waits long."""
NOTICE: Final = "1002"
"""The number of the flow that says one sentence and hangs up."""
HANDOVER: Final = "1004"
"""The number of the flow that hands its caller over."""
RINGING: Final = "1003"
"""The same, but it rings for two seconds first, with early media."""


class Failed(Exception):
    """The scenario did not go as it must; the text says what was seen."""


class Skipped(Exception):
    """The scenario cannot run here; the text says why."""


def expect(condition: bool, seen: str) -> None:
    """Raises `Failed` with what was seen instead."""
    if not condition:
        raise Failed(seen)


@dataclass(slots=True)
class Stage:
    """Where one scenario plays: HOST:PORT of the server by transport; `api` is None for a foreign server."""

    udp: str
    tcp: str | None
    api: Api | None
    folder: Path
    caller: str
    number: str = CODE
    server: Server | None = None

    @contextmanager
    def sipp(
        self,
        scenario: str,
        *options: str,
        peer: RtpPeer | None = None,
        number: str | None = None,
        source: str = "127.0.0.1",
        transport: str = "u1",
        port: int | None = None,
        media_port: int = 9,
        hold_ms: int = 1500,
        limit_s: int = 30,
    ) -> Iterator[None]:
        """Runs SIPp beside the block; leaving the block waits for it, and raises `Failed` when it failed.

        With a `port` SIPp waits there to be called. Its SDP names the port of the `peer`, or `media_port`.
        `hold_ms` is how long a pause of the scenario takes.
        """
        if shutil.which("sipp") is None:
            raise Skipped("SIPp is not installed (Debian: sip-tester)")
        target = self.tcp if transport.startswith("t") else self.udp
        if target is None:
            raise Skipped("the target has no TCP address")
        stem = self.folder / scenario
        command = [
            "sipp", target, "-sf", str(XML / f"{scenario}.xml"), "-t", transport,
            "-i", source, "-s", number or self.number,
            "-m", "1", "-d", str(hold_ms), "-nostdin", "-timeout", str(limit_s), "-timeout_error",
            "-key", "caller", self.caller,
            "-key", "event_type", str(peer.event_type if peer else TELEPHONE_EVENT),
            "-key", "peer_port", str(peer.port if peer else media_port),
            "-trace_err", "-error_file", f"{stem}.err", "-trace_msg", "-message_file", f"{stem}.msg",
            *(("-p", str(port)) if port else ()), *options,
        ]  # fmt: skip
        environment = {**os.environ, "TERM": "xterm"}
        with stem.with_suffix(".out").open("wb") as out:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            if port is not None:
                _wait_until_bound(port)
            yield
            code = process.wait(limit_s + 10)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if code != 0:
            raise Failed(f"SIPp ended with {code}: {_complaint(stem)}")

    def call(self, scenario: str, *options: str, **settings: Any) -> None:
        """Runs SIPp to its end."""
        with self.sipp(scenario, *options, **settings):
            pass

    def open_files(self) -> int:
        """Files and sockets that the server has open; 0 for a foreign one."""
        return 0 if self.server is None else len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def dial(self, flow: str, port: int, params: str = "") -> str:
        """Has the server call `port` on the loopback from our caller number; gives the call's id.

        `params` are those of the URI, as `;transport=tcp`.
        """
        placed = self.need_api().post(
            "/api/voice/call/initiate",
            {
                "to": f"sip:sipp@127.0.0.1:{port}{params}",
                "flow": flow,
                "trunk": "local",
                "caller_id": self.caller,
            },
        )
        return str(placed["id"])

    def need_api(self) -> Api:
        if self.api is None:
            raise Skipped("needs the API of a server of our own")
        return self.api

    def records(self) -> list[dict[str, Any]]:
        """The records of every call of our caller, newest first; empty for a foreign server."""
        return [] if self.api is None else self.api.calls(self.caller)

    def check_record(self, cause: str, by: str, **expected: Any) -> None:
        """There is one call of our caller, and it ended so; says nothing about a foreign server."""
        if self.api is None:
            return
        records = self.records()
        expect(len(records) == 1, f"{len(records)} call records of one call")
        record = self.api.ended(records[0]["id"])
        seen = {name: record[name] for name in ("cause", "hung_up_by", *expected)}
        expect(seen == {"cause": cause, "hung_up_by": by, **expected}, f"the record says {seen}")


def free_port() -> int:
    """A UDP port of the loopback that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_bound(port: int, wait_s: float = 5.0) -> None:
    """Returns when some process has bound the port; trying to bind would get in the way."""
    sign, deadline = f":{port:04X} ", time.monotonic() + wait_s
    while not any(sign in Path(f"/proc/net/{kind}").read_text(encoding="ascii") for kind in ("udp", "tcp")):
        if time.monotonic() > deadline:
            raise Failed(f"SIPp did not open port {port} within {wait_s:g} s")
        time.sleep(0.02)


@contextmanager
def unread_port() -> Iterator[int]:
    """A bound UDP port of the loopback that swallows what is sent to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sink.bind(("127.0.0.1", 0))
        yield sink.getsockname()[1]


def _complaint(stem: Path) -> str:
    """The first lines of SIPp's error file, or the end of its screen."""
    for path in (stem.with_suffix(".err"), stem.with_suffix(".out")):
        if path.exists():
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            if text:
                return text[:1500] if path.suffix == ".err" else text[-500:]
    return "no output"
