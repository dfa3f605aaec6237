"""What the probes saw, without judgement. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from sip.hop import Address, Transport
from sip.locate import Place, Query, Record


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to DNS. `records` is None where nobody answered; `ttl_s` is None for what did not come
    from a name server (/etc/hosts)."""

    query: Query
    records: tuple[Record, ...] | None
    ttl_s: float | None
    took_s: float


@dataclass(frozen=True, slots=True)
class Search:
    """Where a SIP URI leads: the questions, and the places in the order in which they are tried. `why` says
    why there are none."""

    host: str
    asked: tuple[Asked, ...] = ()
    places: tuple[Place, ...] = ()
    why: str = ""


class Refusal(Enum):
    """Why a connection could not be made."""

    REFUSED = auto()
    SILENT = auto()
    UNREACHABLE = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Connected:
    """A TCP connection, or why there is none (`error`, in the system's words)."""

    took_s: float = 0.0
    refusal: Refusal | None = None
    error: str = ""


class Distrust(Enum):
    """Why a certificate is not accepted."""

    EXPIRED = auto()
    NOT_YET_VALID = auto()
    WRONG_NAME = auto()
    UNKNOWN_AUTHORITY = auto()
    SELF_SIGNED = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Certificate:
    """Times are seconds since 1970."""

    names: tuple[str, ...]
    issuer: str
    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True)
class Handshake:
    """A TLS handshake. `distrust` and `error` are why it failed, where it did; a certificate may have been
    seen all the same."""

    expected: str
    protocol: str = ""
    cipher: str = ""
    certificate: Certificate | None = None
    distrust: Distrust | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response to a request of ours, as far as it matters here; `date` is its Date header in seconds since
    1970, less our own clock's time when it came."""

    status: int
    reason: str
    took_s: float
    server: str = ""
    allow: tuple[str, ...] = ()
    supported: tuple[str, ...] = ()
    ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Who we are for the far end (RFC 3581), as its answer says."""

    received: str | None
    rport: int | None


@dataclass(frozen=True, slots=True)
class Target:
    """One place of the proxy. What is None was not tried."""

    place: Place
    connected: Connected | None = None
    handshake: Handshake | None = None
    reply: Reply | None = None
    silent: str | None = None
    """Why there is no reply to OPTIONS, where one was asked for."""
    told: Address | None = None
    """Who we say that we are, in Via, Contact and SDP."""
    seen: Seen | None = None

    @property
    def transport(self) -> Transport:
        return self.place.transport


class Registered(Enum):
    """How the question to the registrar ended."""

    KNOWN = auto()
    NOT_KNOWN = auto()
    PASSWORD_REFUSED = auto()
    NO_CREDENTIALS = auto()
    UNANSWERABLE = auto()
    REFUSED = auto()
    SILENT = auto()


@dataclass(frozen=True, slots=True)
class RegistrarSaid:
    """The registrar's answer to the question which contacts it has. `longest_s` is how long the longest of
    them holds."""

    outcome: Registered
    status: int = 0
    why: str = ""
    contacts: int = 0
    longest_s: float | None = None
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """A server with this configuration on this machine: `held` are its listening addresses that some process
    has bound. `state` is what its API says of the trunk, None where it was not asked or did not answer
    (`why`)."""

    held: tuple[str, ...] = ()
    pid: int | None = None
    answers: bool = False
    why: str = ""
    up: bool | None = None
    reason: str = ""
    registered: bool | None = None
    seen_as: str | None = None
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine gives. `bound` says whether the media address can be bound ("" or the error), `taken`
    are the UDP ports that are in use, `ephemeral` is where the system takes ports for others from, `files` is
    the limit of open files, and `files_of` says whose, `buffer_bytes` is what a UDP socket got for what waits
    to be read."""

    media_host: str = ""
    bound: str = ""
    taken: frozenset[int] = frozenset()
    ephemeral: tuple[int, int] | None = None
    lowest_port: int = 1024
    files: int | None = None
    files_of: Literal["server", "shell"] = "shell"
    buffer_bytes: int | None = None
    synchronised: bool | None = None
