"""Trunks: who may call us, whom we may call through, and how numbers look there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from sip.challenge import User
from sip.crypto import Srtp
from sip.digest import Credentials
from sip.headers import canonical as canonical_header
from sip.stack import BadNumber, OutboundCall, UnknownTrunk
from sip.tls import ClientTls
from sip.tolls import check_host, check_number
from sip.uri import NameAddr, Uri, UriError

NumberFormat = Literal["e164", "national", "plain"]
Rel100 = Literal["off", "supported", "required"]
Side = Literal["us", "them"]

_SEPARATORS: Final = str.maketrans("", "", " -().\u00a0")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS: Final = re.compile(r"[0-9]{3,15}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")
_UNWRITABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
_NATIONAL_DIGITS: Final = 10
_CACHE: Final = 4096

_OURS: Final = frozenset(
    [
        *("via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "max-forwards"),
        *("content-length", "content-type", "allow", "supported", "require", "proxy-require"),
        *("session-expires", "min-se", "rack", "rseq"),
        *("authorization", "proxy-authorization", "user-agent"),
    ]
)
"""Headers that the stack writes itself; a call cannot set them."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What we register as: `user` at the registrar (a SIP URI; the proxy without one)."""

    user: str
    registrar: str | None = None
    expires_s: int = 600


@dataclass(frozen=True, slots=True)
class Trunk:
    """A peer that may call us, and that we may call through.

    `allow` are the networks its requests come from. `proxy` is where calls go (`host`, `host:port` or a SIP
    URI, `;transport=tcp` included); without one only SIP URIs can be called. `number_format` is what the peer
    wants in the Request-URI: `e164` (+919876543210), `national` (09876543210), `plain` (as given).
    `codecs` are SDP names, the first choice first.

    `srtp`: `offered` takes SRTP where the peer has it, `required` nothing else. `rel100` is RFC 3262,
    `session_expires_s` RFC 4028 (0: no session timer), `refresher` who refreshes where we may choose.
    `options_s` is the pause between OPTIONS probes (0: none). `users` (name to password) are challenged when
    they call from an address that is not in `allow`. `refer_to` are the targets that an incoming REFER may
    name. `destinations` is all that may be called (None: any number): prefixes as `+91`, hosts of SIP
    addresses as `sip:pbx.example`. `calls_per_minute` are those we place, `invites_per_minute` those the peer
    may send. The server above ends a call that lasts longer than `call_s`.
    """

    allow: tuple[str, ...] = ()
    proxy: str | None = None
    caller_id: str | None = None
    asserted_identity: bool = False
    privacy: bool = False
    number_format: NumberFormat = "plain"
    country_code: str = "91"
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials | None = None
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    srtp: Srtp = "refused"
    rel100: Rel100 = "supported"
    session_expires_s: int = 1800
    refresher: Side | None = None
    tls: ClientTls = field(default_factory=ClientTls)
    registration: Registration | None = None
    options_s: float = 0.0
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    refer_to: tuple[str, ...] = ()
    destinations: tuple[str, ...] | None = None
    max_calls: int = 100
    calls_per_minute: int | None = None
    invites_per_minute: int | None = None
    call_s: float | None = None

    def proxy_uri(self) -> Uri | None:
        """The proxy as a SIP URI; raises `UriError`."""
        if self.proxy is None:
            return None
        text = self.proxy if re.match(r"sips?:", self.proxy, re.IGNORECASE) else f"sip:{self.proxy}"
        return Uri.parse(text)


