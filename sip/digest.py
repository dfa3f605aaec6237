"""Digest authentication (RFC 7616, RFC 8760), both sides: challenges, and the answers to them.

Only pure functions. As a client, the caller keeps the nonce count, makes the client nonce, and decides whom
to answer; as a server, it makes the nonces and knows which it will take (`sip.challenge`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from sip.params import quote, unquote


class DigestError(ValueError):
    """The challenge cannot be read or answered; the text says why."""


class Algorithm(Enum):
    """The hash functions that we answer with, named as in a challenge."""

    MD5 = "MD5"
    MD5_SESS = "MD5-sess"
    SHA_256 = "SHA-256"
    SHA_256_SESS = "SHA-256-sess"

    @property
    def session(self) -> bool:
        return self in (Algorithm.MD5_SESS, Algorithm.SHA_256_SESS)

    def hash(self, data: bytes) -> str:
        """Lower-case hexadecimal digest."""
        if self in (Algorithm.MD5, Algorithm.MD5_SESS):
            return hashlib.md5(data, usedforsecurity=False).hexdigest()
        return hashlib.sha256(data).hexdigest()


_ALGORITHMS: Final = {algorithm.value.lower(): algorithm for algorithm in Algorithm}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One `WWW-Authenticate` or `Proxy-Authenticate` value.

    `auth` says that the server wants (or allows) qop `auth`; without it the old form of RFC 2069 is used.
    """

    realm: str
    nonce: str
    algorithm: Algorithm = Algorithm.MD5
    auth: bool = False
    opaque: str | None = None
    stale: bool = False
    stated_algorithm: str | None = None
    """The algorithm as the server spells it; it is repeated in the answer."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password; with a `realm`, only challenges of that realm are answered with them."""

    username: str
    password: str = field(repr=False)
    realm: str | None = None


_FIELD: Final = re.compile(
    r'[\s,]*([A-Za-z][A-Za-z0-9\-]*)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)\s*(?:,|\Z)', re.DOTALL
)
_HEX: Final = re.compile(r"[0-9A-Fa-f]{32,64}")
_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
_REST: Final = re.compile(r"[\s,]*\Z")


def parse_challenge(header: str) -> Challenge:
    """Reads one challenge; raises `DigestError`, also for one we cannot answer (auth-int, other hashes)."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        raise DigestError(f"not a Digest challenge: {scheme[:40]!r}")
    if any(char < " " and char != "\t" for char in rest):
        raise DigestError("the challenge holds control characters")
    fields = _fields(rest)
    if "realm" not in fields or "nonce" not in fields:
        raise DigestError("the challenge has no realm or no nonce")
    stated = fields.get("algorithm")
    algorithm = _ALGORITHMS.get((stated or "MD5").lower())
    if algorithm is None:
        raise DigestError(f"the algorithm {stated!r} is not supported")
    offered = {word.strip().lower() for word in fields.get("qop", "").split(",")} - {""}
    if offered and "auth" not in offered:
        raise DigestError(f"the quality of protection {fields['qop']!r} is not supported, only auth")
    return Challenge(
        fields["realm"],
        fields["nonce"],
        algorithm,
        bool(offered),
        fields.get("opaque"),
        fields.get("stale", "").lower() == "true",
        stated,
    )


def choose_challenge(headers: Iterable[str], realm: str | None = None) -> Challenge:
    """The first challenge that we can answer (RFC 8760 2.4: the server lists its favourite first).

    With a `realm`, only that realm is answered. Raises `DigestError` that says why none can be used.
    """
    reasons: list[str] = []
    for header in headers:
        try:
            challenge = parse_challenge(header)
        except DigestError as error:
            reasons.append(str(error))
            continue
        if realm is None or challenge.realm == realm:
            return challenge
        reasons.append(f"the realm is {challenge.realm!r}, not {realm!r}")
    raise DigestError("; ".join(reasons) or "there is no challenge")


@dataclass(frozen=True, slots=True)
class Answer:
    """One `Authorization` value that was received. `count` is 0 where it has no qop (RFC 2069)."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: Algorithm
    count: int
    cnonce: str

    def proves(self, password: str, method: str) -> bool:
        """Whether it was made with the password, for a request of that method."""
        challenge = Challenge(self.realm, self.nonce, self.algorithm, self.count > 0)
        credentials = Credentials(self.username, password)
        right = _response(challenge, credentials, method, self.uri, f"{self.count:08x}", self.cnonce)
        return hmac.compare_digest(right, self.response.lower())


