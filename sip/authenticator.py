"""Whom we prove ourselves to: the trunk that a call goes over, in its realm, and nobody else."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Final

from sip.digest import Credentials, DigestError, authorize, choose_challenge
from sip.hop import Hop
from sip.message import Request, Response

log = logging.getLogger(__name__)

_STALE: Final = 2
"""Stale nonces in a row, after which a server makes no sense."""
_HEADERS: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


class Authenticator:
    """The credentials of one call, and how often each nonce was used."""

    def __init__(self, credentials: Credentials | None, trunk_at: Callable[[str], bool]) -> None:
        """`trunk_at` tells whether an IP address is the trunk's."""
        self._credentials: Final = credentials
        self._trunk_at: Final = trunk_at
        self._counts: dict[str, int] = {}
        self._stale = 0

    def answer(self, response: Response, request: Request, hop: Hop) -> tuple[str, str] | None:
        """The header field that answers a challenge to our request; None when it is not to be answered.

        A challenge to a request that had an answer already means a wrong password, unless the nonce is stale;
        one that is stale again and again is given up. Why nothing was answered is logged.
        """
        names = _HEADERS.get(response.status)
        if names is None or self._credentials is None or not self._trunk_at(hop.remote.host):
            return None
        challenge_header, proof_header = names
        try:
            values = response.headers.get_all(challenge_header)
            challenge = choose_challenge(values, self._credentials.realm)
        except DigestError as error:
            log.warning("%s cannot be proven to %s: %s", request.method, hop.remote.host, error)
            return None
        if proof_header not in request.headers:
            self._stale = 0
        elif not challenge.stale or self._stale >= _STALE:
            log.warning("the password for %s is not accepted", hop.remote.host)
            return None
        else:
            self._stale += 1
        count = self._counts[challenge.nonce] = self._counts.get(challenge.nonce, 0) + 1
        value = authorize(
            challenge,
            self._credentials,
            request.method,
            str(request.uri),
            nc=count,
            cnonce=secrets.token_hex(8),
        )
        return proof_header, value


def why_unanswered(response: Response, credentials: Credentials | None) -> str:
    """Why a challenge is not answered, in words; empty where it could be, but for who sent it."""
    challenge_header, _ = _HEADERS[response.status]
    if credentials is None:
        return "a password is asked for, and there are no credentials"
    try:
        choose_challenge(response.headers.get_all(challenge_header), credentials.realm)
    except DigestError as error:
        return f"the challenge cannot be answered: {error}"
    return ""


def carried(request: Request, proof: tuple[str, str]) -> list[tuple[str, str]]:
    """The header fields of a request that its repetition with `proof` has too."""
    return [(n, v) for n, v in request.headers if n not in _MADE_ANEW and n != proof[0]] + [proof]


def credentials_of(request: Request) -> list[tuple[str, str]]:
    """The answers to challenges in a request; the ACK of its 2xx repeats them (RFC 3261 13.2.2.4)."""
    return [(n, v) for n, v in request.headers if n in ("Authorization", "Proxy-Authorization")]


_MADE_ANEW: Final = frozenset(
    [
        "Via",
        "Max-Forwards",
        "Route",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "User-Agent",
        "Content-Length",
    ]
)
