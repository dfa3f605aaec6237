"""Certificates: what we show, and whose we accept. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Towards a peer that we dial. Paths of PEM files; without `ca` the system's authorities count, without
    `server_name` the host that was dialled must be in the certificate."""

    ca: str | None = None
    server_name: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Towards peers that dial us: our certificate, and whether they must show one signed by `ca`."""

    certificate: str
    key: str
    ca: str | None = None
    client_certificate: Literal["none", "optional", "required"] = "none"


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """Whom we expect at the other end of a connection that we dial.

    `name` is the SIP domain (or IP address) that the certificate must carry (RFC 5922 7.1), and the server
    name that we ask for (SNI, RFC 6066 3).
    """

    settings: ClientTls
    name: str

    @classmethod
    def at(cls, settings: ClientTls, host: str) -> TlsPeer:
        """Whom to expect where `host` stands in the URI."""
        return cls(settings, settings.server_name or host)
