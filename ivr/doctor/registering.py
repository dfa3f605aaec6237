"""What the registrar says. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.config import Trunk
from ivr.doctor.answers import to_register
from ivr.doctor.facts import Registered, RegistrarSaid, ServerSeen
from ivr.doctor.findings import Finding, fail, ok, printable, skipped, warn

_ABOUT = "registration"


def check(trunk: Trunk, said: RegistrarSaid | None, server: ServerSeen) -> list[Finding]:
    """`said` is None where there is no registration, or nobody to ask."""
    return list(_findings(trunk, said, server))


def _findings(trunk: Trunk, said: RegistrarSaid | None, server: ServerSeen) -> Iterator[Finding]:
    if trunk.registration is None:
        yield skipped("register.answer", _ABOUT, "this trunk has none")
        return
    if said is None:
        yield skipped("register.answer", _ABOUT, "there is no registrar to ask")
        return
    match said.outcome:
        case Registered.KNOWN:
            held = "" if said.longest_s is None else f", for {said.longest_s:.0f} s more"
            seen = f"the password is accepted; {said.contacts} registered under the name{held}"
            yield ok("register.answer", _ABOUT, seen)
        case Registered.NOT_KNOWN if server.answers or server.held:
            mend = "Look into the server's log for why it is not registered: calls to us go nowhere."
            yield fail("register.missing", _ABOUT, "the password is accepted, but nobody is registered", mend)
        case Registered.NOT_KNOWN:
            seen = "the password is accepted; nobody is registered, as the server is not running"
            yield ok("register.answer", _ABOUT, seen)
        case Registered.PASSWORD_REFUSED:
            mend = "Check credentials.username and password, and that the account is not locked."
            yield fail("register.password", _ABOUT, "the password is refused", mend)
        case Registered.NO_CREDENTIALS:
            mend = "Set credentials (username, password), as the provider gave them."
            yield fail("register.no-credentials", _ABOUT, "a password is asked for, and there is none", mend)
        case Registered.UNANSWERABLE:
            mend = "Correct credentials.realm, or ask the provider for MD5 or SHA-256 digests with qop auth."
            yield fail("register.challenge", _ABOUT, printable(said.why), mend)
        case Registered.REFUSED:
            seen = f"the registrar answers {said.status} {printable(said.why)}".rstrip()
            yield fail("register.refused", _ABOUT, seen, to_register(said.status))
        case Registered.SILENT:
            mend = "Check registration.registrar, and that the firewall lets us reach it."
            yield fail("register.silent", _ABOUT, printable(said.why), mend)
    if server.answers and server.registered is False:
        mend = "Look at the reason, and into the server's log."
        yield warn("register.server", "the server's own", f"not registered: {printable(server.reason)}", mend)
