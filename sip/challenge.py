"""Digest challenges for peers without a fixed address (RFC 3261 22, RFC 8760). Pure.

A nonce carries its time and a MAC over it and the source, so that a challenge keeps no state. What is kept is
the nonce count of those that were answered well, to take no answer twice.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from sip.digest import Answer, DigestError, parse_answer
from sip.message import Request
from sip.params import quote
from sip.uri import Uri, UriError

FRESH_S: Final = 60.0
"""How long a nonce may be answered."""
_NONCES: Final = 4096
_TEXT: Final = ("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class User:
    """A peer that proves who it is, and the trunk that it belongs to."""

    trunk: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proved:
    """The request is that user's."""

    user: str
    trunk: str


class Doubt(Enum):
    """Why a request proves nothing."""

    STRANGER = auto()
    """It names no user of ours: it gets no answer."""
    UNPROVED = auto()
    """It names a user, but gives no password: it is to be challenged."""
    STALE = auto()
    """The password is right, the nonce too old or used before: a new challenge, which a phone answers by
    itself."""
    WRONG = auto()
    """The password is wrong, or the answer makes no sense."""


class Challenger:
    """Makes challenges, and judges the answers to them."""

    def __init__(self, users: Mapping[str, User], realm: str, secret: bytes) -> None:
        """`secret` is random, and known to nobody else; users by name."""
        self._users: Final = dict(users)
        self._realm: Final = realm
        self._secret: Final = secret
        self._made = 0
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def challenges(self, host: str, now: float, *, stale: bool = False) -> list[str]:
        """The values of WWW-Authenticate for a source, the better algorithm first (RFC 8760 2.4)."""
        self._made += 1
        nonce = self._nonce(f"{int(now * 1000):x}.{self._made:x}", host)
        end = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{end}'
            for algorithm in ("SHA-256", "MD5")
        ]

    def tag(self, request: Request) -> str:
        """A To tag that is the same for every repetition of a request (RFC 3261 8.2.7)."""
        text = f"{request.call_id}\0{request.cseq.number}\0{request.from_.tag}"
        return self._mac(f"tag {text}")[:12]

    def judge(self, request: Request, host: str, now: float) -> Proved | Doubt:
        """Who a request from an unknown source is."""
        values = request.headers.get_all("Authorization")
        if not values:
            return Doubt.UNPROVED if self._named(request) else Doubt.STRANGER
        answers = [answer for value in values if (answer := _answer(value)) is not None]
        ours = [answer for answer in answers if answer.realm == self._realm]
        if not ours:
            if not self._named(request):
                return Doubt.STRANGER
            return Doubt.UNPROVED if len(answers) == len(values) else Doubt.WRONG
        answer = ours[0]
        user = self._users.get(answer.username)
        if user is None:
            return Doubt.WRONG if self._named(request) else Doubt.STRANGER
        if not _same_uri(answer.uri, request.uri) or not answer.proves(user.password, request.method):
            return Doubt.WRONG
        if not self._fresh(answer, host, now):
            return Doubt.STALE
        return Proved(answer.username, user.trunk)

    def _named(self, request: Request) -> bool:
        contact = request.contact
        return request.from_.uri.user in self._users or (
            contact is not None and contact.uri.user in self._users
        )

    def _fresh(self, answer: Answer, host: str, now: float) -> bool:
        """Whether the nonce is ours, for that source, young, and the count higher than before."""
        stamp, _, _ = answer.nonce.rpartition(".")
        given, made = answer.nonce.encode(*_TEXT), self._nonce(stamp, host).encode(*_TEXT)
        if not hmac.compare_digest(given, made):
            return False
        made_at = int(stamp.partition(".")[0], 16) / 1000
        if now - made_at > FRESH_S:
            return False
        while self._counts and next(iter(self._counts.values()))[1] < now - FRESH_S:
            self._counts.popitem(last=False)
        seen = self._counts.get(answer.nonce)
        count = max(answer.count, 1)
        if (seen is not None and count <= seen[0]) or (seen is None and len(self._counts) >= _NONCES):
            return False
        self._counts[answer.nonce] = (count, made_at if seen is None else seen[1])
        return True

    def _nonce(self, stamp: str, host: str) -> str:
        return f"{stamp}.{self._mac(f'nonce {stamp} {host}')[:32]}"

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(*_TEXT), "sha256").hexdigest()


def _answer(value: str) -> Answer | None:
    try:
        return parse_answer(value)
    except DigestError:
        return None


def _same_uri(text: str, uri: Uri) -> bool:
    """Whether the answer was made for the Request-URI; a proxy may have changed its port and parameters."""
    try:
        stated = Uri.parse(text)
    except UriError:
        return False
    return (stated.user, stated.host.lower()) == (uri.user, uri.host.lower())
