"""Who may come in Exotel's name: by address, by the key in the address of the stream, by a secret. Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from ivr.web.exotel_config import Exotel, Network

Address = IPv4Address | IPv6Address


class Refused(Exception):
    """Who asks may not come in; `status` is of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Door:
    """The rules of a configuration."""

    def __init__(self, config: Exotel) -> None:
        self._allow = _networks(config.allow)
        self._proxies = _networks(config.proxies)
        self._keys = tuple(f"{name}:{token}".encode() for name, token in config.keys.items())
        self._secret = None if config.secret is None else config.secret.encode()

    def check_stream(
        self, peer: str | None, forwarded: str | None, authorization: str | None, *, has_token: bool
    ) -> None:
        """`has_token`: we gave a token for this stream, to who knew the secret. Raises `Refused`."""
        self._check_address(peer, forwarded)
        if has_token or not (self._keys or self._secret):
            return
        shown = _basic(authorization)
        if not self._keys:
            raise Refused(401, "the stream has no token: let its applet ask for the address of the stream")
        if shown is None:
            raise Refused(401, "the stream has no key: write its address as wss://name:token@host")
        if not sum(hmac.compare_digest(shown, key) for key in self._keys):
            raise Refused(401, "the key of the stream is not known")

    def check_request(self, peer: str | None, forwarded: str | None, secret: str | None) -> None:
        """A request of an applet, with what its address has for `token`. Raises `Refused`."""
        self._check_address(peer, forwarded)
        if self._secret is None:
            raise Refused(404, "applets are not answered: set exotel.secret in the configuration")
        if secret is None or not hmac.compare_digest(secret.encode(), self._secret):
            raise Refused(401, "the address has no token, or another one: write it as ?token=SECRET")

    def _check_address(self, peer: str | None, forwarded: str | None) -> None:
        if self._allow and not _within(address_of(peer, forwarded, self._proxies), self._allow):
            raise Refused(403, "this address is not allowed")


def address_of(peer: str | None, forwarded: str | None, proxies: Sequence[object]) -> Address | None:
    """Whose request it is: of the chain that `X-Forwarded-For` tells, the last that is no proxy of ours. What
    stands before that one may be invented."""
    address = _address(peer)
    for text in reversed((forwarded or "").split(",")):
        if not _within(address, proxies):
            break
        if not text.strip():
            continue
        address = _address(text.strip())
    return address


def _address(text: str | None) -> Address | None:
    try:
        address = ip_address((text or "").strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _within(address: Address | None, networks: Sequence[object]) -> bool:
    return address is not None and any(address in network for network in networks)  # type: ignore[operator]


def _networks(texts: Sequence[Network]) -> tuple[object, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def _basic(authorization: str | None) -> bytes | None:
    """`name:token` of a Basic header (RFC 7617)."""
    scheme, _, coded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(coded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