class TrunkTable:
    """All trunks by name, found by source address: the narrowest network wins, then the first. `users` are
    the peers that prove who they are instead."""

    def __init__(self, trunks: Mapping[str, Trunk]) -> None:
        """Raises ValueError for a network or a proxy that cannot be parsed, for headers that cannot be set,
        and for a user of two trunks; it names the trunk."""
        self._trunks: Final = dict(trunks)
        self.users: Final[dict[str, User]] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, str]] = []
        for name, trunk in trunks.items():
            try:
                trunk.proxy_uri()
                _check_headers(trunk.headers)
                self._networks += [(ip_network(text, strict=False), name) for text in trunk.allow]
            except ValueError as error:
                raise ValueError(f"trunk {name}: {error}") from error
            for user, password in trunk.users.items():
                if user in self.users:
                    other = self.users[user].trunk
                    raise ValueError(f"trunk {name}: the user {user} belongs to the trunk {other}")
                self.users[user] = User(name, password)
        self._networks.sort(key=lambda pair: -pair[0].prefixlen)
        self._found: dict[str, str | None] = {}
        self._learned: dict[str, str] = {}

    def __getitem__(self, name: str) -> Trunk:
        """Raises `UnknownTrunk`."""
        try:
            return self._trunks[name]
        except KeyError:
            raise UnknownTrunk(f"there is no trunk {name!r}") from None

    def match(self, host: str) -> str | None:
        """The name of the trunk that an IP address belongs to."""
        if host not in self._found:
            if len(self._found) >= _CACHE:
                self._found.clear()
            self._found[host] = self._search(host)
        return self._found[host]

    def learn(self, name: str, hosts: Iterable[str]) -> None:
        """From now on these addresses (of the trunk's registrar) belong to the trunk, and no others that were
        learned before; what `allow` says of them goes before."""
        kept = {host: other for host, other in self._learned.items() if other != name}
        self._learned = {**kept, **dict.fromkeys(hosts, name)}
        self._found.clear()

    def _search(self, host: str) -> str | None:
        try:
            address = ip_address(host)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        named = next((name for network, name in self._networks if address in network), None)
        return self._learned.get(host) if named is None else named


@dataclass(frozen=True, slots=True)
class Target:
    """What an outgoing call is made of."""

    uri: Uri
    next_hop: Uri
    routes: tuple[str, ...]
    number: str
    caller: str
    headers: tuple[tuple[str, str], ...]
    private: bool = False
    """The caller is not to be shown: the From is anonymous, and so is the Contact."""

    def shown(self, host: str) -> NameAddr:
        """The From, without its tag; `host` is our address. The user of it is that of our Contact too."""
        if self.private:
            return NameAddr("Anonymous", Uri("sip", "anonymous", "anonymous.invalid"))
        return NameAddr("", Uri("sip", self.caller, host))


