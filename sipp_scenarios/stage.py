"""What a scenario has at hand: SIPp processes, RTP peers, the API, and a caller number that is its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from ivr.local import Api, LocalServer
from sipp_scenarios.config import LOCAL, World
from sipp_scenarios.rtp import TELEPHONE_EVENT, RtpPeer
from sipp_scenarios.tunnel import tunnel_from, tunnel_to

XML: Final = Path(__file__).resolve().parent / "xml"
CODE: Final = "1001"
"""The number of the flow that asks for a code and waits long."""
NOTICE: Final = "1002"
"""The number of the flow that says one sentence and hangs up."""
HANDOVER: Final = "1004"
"""The number of the flow that hands its caller over."""
RINGING: Final = "1003"
"""The same, but it rings for two seconds first, with early media."""


_SIPP_TRANSPORTS: Final = {"udp": "u1", "udp6": "u1", "tcp": "t1", "tls": "t1"}
_SEPARATOR: Final = re.compile(r"^-{40,} .*\n", re.M)


class Failed(Exception):
    """The scenario did not go as it must; the text says what was seen."""


class Skipped(Exception):
    """The scenario cannot run here; the text says why."""


def expect(condition: bool, seen: str) -> None:
    """Raises `Failed` with what was seen instead."""
    if not condition:
        raise Failed(seen)


@dataclass(frozen=True, slots=True)
class Sdp:
    """What SIPp's session description says: the end of its m= line, and its attributes."""

    media: str
    attributes: tuple[str, ...]


def usual(event_type: int = TELEPHONE_EVENT) -> Sdp:
    """G.711, and keys as that payload type."""
    return Sdp(
        f"RTP/AVP 8 0 {event_type}",
        (
            *("rtpmap:8 PCMA/8000", "rtpmap:0 PCMU/8000"),
            *(f"rtpmap:{event_type} telephone-event/8000", f"fmtp:{event_type} 0-15", "ptime:20"),
        ),
    )


