"""What the configuration itself says about a trunk. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from ivr.config import Config, Trunk
from ivr.doctor.addresses import listening
from ivr.doctor.findings import Finding, fail, ok, skipped, warn
from ivr.masking import mask_number
from sip.hop import Transport
from sip.stack import BadNumber
from sip.trunks import Trunk as SipTrunk
from sip.trunks import formatted
from sip.uri import Uri, UriError

LONG: Final = 16
"""Characters of a password from which on it may be proven where others listen."""
_WIDE: Final = {4: 16, 6: 32}
"""Prefixes shorter than these let in more than a provider has."""
_WRITE_PROXY: Final = "Write the proxy as sip:HOST:PORT;transport=tcp (or udp, tls)."


def transport_of(uri: Uri) -> Transport | None:
    """What the URI asks for; None where DNS decides."""
    if uri.scheme == "sips":
        return "TLS"
    asked = (uri.param("transport") or "").upper()
    return asked if asked in ("UDP", "TCP", "TLS") else None  # type: ignore[return-value]


def proxy_of(trunk: Trunk) -> Uri | None:
    """The proxy; raises `UriError`."""
    return SipTrunk(proxy=trunk.proxy).proxy_uri()


def check(config: Config, trunk: Trunk) -> list[Finding]:
    """All that can be said before anything is sent."""
    return [*_way_out(config, trunk), *_way_in(config, trunk), *_media(trunk), *_caps(config, trunk)]


def _way_out(config: Config, trunk: Trunk) -> Iterator[Finding]:
    about = "proxy"
    if trunk.proxy is None:
        mend = "Set proxy to the provider's address if calls are to be placed to numbers."
        yield warn("config.proxy", about, "none: calls can come in, but no number can be called", mend)
        return
    try:
        uri = proxy_of(trunk)
    except UriError as error:
        yield fail("config.proxy", about, str(error), _WRITE_PROXY)
        return
    assert uri is not None
    transport = transport_of(uri)
    asked = uri.param("transport")
    if asked and transport is None:
        seen = f"{trunk.proxy}: no transport of ours is {asked[:16]!r}"
        yield fail("config.proxy", about, seen, _WRITE_PROXY)
        return
    yield ok("config.proxy", about, trunk.proxy)
    yield from _caller(trunk)
    yield from _listening(config, transport)
    yield from _passwords(trunk, transport)
    if trunk.options_s == 0:
        mend = "Set options_s to 30, so that a target that is down is noticed before a call is."
        yield warn("config.options", "probes", "off: the server does not see when the trunk is down", mend)
    if not trunk.tls.verify and transport in (None, "TLS"):
        mend = "Remove tls.verify: false, and name the authority that signed the certificate in tls.ca."
        yield warn("config.tls-verify", "certificate check", "off: anybody can pose as the provider", mend)
    if trunk.profile == "exotel" and transport not in ("TCP", "TLS"):
        mend = "Write proxy as sip:EDGE:5070;transport=tcp or sip:EDGE:443;transport=tls."
        yield warn("config.profile", "profile exotel", "Exotel documents TCP and TLS, not UDP", mend)


def _caller(trunk: Trunk) -> Iterator[Finding]:
    about = "caller_id"
    if trunk.caller_id is None:
        mend = "Set caller_id to a number that the provider gave you; many reject calls from any other."
        yield warn("config.caller-id", about, "none: calls that name no caller are anonymous", mend)
        return
    try:
        if trunk.number_format != "plain":
            numbers = SipTrunk(number_format=trunk.number_format, country_code=trunk.country_code)
            formatted(trunk.caller_id, numbers)
    except BadNumber:
        mend = "Write caller_id as the provider does, with + and the country code (+918047112233)."
        seen = f"not a telephone number, and number_format is {trunk.number_format}"
        yield fail("config.caller-id", about, seen, mend)
        return
    yield ok("config.caller-id", about, mask_number(trunk.caller_id))


def _listening(config: Config, transport: Transport | None) -> Iterator[Finding]:
    about = "sip.listen"
    entries = [listening(entry) for entry in config.sip.listen]
    shown = ", ".join(config.sip.listen) or "nothing"
    if not entries:
        yield fail("config.listen", about, shown, "Set sip.listen, as udp:0.0.0.0:5060.")
        return
    # By TLS we can dial without listening.
    if transport in ("UDP", "TCP") and not any(kind == transport.lower() for kind, _, _ in entries):
        kind = transport.lower()
        mend = f"Add {kind}:0.0.0.0:5060 to sip.listen: this trunk is reached from such a socket alone."
        yield fail("config.listen", about, f"{shown}: no {kind} address", mend)
        return
    if any(port == 0 for _, _, port in entries):
        mend = "Write the port (5060) into sip.listen: at one that changes with every start nobody finds us."
        yield warn("config.listen", about, f"{shown}: any free port", mend)
        return
    yield ok("config.listen", about, shown)


def _passwords(trunk: Trunk, transport: Transport | None) -> Iterator[Finding]:
    about, credentials = "credentials", trunk.credentials
    if credentials is None:
        if trunk.registration is not None:
            mend = "Set credentials (username, password) if the registrar asks for a password."
            yield warn("config.credentials", about, "none, though we register", mend)
        return
    plain = transport != "TLS"
    if plain and len(credentials.password) < LONG:
        mend = f"Use TLS, or a random password of {LONG} characters or more: others can try them offline."
        seen = f"a password of {len(credentials.password)} characters is proven where others can listen"
        yield warn("config.credentials", about, seen, mend)
    else:
        realm = "any realm" if credentials.realm is None else f"realm {credentials.realm}"
        yield ok("config.credentials", about, f"user {mask_number(credentials.username)}, {realm}")


def _way_in(config: Config, trunk: Trunk) -> Iterator[Finding]:
    about = "allow"
    networks = [ip_network(text, strict=False) for text in trunk.allow]
    wide = [str(one) for one in networks if one.prefixlen < _WIDE[one.version] and not one.is_loopback]
    if wide:
        mend = "Put only the provider's signalling addresses into allow."
        check = fail if any(text.endswith("/0") for text in wide) else warn
        yield check("config.allow", about, f"{', '.join(wide)}: more than a provider has", mend)
    elif networks:
        yield ok("config.allow", about, ", ".join(trunk.allow))
    elif trunk.users or trunk.registration is not None:
        yield ok("config.allow", about, "none; callers prove who they are, or come from the registrar")
    else:
        mend = "Put the addresses that the provider's calls come from into allow, if calls are to come in."
        yield warn("config.allow", about, "empty: every call from this trunk meets silence", mend)
        return
    if config.numbers:
        yield ok("config.numbers", "numbers", f"{len(config.numbers)} answered by flows")
    else:
        mend = 'Name the numbers and their flows under numbers, or "*" for all.'
        yield warn("config.numbers", "numbers", "none: calls that come in are refused with 404", mend)


def _media(trunk: Trunk) -> Iterator[Finding]:
    if "PCMA" not in trunk.codecs and "PCMU" not in trunk.codecs:
        mend = "Add PCMA and PCMU to codecs: telephone networks speak them, and G.722 often not."
        yield warn("config.codecs", "codecs", ", ".join(trunk.codecs), mend)
    else:
        yield ok("config.codecs", "codecs", ", ".join(trunk.codecs))
    try:
        proxy = proxy_of(trunk)
    except UriError:
        return
    tls = proxy is not None and transport_of(proxy) == "TLS"
    if trunk.srtp != "refused" and proxy is not None and not tls:
        mend = (
            "Use a proxy with transport=tls (or set srtp: refused): who reads the SDP can decrypt the media."
        )
        yield warn("config.srtp", "srtp", f"{trunk.srtp}, but the keys travel in clear", mend)
    elif trunk.srtp == "refused" and tls:
        more = "; Exotel's TLS edge wants it" if trunk.profile == "exotel" else ""
        mend = f"Set srtp: required (or offered) if the provider has SRTP{more}."
        yield warn("config.srtp", "srtp", "refused: signalling is encrypted, what is spoken is not", mend)
    else:
        yield ok("config.srtp", "srtp", trunk.srtp)


def _caps(config: Config, trunk: Trunk) -> Iterator[Finding]:
    about = "destinations"
    if trunk.proxy is None:
        yield skipped("config.destinations", about, "there is no proxy to call through")
    elif trunk.destinations is None:
        mend = "List the prefixes that are called in destinations, as ['+91']: fraud goes to dear countries."
        yield warn("config.destinations", about, "none: any number in the world may be called", mend)
    elif {"+", "sip:*"} & set(trunk.destinations):
        mend = "Name countries and hosts in destinations instead of + and sip:*."
        yield warn("config.destinations", about, f"{', '.join(trunk.destinations)}: nearly anything", mend)
    else:
        yield ok("config.destinations", about, ", ".join(trunk.destinations) or "nothing may be called")
    about = "caps"
    lasting = trunk.call_s or config.limits.call_s
    seen = f"{trunk.max_calls} calls at once, {lasting:g} s each"
    if trunk.max_calls > config.limits.calls:
        mend = f"Lower max_calls, or raise limits.calls: the node takes {config.limits.calls}."
        yield warn("config.caps", about, f"max_calls {trunk.max_calls} cannot be reached", mend)
    elif trunk.calls_per_minute is None and trunk.proxy is not None:
        mend = "Set calls_per_minute to what a busy hour needs, below what the provider allows."
        yield warn("config.caps", about, f"{seen}, any number a minute", mend)
    else:
        minute = f", {trunk.calls_per_minute} placed a minute" if trunk.calls_per_minute else ""
        yield ok("config.caps", about, seen + minute)
