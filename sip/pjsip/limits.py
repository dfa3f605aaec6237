"""What this stack can do, held against what it is asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sip.call_media import codecs_named
from sip.hop import Address, Transport
from sip.trunks import Trunk

Listen = tuple[tuple[Transport, Address], ...]


def check_listen(listen: Sequence[str]) -> Listen:
    """Addresses as `udp:127.0.0.1:5060`; raises ValueError for one that this stack cannot have."""
    return tuple(_listen(text) for text in listen)


def check_trunks(trunks: Mapping[str, Trunk]) -> None:
    """Raises ValueError that names the trunk and the option that this stack cannot do."""
    for name, trunk in trunks.items():
        codecs_named(trunk.codecs)
        asked = {
            "srtp": trunk.srtp != "refused",
            "registration": trunk.registration is not None,
            "users": bool(trunk.users),
            "refer_to": bool(trunk.refer_to),
            "refresher": trunk.refresher is not None,
        }
        missing = [option for option, wanted in asked.items() if wanted]
        proxy = trunk.proxy_uri()
        by_tls = proxy is not None and (
            proxy.scheme == "sips" or (proxy.param("transport") or "").lower() == "tls"
        )
        if by_tls:
            missing.append("proxy by TLS")
        if missing:
            raise ValueError(f"trunk {name}: {', '.join(missing)}: not with sip.stack: pjsip")


def _listen(text: str) -> tuple[Transport, Address]:
    kind, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    transports: dict[str, Transport] = {"udp": "UDP", "tcp": "TCP"}
    if kind not in transports:
        raise ValueError(f"{text}: sip.stack: pjsip listens by udp and tcp only")
    if not host or not port.isdigit():
        raise ValueError(f"{text}: write it as udp:127.0.0.1:5060")
    if ":" in host:
        raise ValueError(f"{text}: sip.stack: pjsip has IPv4 only")
    return transports[kind], Address(host, int(port))
