"""The server that the scenarios call, and that calls them: one trunk for each way in which a trunk can be.

The whole of 127.0.0.0/8 is the loopback: SIPp has an address for each trunk, and others that none allows.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import trustme

LOCAL: Final = "127.0.0.1"
STRANGER: Final = "127.0.0.2"
"""No trunk allows it."""
EXOTEL: Final = "127.0.0.3"
ENCRYPTED: Final = "127.0.0.4"
"""Its trunk requires SRTP."""
EITHER: Final = "127.0.0.5"
"""Its trunk takes SRTP and plain RTP."""
FEW: Final = "127.0.0.6"
"""Its trunk sends and takes one call a minute."""
NARROW: Final = "127.0.0.7"
"""Its trunk has one call at a time, and may not call everywhere."""
PHONE: Final = "127.0.0.8"
"""No trunk allows it, but it may be a user's."""
GUESSER: Final = "127.0.0.9"
"""The same; what it says is wrong."""
WIDE: Final = "127.0.0.10"
"""Its trunk has G.722 too."""

PRIVATE: Final = "127.0.0.11"
"""Its trunk tells our number to the network alone."""
BRIEF: Final = "127.0.0.12"
"""Its trunk ends calls after two seconds."""

USERNAME: Final = "caller"
PASSWORD: Final = "scenario secret"
USER: Final = "shop"
USER_PASSWORD: Final = "the shop's secret"
EXOPHONE: Final = "+918047112233"
COUNTRY: Final = "+91"
"""The only numbers that the narrow trunk may call."""


@dataclass(frozen=True, slots=True)
class World:
    """What the server is configured with. `proxies` are ports of the loopback where trunks send their calls,
    `authority` signs certificates that it trusts."""

    config: Mapping[str, Any]
    proxies: Mapping[str, int]
    authority: Path
    certificate: tuple[Path, Path]
    """Chain and key of a peer, signed by the authority."""


def make_world(folder: Path) -> World:
    """Writes certificates into the folder, and finds ports for the proxies."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued = authority.issue_cert(LOCAL, key_type=trustme.KeyType.ECDSA)
    certificate, key = folder / "peer.pem", folder / "peer.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    proxies = MappingProxyType({name: free_port() for name in ("exotel", "probed", "few")})
    config = {
        "sip": {
            "listen": [f"udp:{LOCAL}:0", f"tcp:{LOCAL}:0", f"tls:{LOCAL}:0", "udp:[::1]:0"],
            "tls": {"certificate": str(certificate), "key": str(key)},
        },
        "media": {"ports": [0, 0], "timeout_s": 12},
        "trunks": _trunks(proxies, folder / "authority.pem"),
        "numbers": {
            "1001": {"flow": "code"},
            "1002": {"flow": "notice"},
            "1003": {"flow": "notice", "ring_s": 2, "early_media": True},
            "1004": {"flow": "handover"},
            EXOPHONE: {"flow": "notice"},
        },
        "queues": {"help": f"sip:agent@{LOCAL}"},
        "flows": str(Path(__file__).resolve().parent / "flows"),
        # What the protocol says is judged here, also on a machine that is too busy for good audio.
        "limits": {"loop_lag_ms": 5000},
    }
    return World(config, proxies, folder / "authority.pem", (certificate, key))


def _trunks(proxies: Mapping[str, int], authority: Path) -> dict[str, Any]:
    return {
        "local": {
            "allow": [f"{LOCAL}/32", "::1/128"],
            "caller_id": "1000",
            "credentials": {"username": USERNAME, "password": PASSWORD},
            "max_calls": 300,
            "refer_to": [f"sip:{LOCAL}"],
            "destinations": [f"sip:{LOCAL}", "sip:[::1]"],
            "tls": {"ca": str(authority)},
        },
        "exotel": {
            "profile": "exotel",
            "allow": [f"{EXOTEL}/32"],
            "caller_id": EXOPHONE,
            "proxy": f"sip:{EXOTEL}:{proxies['exotel']};transport=tcp",
            "options_s": 0,
        },
        "encrypted": {"allow": [f"{ENCRYPTED}/32"], "caller_id": "1000", "srtp": "required"},
        "either": {"allow": [f"{EITHER}/32"], "caller_id": "1000", "srtp": "offered"},
        "few": {
            "allow": [f"{FEW}/32"],
            "caller_id": "1000",
            "proxy": f"sip:{FEW}:{proxies['few']}",
            "options_s": 0,
            "invites_per_minute": 1,
            "calls_per_minute": 1,
        },
        "wide": {"allow": [f"{WIDE}/32"], "codecs": ["PCMA", "PCMU", "G722"]},
        "narrow": {
            "allow": [f"{NARROW}/32"],
            "caller_id": "1000",
            "proxy": f"sip:{NARROW}:5060",
            "options_s": 0,
            "destinations": [COUNTRY],
            "max_calls": 1,
        },
        "private": {
            "allow": [f"{PRIVATE}/32"],
            "caller_id": EXOPHONE,
            "privacy": True,
            "asserted_identity": True,
        },
        "brief": {"allow": [f"{BRIEF}/32"], "call_s": 2},
        "users": {"users": {USER: USER_PASSWORD}},
        "probed": {"proxy": f"sip:{LOCAL}:{proxies['probed']}", "caller_id": "1000", "options_s": 1},
    }


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, host: str = LOCAL) -> int:
    """A port of the loopback that was free a moment ago."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
