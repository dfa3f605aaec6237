"""What the status of an answer means for a trunk, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ivr.doctor.findings import Level


class Meaning(NamedTuple):
    level: Level
    words: str
    mend: str = ""


_ALIVE: Final = Meaning(Level.OK, "it is there, and answers")

_TO_OPTIONS: Final[Mapping[int, Meaning]] = {
    400: Meaning(
        Level.WARN,
        "it could not read our request",
        "Switch off the SIP ALG of the router, which often is why; else ask the provider what it misses.",
    ),
    401: Meaning(Level.OK, "it is there, and asks even probes for a password"),
    403: Meaning(
        Level.FAIL,
        "it knows of us, and refuses us",
        "Ask the provider to put the address that we come from into its allow-list.",
    ),
    404: Meaning(Level.OK, "it is there, and knows nobody of that name; calls name a number"),
    405: Meaning(Level.OK, "it is there, and takes no OPTIONS"),
    407: Meaning(Level.OK, "it is there, and asks even probes for a password"),
    408: Meaning(
        Level.FAIL,
        "a proxy is there, and nobody behind it",
        "Tell the provider: its proxy answers, but what is behind it does not.",
    ),
    480: Meaning(Level.OK, "it is there; nobody is at the address that was asked"),
    481: Meaning(Level.OK, "it is there, and takes OPTIONS only within calls"),
    483: Meaning(
        Level.FAIL,
        "the request went in a circle",
        "Check that proxy is the provider's address, and not one of ours.",
    ),
    488: Meaning(Level.OK, "it is there"),
    500: Meaning(Level.WARN, "it has a fault of its own", "Tell the provider, if calls fail too."),
    501: Meaning(Level.OK, "it is there, and takes no OPTIONS"),
    503: Meaning(
        Level.FAIL,
        "it takes no calls now",
        "Try again; if it stays so, ask the provider whether the trunk is active, and on this edge.",
    ),
}


def to_options(status: int) -> Meaning:
    """Of a final response to an OPTIONS outside calls."""
    found = _TO_OPTIONS.get(status)
    if found is not None:
        return found
    if status < 300:
        return _ALIVE
    if status < 400:
        return Meaning(
            Level.WARN,
            "it sends us elsewhere, and redirections are not followed",
            "Ask the provider for the address that takes the calls itself.",
        )
    if status < 500 or status >= 600:
        return Meaning(Level.OK, "it is there")
    return Meaning(Level.WARN, "it has a fault", "Tell the provider, if calls fail too.")


_TO_REGISTER: Final[Mapping[int, str]] = {
    403: "Check user and password, and whether the provider knows the address that we come from.",
    404: "Check registration.user: the registrar knows nobody of that name.",
    405: "Remove registration: this server takes none, calls from its addresses need only allow.",
    416: "Write registration.registrar as sip:HOST.",
    423: "Raise registration.expires_s.",
    439: "Ask the provider for a registrar without outbound (RFC 5626).",
    503: "Try again; if it stays so, ask the provider whether the account is active.",
}


def to_register(status: int) -> str:
    """What to mend after a refusal of a REGISTER."""
    if status in _TO_REGISTER:
        return _TO_REGISTER[status]
    if 300 <= status < 400:
        return "Set registration.registrar to the address that takes the registrations itself."
    if status >= 500:
        return "Tell the provider, if it stays so: the fault is at the registrar."
    return "Ask the provider why the registrar refuses; check registration.user and credentials."