USUAL: Final = usual()


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a SIPp process has sent and received so far."""

    log: Path

    def received(self, start: str = "") -> list[str]:
        """The messages that came and begin with these words, without carriage returns."""
        if not self.log.exists():
            return []
        text = self.log.read_bytes().decode("utf-8", "replace").replace("\r", "")
        parts = (part.partition("\n\n") for part in _SEPARATOR.split(text))
        return [message for head, _, message in parts if " received " in head and message.startswith(start)]

    def answer(self) -> str:
        """The 200 with a session description."""
        found = [message for message in self.received("SIP/2.0 200") if "\nm=audio" in message]
        expect(len(found) == 1, f"{len(found)} answers came")
        return found[0]

    def only(self, start: str) -> str:
        """The one message that came and begins so; raises `Failed`."""
        found = self.received(start)
        expect(len(found) == 1, f"{len(found)} messages came that begin with {start!r}")
        return found[0]


@dataclass(slots=True)
class Stage:
    """Where one scenario plays: HOST:PORT of the server by transport (`udp`, `tcp`, `tls`, `udp6`); `server`
    and `world` are None for a foreign server."""

    targets: Mapping[str, str]
    folder: Path
    caller: str
    number: str = CODE
    server: LocalServer | None = None
    world: World | None = None
    _runs: Iterator[int] = field(default_factory=count)

    @property
    def api(self) -> Api | None:
        return None if self.server is None else self.server.api

    @contextmanager
    def sipp(
        self,
        scenario: str,
        *options: str,
        peer: RtpPeer | None = None,
        number: str | None = None,
        source: str = LOCAL,
        transport: str = "udp",
        port: int | None = None,
        media_port: int = 9,
        sdp: Sdp = USUAL,
        keys: Mapping[str, str] | None = None,
        hold_ms: int = 1500,
        limit_s: int = 90,
        endless: bool = False,
    ) -> Iterator[Conversation]:
        """Runs SIPp beside the block; leaving the block waits for it, and raises `Failed` when it failed.

        With a `port` SIPp waits there to be called. Its SDP names the port of the `peer`, or `media_port`.
        `keys` are further words of the scenario in square brackets. `hold_ms` is how long a pause of the
        scenario takes. An `endless` one answers whatever comes until the block is left.
        """
        if shutil.which("sipp") is None:
            raise Skipped("SIPp is not installed (Debian: sip-tester)")
        stem = self.folder / f"{scenario}-{next(self._runs)}"
        address = "::1" if transport == "udp6" else source
        with ExitStack() as around:
            target = self._target(transport, source, around)
            words = {
                "caller": self.caller,
                "from": self.caller,
                "peer_port": str(peer.port if peer else media_port),
                "media": sdp.media,
                "attributes": "\r\n".join(f"a={line}" for line in sdp.attributes),
                "header": "User-Agent: SIPp",
                **(keys or {}),
            }
            command = [
                "sipp", target, "-sf", str(XML / f"{scenario}.xml"), "-t", _SIPP_TRANSPORTS[transport],
                "-i", address, "-mi", address, "-s", number or self.number,
                "-m", "100000" if endless else "1", "-d", str(hold_ms), "-nostdin",
                "-timeout", str(limit_s), "-timeout_error",
                *(part for word, value in words.items() for part in ("-key", word, value)),
                "-trace_err", "-error_file", f"{stem}.err", "-trace_msg", "-message_file", f"{stem}.msg",
                *(("-p", str(port)) if port else ()), *options,
            ]  # fmt: skip
            environment = {**os.environ, "TERM": "xterm"}
            with stem.with_suffix(".out").open("wb") as out:
                process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            try:
                if port is not None:
                    _wait_until_bound(port)
                yield Conversation(stem.with_suffix(".msg"))
                code = 0 if endless else process.wait(limit_s + 10)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if code != 0:
            raise Failed(f"SIPp ended with {code}: {_complaint(stem)}")

    def call(self, scenario: str, *options: str, **settings: Any) -> Conversation:
        """Runs SIPp to its end."""
        with self.sipp(scenario, *options, **settings) as conversation:
            pass
        return conversation

    def _target(self, transport: str, source: str, around: ExitStack) -> str:
        """Where SIPp sends to: with TLS that is a tunnel, which lasts as long as `around`."""
        target = self.targets.get(transport)
        if target is None:
            raise Skipped(f"the target has no {transport.upper()} address")
        if transport == "tls":
            port = int(target.rpartition(":")[2])
            return f"{LOCAL}:{around.enter_context(tunnel_to(port, self.need_world().authority, source))}"
        return target

    @contextmanager
    def called_by_tls(self, port: int) -> Iterator[int]:
        """The port where a SIPp that waits at the TCP `port` is called by TLS."""
        with tunnel_from(port, *self.need_world().certificate) as found:
            yield found

    def open_files(self) -> int:
        """Files and sockets that the server has open; 0 for a foreign one."""
        return 0 if self.server is None else len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def dial(self, flow: str, port: int, params: str = "", *, trunk: str = "local", host: str = LOCAL) -> str:
        """Has the server call `port` on the loopback from our caller number; gives the call's id.

        `params` are those of the URI, as `;transport=tcp`.
        """
        return self.dial_number(flow, f"sip:sipp@{host}:{port}{params}", trunk)

    def dial_number(self, flow: str, to: str, trunk: str) -> str:
        """Has the server call a number over a trunk."""
        return self.need_api().initiate(to=to, flow=flow, trunk=trunk, caller_id=self.caller)

    def need_api(self) -> Api:
        if self.server is None:
            raise Skipped("needs the API of a server of our own")
        return self.server.api

    def need_world(self) -> World:
        if self.world is None:
            raise Skipped("needs a server of our own")
        return self.world

    def records(self) -> list[dict[str, Any]]:
        """The records of every call of our caller, newest first; empty for a foreign server."""
        calls = [] if self.api is None else self.api.calls()
        return [call for call in calls if call["caller"] == self.caller]

    def check_record(self, cause: str, by: str, **expected: Any) -> None:
        """There is one call of our caller, and it ended so; says nothing about a foreign server."""
        if self.api is None:
            return
        records = self.records()
        expect(len(records) == 1, f"{len(records)} call records of one call")
        record = self.api.ended(records[0]["id"])
        seen = {name: record[name] for name in ("cause", "hung_up_by", *expected)}
        expect(seen == {"cause": cause, "hung_up_by": by, **expected}, f"the record says {seen}")


def _wait_until_bound(port: int, wait_s: float = 5.0) -> None:
    """Returns when some process has bound the port; trying to bind would get in the way."""
    sign, deadline = f":{port:04X} ", time.monotonic() + wait_s
    tables = [Path(f"/proc/net/{kind}") for kind in ("udp", "tcp", "udp6")]
    while not any(sign in table.read_text(encoding="ascii") for table in tables):
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
