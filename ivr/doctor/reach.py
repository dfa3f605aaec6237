"""Whether a target of the proxy can be reached: TCP, TLS, OPTIONS. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from ivr.doctor.answers import to_options
from ivr.doctor.facts import Certificate, Connected, Distrust, Handshake, Refusal, Reply, Target
from ivr.doctor.findings import Finding, Level, fail, ok, printable, skipped, warn
from ivr.doctor.lookups import place_text

SOON_DAYS: Final = 21
"""A certificate that ends within so many days should have been renewed."""
SLOW_S: Final = 0.3
"""A round trip beyond this is heard: G.114 has people talk at ease up to 150 ms one way."""
_DAY: Final = 86_400.0
_WANTS_OURS: Final = ("certificate required", "handshake failure", "after the handshake")
"""What is heard where ours is missing; by TLS 1.3 it comes when the handshake is over, if it comes."""


def check(targets: Sequence[Target], now: float) -> list[Finding]:
    """All targets; `now` is in seconds since 1970."""
    return [finding for target in targets for finding in _target(target, now)]


def ours(seen: Certificate | str | None, now: float) -> list[Finding]:
    """Our own certificate, for those who call us by TLS; a text says why its files cannot be used."""
    about = "our certificate"
    if isinstance(seen, str):
        mend = "Correct the paths under sip.tls, and let the server's user read them."
        return [fail("tls.ours", about, seen, mend)]
    if seen is None:
        return [skipped("tls.ours", about, "it cannot be read here")]
    left = (seen.not_after - now) / _DAY
    words = f"{_names(seen)}, until {_day(seen.not_after)}"
    if left < 0:
        return [fail("tls.ours", about, f"{words}: it has expired", "Renew it: nobody takes it any more.")]
    if left < SOON_DAYS:
        mend = "Renew it in time; the server takes the new files without a restart."
        return [warn("tls.ours", about, f"{words}, {left:.0f} days from now", mend)]
    return [ok("tls.ours", about, f"{words}, {left:.0f} days from now")]


def _target(target: Target, now: float) -> Iterator[Finding]:
    where = place_text(target.place)
    if target.connected is not None:
        yield _connection(where, target.connected)
    if target.handshake is not None:
        yield from _handshake(where, target.handshake, now)
    yield _options(where, target)


def _connection(where: str, connected: Connected) -> Finding:
    code, about = "reach.connect", f"connection to {where}"
    match connected.refusal:
        case None:
            return ok(code, about, f"in {connected.took_s * 1000:.0f} ms")
        case Refusal.REFUSED:
            mend = "Check port and transport in proxy: the host is up, and nothing listens there."
        case Refusal.SILENT:
            mend = "Let TCP to it out through the firewall, and ask the provider to allow our address."
        case Refusal.UNREACHABLE:
            mend = "Check this machine's routes, and that the address is of an IP version that it has."
        case _:
            mend = "Check sip.listen and the network of this machine."
    return fail(code, about, printable(connected.error), mend)


def _handshake(where: str, seen: Handshake, now: float) -> Iterator[Finding]:
    about = f"TLS at {where}"
    if seen.distrust is not None:
        yield _distrusted(about, seen, now)
        return
    if seen.error:
        mend = "Check that the port is one for TLS (5061; 443 at Exotel), and that our address is allowed."
        if any(words in seen.error for words in _WANTS_OURS):
            mend = "Ask the provider whether it wants a certificate of ours: set tls.certificate and tls.key."
        yield fail("tls.handshake", about, printable(seen.error), mend)
        return
    shown = f"{seen.protocol}, {seen.cipher}"
    yield ok("tls.handshake", about, shown)
    certificate = seen.certificate
    if certificate is None:
        return
    left = (certificate.not_after - now) / _DAY
    words = f"{_names(certificate)}, by {printable(certificate.issuer)}, until {_day(certificate.not_after)}"
    about = f"certificate of {where}"
    if left < SOON_DAYS:
        mend = "Ask the provider to renew it in time: when it has expired no call goes through."
        yield warn("tls.expires", about, f"{words}, {left:.0f} days from now", mend)
    else:
        yield ok("tls.certificate", about, f"{words}, {left:.0f} days from now")


def _distrusted(about: str, seen: Handshake, now: float) -> Finding:
    certificate = seen.certificate
    names = "" if certificate is None else _names(certificate)
    match seen.distrust:
        case Distrust.EXPIRED:
            ended = "" if certificate is None else f" since {_day(certificate.not_after)}"
            words = f"its certificate has expired{ended} (our clock: {_day(now)})"
            mend = "Ask the provider to renew its certificate, if this machine's clock is right."
            return fail("tls.expired", about, words, mend)
        case Distrust.NOT_YET_VALID:
            starts = "" if certificate is None else f" before {_day(certificate.not_before)}"
            words = f"its certificate is not valid{starts} (our clock: {_day(now)})"
            return fail("tls.not-yet-valid", about, words, "Set this machine's clock, which is behind.")
        case Distrust.WRONG_NAME:
            words = f"its certificate is for {names or 'another name'}, not for {printable(seen.expected)}"
            mend = "Write the proxy by a name that is in the certificate, or set tls.server_name to one."
            return fail("tls.wrong-name", about, words, mend)
        case Distrust.SELF_SIGNED:
            words = f"its certificate ({names}) is signed by itself"
            mend = "Get that certificate from the provider by a safe way, and name its file in tls.ca."
            return fail("tls.self-signed", about, words, mend)
        case Distrust.UNKNOWN_AUTHORITY:
            by = "" if certificate is None else f" by {printable(certificate.issuer)}"
            words = f"its certificate ({names}) is signed{by}, whom nothing here trusts"
            mend = "Name the provider's authority (PEM) in tls.ca, or ask it to send the whole chain."
            return fail("tls.unknown-authority", about, words, mend)
        case _:
            mend = "Ask the provider to mend its certificate."
            return fail("tls.certificate", about, printable(seen.error), mend)


def _names(certificate: Certificate) -> str:
    shown = ", ".join(printable(name) for name in certificate.names[:4])
    return shown if len(certificate.names) <= 4 else f"{shown} and {len(certificate.names) - 4} more"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _options(where: str, target: Target) -> Finding:
    about = f"OPTIONS to {where}"
    if target.reply is not None:
        return _replied(about, target.reply)
    if target.silent is None:
        return skipped("options.answer", about, "there is no connection to send it on")
    if target.transport == "UDP":
        mend = (
            "Check that the provider takes UDP on this port and allows our address, and that no firewall "
            "stops it on its way out or back."
        )
    else:
        mend = "Ask the provider to allow our address: it takes the connection, and says nothing on it."
    return fail("options.silent", about, printable(target.silent), mend)


def _replied(about: str, reply: Reply) -> Finding:
    meaning = to_options(reply.status)
    seen = f"{reply.status} {printable(reply.reason)} in {reply.took_s * 1000:.0f} ms: {meaning.words}"
    if reply.server:
        seen += f"; {printable(reply.server)}"
    if reply.allow:
        seen += f"; allows {printable(', '.join(reply.allow))}"
    if reply.supported:
        seen += f"; supports {printable(', '.join(reply.supported))}"
    code = f"options.{reply.status}" if meaning.mend else "options.answer"
    if meaning.level is Level.OK and reply.took_s > SLOW_S:
        mend = "Use an edge of the provider that is nearer, or find what delays packets on the way."
        return warn("options.slow", about, seen, mend)
    return Finding(code, meaning.level, about, seen, meaning.mend)
