"""What this machine gives, and whether the server runs on it. Binds at most ports that nobody has."""

from __future__ import annotations

import ctypes
import resource
import socket
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import psutil

from ivr.config import Config
from ivr.doctor.addresses import Scope, listening, scope
from ivr.doctor.facts import Machine, ServerSeen
from sip.transports import RECEIVE_BUFFER

API_S: Final = 5.0

_PROC: Final = Path("/proc/sys/net")
_TIMEX_BYTES: Final = 512
"""More than `struct timex` has."""
_STATUS_AT: Final = 40
_UNSYNCHRONISED: Final = 0x40
_LP64: Final = sys.platform == "linux" and ctypes.sizeof(ctypes.c_long) == 8


def machine(config: Config, server_pid: int | None) -> Machine:
    """Reads the limits of the server's process where there is one. Blocks for some milliseconds."""
    host = listening(config.sip.listen[0])[1] if config.sip.listen else ""
    files, server = _files(server_pid)
    return Machine(
        media_host=host,
        bound=_bound(host) if host else "there is no listening address",
        taken=frozenset(one.laddr.port for one in _sockets("udp")),
        ephemeral=_pair(_PROC / "ipv4/ip_local_port_range"),
        lowest_port=_number(_PROC / "ipv4/ip_unprivileged_port_start", 1024),
        files=files,
        files_of="server" if server else "shell",
        buffer_bytes=_buffer(),
        synchronised=_synchronised(),
    )


def held(config: Config) -> tuple[tuple[str, ...], int | None]:
    """The entries of `sip.listen` that some process has bound, and the process, where it may be known."""
    found, pid = [], None
    for entry in config.sip.listen:
        transport, host, port = listening(entry)
        for one in _sockets("udp" if transport == "udp" else "tcp"):
            free = transport != "udp" and one.status != psutil.CONN_LISTEN
            if port == 0 or free or one.laddr.port != port:
                continue
            if host == one.laddr.ip or Scope.WILDCARD in (scope(host), scope(one.laddr.ip)):
                found.append(entry)
                pid = pid or one.pid
                break
    return tuple(found), pid


async def server(config: Config, name: str, at: tuple[tuple[str, ...], int | None]) -> ServerSeen:
    """What the API of the running server says of the trunk; `at` is what `held` gave."""
    entries, pid = at
    key = next((one.key for one in config.api.keys.values() if "calls:read" in one.scopes), None)
    if config.api.port == 0:
        return ServerSeen(entries, pid, why="api.port is 0, so its address is not known")
    if key is None:
        return ServerSeen(entries, pid, why="no key of the configuration may read calls")
    host = "127.0.0.1" if scope(config.api.host) is Scope.WILDCARD else config.api.host
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{config.api.port}/api/voice/trunks/{quote(name, safe='')}"
    try:
        async with httpx.AsyncClient(timeout=API_S, trust_env=False) as client:
            answer = await client.get(url, headers={"Authorization": f"Bearer {key}"})
        if answer.status_code != 200:
            return ServerSeen(entries, pid, why=f"it answers {answer.status_code}: another configuration?")
        said: dict[str, Any] = answer.json()
        return ServerSeen(
            entries,
            pid,
            answers=True,
            up=said["up"],
            reason=str(said["reason"]),
            registered=said["registered"],
            seen_as=said["seen_as"],
            calls=int(said["calls"]),
        )
    except httpx.HTTPError as error:
        return ServerSeen(entries, pid, why=f"no answer ({type(error).__name__})")
    except (ValueError, KeyError, TypeError):
        return ServerSeen(entries, pid, why="it answers something else: not this server")


def _sockets(kind: str) -> list[Any]:
    try:
        return [one for one in psutil.net_connections(kind) if one.laddr]
    except (OSError, psutil.Error):
        return []


def _bound(host: str) -> str:
    """Why a UDP socket cannot be bound at the address; empty where it can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((host, 0))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _files(pid: int | None) -> tuple[int | None, bool]:
    if pid is not None:
        try:
            return _limit(psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[0]), True
        except (psutil.Error, OSError):
            pass
    return _limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0]), False


def _limit(soft: int) -> int:
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _buffer() -> int | None:
    """What the kernel grants a SIP socket; Linux tells it doubled, as it counts its own overhead too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        except OSError:
            return None


def _synchronised() -> bool | None:
    """Whether the kernel says that its clock is kept (adjtimex(2), as timedatectl shows it)."""
    if not _LP64:
        return None
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    status = ctypes.c_int.from_buffer(timex, _STATUS_AT).value
    return not status & _UNSYNCHRONISED


def _pair(path: Path) -> tuple[int, int] | None:
    try:
        low, high = path.read_text(encoding="ascii").split()
        return int(low), int(high)
    except (OSError, ValueError):
        return None


def _number(path: Path, usual: int) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return usual