def parse_answer(header: str) -> Answer:
    """Reads one `Authorization` value; raises `DigestError`, also for what no challenge of ours asked for
    (auth-int, other hashes)."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        raise DigestError(f"not a Digest answer: {scheme[:40]!r}")
    fields = _fields(rest)
    missing = [name for name in ("username", "realm", "nonce", "uri", "response") if name not in fields]
    if missing:
        raise DigestError(f"the answer has no {missing[0]}")
    algorithm = _ALGORITHMS.get(fields.get("algorithm", "MD5").lower())
    if algorithm is None or algorithm.session:
        raise DigestError(f"the algorithm {fields['algorithm'][:40]!r} was not offered")
    if not _HEX.fullmatch(fields["response"]):
        raise DigestError("the response is not hexadecimal")
    count = 0
    if "qop" in fields:
        if fields["qop"].lower() != "auth" or not _COUNT.fullmatch(fields.get("nc", "")):
            raise DigestError("only the quality of protection auth was offered, with a nonce count")
        count = int(fields["nc"], 16)
        if count == 0 or "cnonce" not in fields:
            raise DigestError("the answer has no nonce count or no client nonce")
    return Answer(
        fields["username"],
        fields["realm"],
        fields["nonce"],
        fields["uri"],
        fields["response"],
        algorithm,
        count,
        fields.get("cnonce", ""),
    )


def authorize(
    challenge: Challenge, credentials: Credentials, method: str, uri: str, *, nc: int = 1, cnonce: str = ""
) -> str:
    """The value of `Authorization` or `Proxy-Authorization` (RFC 7616 section 3.4).

    `uri` is the Request-URI as sent; `nc` counts the requests sent with this nonce, from 1; `cnonce` is
    random text, needed with qop and with the -sess algorithms.
    """
    if not cnonce and (challenge.auth or challenge.algorithm.session):
        raise ValueError("a client nonce is needed")
    count = f"{nc:08x}"
    fields = [
        f"username={quote(credentials.username)}",
        f"realm={quote(challenge.realm)}",
        f"nonce={quote(challenge.nonce)}",
        f"uri={quote(uri)}",
        f'response="{_response(challenge, credentials, method, uri, count, cnonce)}"',
    ]
    if challenge.stated_algorithm is not None:
        fields.append(f"algorithm={challenge.algorithm.value}")
    if challenge.auth:
        fields += ["qop=auth", f"nc={count}"]
    if challenge.auth or challenge.algorithm.session:
        fields.append(f"cnonce={quote(cnonce)}")
    if challenge.opaque is not None:
        fields.append(f"opaque={quote(challenge.opaque)}")
    return "Digest " + ", ".join(fields)


def _response(
    challenge: Challenge, credentials: Credentials, method: str, uri: str, count: str, cnonce: str
) -> str:
    def h(*parts: str) -> str:
        return challenge.algorithm.hash(":".join(parts).encode("utf-8", "surrogateescape"))

    ha1 = h(credentials.username, challenge.realm, credentials.password)
    if challenge.algorithm.session:
        ha1 = h(ha1, challenge.nonce, cnonce)
    ha2 = h(method, uri)
    if challenge.auth:
        return h(ha1, challenge.nonce, count, cnonce, "auth", ha2)
    return h(ha1, challenge.nonce, ha2)


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    at = 0
    while match := _FIELD.match(text, at):
        name, value = match[1].lower(), match[2]
        fields.setdefault(name, unquote(value) if value[:1] == '"' else value)
        at = match.end()
    if not _REST.match(text, at):
        raise DigestError(f"malformed challenge at {text[at : at + 40]!r}")
    return fields
