"""PJSIP's own sockets, found among the process's: to be woken by them, and to keep strangers out of them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sip.hop import Address, Transport
from sip.pjsip.packet_filter import Network, packed, program

_ATTACH_FILTER: Final = 26
"""SO_ATTACH_FILTER (asm-generic/socket.h)."""


def find(transport: Transport, address: Address) -> socket.socket:
    """A second handle of the socket that is bound there; raises OSError when there is none.

    Closing the handle leaves the socket open.
    """
    kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not str(Path("/proc/self/fd", name).readlink()).startswith("socket:"):
                continue
            candidate = socket.socket(fileno=os.dup(int(name)))
            if _is(candidate, kind, address):
                return candidate
            candidate.close()
    raise OSError(f"PJSIP's socket {transport.lower()}:{address.host}:{address.port} cannot be found")


def admit_only(sockets: Iterable[socket.socket], networks: Iterable[Network]) -> None:
    """From here on packets from elsewhere do not reach the sockets; raises OSError, ValueError."""
    code = packed(program(networks))
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    handed = bytes(Program(len(code) // 8, ctypes.addressof(buffer)))
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, handed)


def _is(candidate: socket.socket, kind: int, address: Address) -> bool:
    if candidate.type != kind or candidate.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    if kind == socket.SOCK_STREAM and not candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    return tuple(candidate.getsockname()[:2]) == tuple(address)
