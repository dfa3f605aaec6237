"""Which sockets the doctor opens: as the server's, on free ports. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ivr.doctor.addresses import Scope, listening, scope
from sip.hop import Transport
from sip.locate import Reach
from sip.uri import host_text

_KINDS: Final[dict[str, Transport]] = {"udp": "UDP", "tcp": "TCP"}
_WILDCARD: Final = {False: "0.0.0.0", True: "::"}


def hosts(listen: Sequence[str], *, v6: bool) -> list[str]:
    """The addresses of one IP version that the server has, where they lead beyond this machine; all of it
    where it has none: that the server cannot look further is said elsewhere."""
    entries = (listening(entry)[1] for entry in listen)
    outward = {host for host in entries if (":" in host) == v6 and scope(host) is not Scope.LOOPBACK}
    return sorted(outward) or [_WILDCARD[v6]]


def media_hosts(listen: Sequence[str]) -> list[str]:
    """Where the doctor's media is received: one address of each IP version that the server has."""
    versions = dict.fromkeys(":" in listening(entry)[1] for entry in listen) or [False]
    return [hosts(listen, v6=v6)[0] for v6 in versions]


def own_sockets(listen: Sequence[str], wanted: Transport | None) -> tuple[list[str], Reach]:
    """What to listen on, as `sip.listen` has it, and by what the server could send: for that, the transport
    that the proxy names (`wanted`) counts as there. TLS is dialled without a socket that listens."""
    entries = [listening(entry) for entry in listen]
    versions = {":" in host for _, host, _ in entries} or {False}
    kinds = {(_KINDS[kind], ":" in host) for kind, host, _ in entries if kind in _KINDS}
    if wanted is not None:
        kinds |= {(wanted, v6) for v6 in versions}
    kinds = {(kind, v6) for kind, v6 in kinds if kind != "TLS"}
    opened = sorted(kinds | {("UDP", v6) for v6 in versions})  # TLS is dialled from beside some socket
    own = [f"{kind.lower()}:{host_text(host)}:0" for kind, v6 in opened for host in hosts(listen, v6=v6)]
    return own, frozenset(kinds | {("TLS", v6) for v6 in versions})