def target_of(call: OutboundCall, trunk: Trunk) -> Target:
    """Request-URI, route and caller of a call over the trunk; raises `BadNumber` with the reason."""
    proxy = trunk.proxy_uri()
    uri = transfer_uri(call.to, trunk)
    via_proxy = proxy is not None and (proxy.host, proxy.port) != (uri.host, uri.port)
    caller = call.caller_id or trunk.caller_id or "anonymous"
    caller = formatted(caller, trunk) if _looks_like_number(caller) else _plain(caller)
    headers = {**trunk.headers, **call.headers}
    _check_headers(headers)
    routes: tuple[str, ...] = ()
    if proxy is not None and via_proxy:
        route = proxy if proxy.param("lr") is not None else proxy.with_param("lr")
        routes = (str(NameAddr("", route)),)
    return Target(
        uri=uri,
        next_hop=proxy or uri,
        routes=routes,
        number=canonical(uri.user or "", trunk),
        caller=caller,
        headers=(*headers.items(), *_identity(caller, proxy, trunk)),
        private=trunk.privacy,
    )


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raises `BadNumber` for a header that the stack writes itself, by whatever name, or that cannot be
    written."""
    for name, value in headers.items():
        try:
            ours = canonical_header(name)[0] in _OURS
        except ValueError:
            ours = True
        if ours:
            raise BadNumber(f"the header {name!r} cannot be set on a call")
        if _UNWRITABLE.search(value):
            raise BadNumber(f"the value of the header {name!r} holds characters that no header can")


def _identity(caller: str, proxy: Uri | None, trunk: Trunk) -> list[tuple[str, str]]:
    """What tells a trusted network who calls (RFC 3325): where the From does not, it is always told."""
    found = []
    if (trunk.asserted_identity or trunk.privacy) and caller != "anonymous":
        at = Uri("tel", caller, "") if _E164.fullmatch(caller) else None
        if proxy is not None:
            at = Uri("sip", caller, proxy.host)
        if at is not None:
            found.append(("P-Asserted-Identity", f"<{at}>"))
    if trunk.privacy:
        found.append(("Privacy", "id"))
    return found


def transfer_uri(to: str, trunk: Trunk) -> Uri:
    """The SIP URI of a number (in any form that the trunk knows) or of a SIP URI; raises `BadNumber`,
    `NotAllowed` where the trunk's `destinations` do not have it."""
    proxy = trunk.proxy_uri()
    if re.match(r"sips?:", to, re.IGNORECASE):
        try:
            uri = Uri.parse(to)
        except UriError as error:
            raise BadNumber(str(error)) from error
        extras = uri.headers or uri.password is not None or uri.param("maddr") is not None
        if uri.scheme not in ("sip", "sips") or extras:
            raise BadNumber("only plain sip: and sips: URIs can be called")
        if check_host(uri, proxy, trunk.allow, trunk.destinations):
            check_number(canonical(uri.user or "", trunk), trunk.destinations)
        return uri
    if proxy is None:
        raise BadNumber("the trunk has no proxy to send a number to; give a sip: URI, or configure one")
    number = formatted(to, trunk)
    check_number(canonical(number, trunk), trunk.destinations)
    params = tuple((name, value) for name, value in proxy.params if name.lower() != "lr")
    return Uri("sip", number, proxy.host, proxy.port, params)


def canonical(number: str, trunk: Trunk) -> str:
    """One spelling for a number that can have many: E.164 with +; short and foreign forms stay as they are.

    A trunk of format `plain` says nothing about its numbers, so they are left alone.
    """
    if trunk.number_format == "plain":
        return number
    bare = without_separators(number)
    code = trunk.country_code
    if _E164.fullmatch(bare):
        return bare
    if not _DIGITS.fullmatch(bare):
        return number
    if bare.startswith("00") and len(bare) > _NATIONAL_DIGITS:
        return f"+{bare[2:]}"
    if bare.startswith("0") and len(bare) == _NATIONAL_DIGITS + 1:
        return f"+{code}{bare[1:]}"
    if len(bare) == _NATIONAL_DIGITS and bare[0] != "0":
        return f"+{code}{bare}"
    if bare.startswith(code) and len(bare) == _NATIONAL_DIGITS + len(code):
        return f"+{bare}"
    return bare


def without_separators(number: str) -> str:
    """The number without what people put between its digits."""
    return number.translate(_SEPARATORS)


def formatted(number: str, trunk: Trunk) -> str:
    """The number as the trunk wants it; raises `BadNumber`."""
    if trunk.number_format == "plain":
        return _plain(without_separators(number) if _looks_like_number(number) else number)
    found = canonical(number, trunk)
    if not (_E164.fullmatch(found) or _DIGITS.fullmatch(found)):
        raise BadNumber(f"not a telephone number: {len(number)} characters, expected + and 7 to 15 digits")
    if trunk.number_format == "e164" or not found.startswith("+"):
        return found
    prefix = f"+{trunk.country_code}"
    return f"0{found.removeprefix(prefix)}" if found.startswith(prefix) else f"00{found[1:]}"


def _looks_like_number(text: str) -> bool:
    return re.fullmatch(r"\+?[0-9][0-9 ().-]*", text) is not None


def _plain(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise BadNumber("only letters, digits and + * # . _ - can be called, 64 at most")
    return text
