"""STUN and TURN servers: their addresses, and credentials for a session. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final, Literal

_URL: Final = re.compile(
    r"(stuns?|turns?):([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:\?transport=(udp|tcp))?"
)
_PORT: Final = 3478
_TLS_PORT: Final = 5349
"""RFC 8656 section 4: those of TURN, and of STUN."""


@dataclass(frozen=True, slots=True)
class IceUrl:
    """A URL of RFC 7064 (stun:) or RFC 7065 (turn:)."""

    scheme: str
    host: str
    port: int
    transport: Literal["udp", "tcp"]

    @classmethod
    def parse(cls, text: str) -> IceUrl:
        """Raises ValueError with what should be written."""
        match = _URL.fullmatch(text)
        if match is None or (match[4] and match[1].startswith("stun")):
            raise ValueError("write it as stun:HOST, turn:HOST:3478?transport=udp or turns:HOST:5349")
        scheme, host, port, transport = match.groups()
        tls = scheme.endswith("s")
        number = int(port) if port else _TLS_PORT if tls else _PORT
        if not 0 < number < 65_536:
            raise ValueError(f"{number} is no port")
        spoken: Literal["udp", "tcp"] = "tcp" if transport == "tcp" or (tls and transport is None) else "udp"
        return cls(scheme, host.strip("[]"), number, spoken)

    @property
    def relays(self) -> bool:
        return self.scheme.startswith("turn")

    @property
    def tls(self) -> bool:
        return self.scheme.endswith("s")


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str


def rest_credentials(secret: str, holder: str, ends_at: float) -> Credentials:
    """Of a TURN server that shares a secret with us: good until `ends_at` (Unix time), for whoever holds
    them, as coturn's `use-auth-secret` has them (draft-uberti-behave-turn-rest-00)."""
    username = f"{int(ends_at)}:{holder}"
    digest = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
    return Credentials(username, base64.b64encode(digest).decode())
