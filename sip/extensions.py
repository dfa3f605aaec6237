"""Which methods and extensions we speak, and which a message asks for (RFC 3261 8.2.2.3, 19.2). Pure."""

from __future__ import annotations

from typing import Final

from sip.message import Request, Response
from sip.refusal import Refused
from sip.trunks import Trunk

METHODS: Final = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "INFO",
    "NOTIFY",
    "PRACK",
    "UPDATE",
    "REFER",
)
ALLOW: Final = ", ".join(METHODS)
"""The value of our Allow header."""

REL100: Final = "100rel"
TIMER: Final = "timer"
REPLACES: Final = "replaces"
EARLY_END: Final = "199"
"""RFC 6228: we understand that one fork of a call ended."""


_KNOWN: Final = frozenset((REL100, TIMER, REPLACES, EARLY_END))


def tags(trunk: Trunk) -> tuple[str, ...]:
    """The option tags of what we do on that trunk."""
    reliable = () if trunk.rel100 == "off" else (REL100,)
    timer = (TIMER,) if trunk.session_expires_s else ()
    return (*reliable, *timer, REPLACES, EARLY_END)


def supported(trunk: Trunk) -> str:
    """The value of our Supported header on that trunk."""
    return ", ".join(tags(trunk))


def unknown(request: Request) -> list[str]:
    """What the request requires and nobody here knows: answer it with 420, naming these."""
    return [tag for tag in request.headers.get_all("Require") if tag.lower() not in _KNOWN]


def demand(invite: Request, trunk: Trunk) -> None:
    """Raises `Refused` where an INVITE requires what its trunk switched off, or cannot do what that wants."""
    ours = tags(trunk)
    off = [tag for tag in invite.headers.get_all("Require") if tag.lower() not in ours]
    if off:
        raise Refused("an extension that is off", 420, (("Unsupported", ", ".join(off)),))
    if trunk.rel100 == "required" and not supports(invite, REL100):
        raise Refused("reliable provisional responses are required", 421, (("Require", REL100),))


def requires(message: Request | Response, tag: str) -> bool:
    return _names(message, "Require", tag)


def supports(message: Request | Response, tag: str) -> bool:
    """Whether the sender can do that; who requires it can, too."""
    return _names(message, "Supported", tag) or _names(message, "Require", tag)


def allows(message: Request | Response, method: str) -> bool:
    """Whether the sender says that it takes requests of that method."""
    return any(name.upper() == method for name in message.headers.get_all("Allow"))


def _names(message: Request | Response, header: str, tag: str) -> bool:
    return any(value.lower() == tag for value in message.headers.get_all(header))
