"""A REFER that came to us (RFC 3515): what it asks for, whether the trunk allows that, and the NOTIFYs that
tell how it went. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from sip.message import ParseError, Request
from sip.reasons import REASONS
from sip.replaces import Replaces, ReplacesError
from sip.tolls import names_host, prefixes_in
from sip.trunks import Trunk, canonical, without_separators
from sip.uri import MAX_URI, NameAddr, Uri, UriError

_NUMBER: Final = re.compile(r"\+[0-9]{3,15}|[0-9*#]{1,20}")
_MAX_REFERRED_BY: Final = 1024


class ReferError(ValueError):
    """The REFER cannot be followed; `status` is the answer, the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Referral:
    """What a REFER asks for: a call to `target`, which has neither headers nor a method any more.

    `replaces` is the call of the target that ours is to take the place of (attended transfer). `referred_by`
    is who asks (RFC 3892), as it stands in the header. Without `notified` the far end wants no news
    (RFC 4488). `number` is the CSeq of the REFER, the id of its subscription.
    """

    target: Uri
    replaces: Replaces | None
    referred_by: str | None
    notified: bool
    number: int

    @classmethod
    def asked(cls, request: Request) -> Referral:
        """Reads a REFER; raises `ReferError`."""
        values = [value for name, value in request.headers if name == "Refer-To"]
        if len(values) != 1:
            raise ReferError(400, "one Refer-To is needed")
        try:
            uri = NameAddr.parse(values[0]).uri
        except UriError as error:
            raise ReferError(400, f"Refer-To: {error}") from error
        if len(str(uri)) > MAX_URI:
            raise ReferError(400, "Refer-To: the URI is too long, as it would be called")
        if uri.scheme not in ("sip", "tel"):
            raise ReferError(416, f"{uri.scheme[:20]}: addresses are not called from here")
        if (uri.param("method") or "INVITE").upper() != "INVITE":
            raise ReferError(603, "only a call can be asked for")
        # Of the headers that the URI asks for, Replaces alone is honoured (RFC 3261 19.1.5).
        wanted = [value for name, value in uri.headers if name.lower() == "replaces"]
        if len(wanted) > 1:
            raise ReferError(400, "more than one Replaces")
        try:
            replaces = Replaces.parse(wanted[0]) if wanted else None
        except ReplacesError as error:
            raise ReferError(400, f"Replaces: {error}") from error
        params = tuple((name, value) for name, value in uri.params if name.lower() != "method")
        return cls(
            target=replace(uri, params=params, headers=()),
            replaces=replaces,
            referred_by=_referred_by(request),
            notified=(request.headers.get("Refer-Sub") or "").strip().lower() != "false",
            number=request.cseq.number,
        )

    def destination(self, trunk: Trunk) -> str | None:
        """What is to be called over the trunk: a SIP URI at a host that its `refer_to` names, or a number
        that begins with one of the prefixes there, whatever host it came with. None: not allowed."""
        if self.target.scheme == "sip" and names_host(trunk.refer_to, self.target.host):
            return str(self.target)
        user = (self.target.user or "").partition(";")[0]
        number = canonical(without_separators(user), trunk)
        if _NUMBER.fullmatch(number) and number.startswith(prefixes_in(trunk.refer_to)):
            return number
        return None

    def headers(self) -> dict[str, str]:
        """What the INVITE to the target carries."""
        headers = {} if self.referred_by is None else {"Referred-By": self.referred_by}
        return headers if self.replaces is None else {**headers, "Replaces": str(self.replaces)}


@dataclass(frozen=True, slots=True)
class Notice:
    """A NOTIFY to send."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


class _State(Enum):
    IDLE = auto()
    """All is told that happened."""
    TELLING = auto()
    """A NOTIFY has no answer yet; the next waits, lest it overtake this one."""
    OVER = auto()


class Subscription:
    """The far end's subscription to the call that it asked for (RFC 3515 2.4): what to send when.

    `tell` and `answered` give the NOTIFY to send now, if any. `now` is monotonic seconds.
    """

    def __init__(self, number: int, expires_s: float, now: float) -> None:
        """`number` is the CSeq of the REFER."""
        self._number: Final = number
        self._ends: Final = now + expires_s
        self._state = _State.IDLE
        self._told = 0
        self._next: int | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will be sent, and all that was is answered."""
        return self._state is _State.OVER

    def tell(self, status: int, now: float) -> Notice | None:
        """The call has come so far: 100 trying, 180 ringing, then its final status, once."""
        latest = self._told if self._next is None else self._next
        if self._state is _State.OVER or latest >= 200 or status <= latest:
            return None
        if self._state is _State.TELLING:
            self._next = status
            return None
        return self._notice(status, now)

    def answered(self, status: int, now: float) -> Notice | None:
        """The NOTIFY has its final response; one that is refused ends the subscription (RFC 6665 4.2.2)."""
        if self._state is not _State.TELLING:
            return None
        if status >= 300 or (self._told >= 200 and self._next is None):
            self._state, self._next = _State.OVER, None
            return None
        self._state = _State.IDLE
        following, self._next = self._next, None
        return None if following is None else self._notice(following, now)

    def end(self) -> None:
        """The dialog is over."""
        self._state, self._next = _State.OVER, None

    def _notice(self, status: int, now: float) -> Notice:
        self._told, self._state = status, _State.TELLING
        left = max(1, round(self._ends - now))
        final = status >= 200
        headers = (
            ("Event", f"refer;id={self._number}"),
            ("Subscription-State", "terminated;reason=noresource" if final else f"active;expires={left}"),
            ("Content-Type", "message/sipfrag;version=2.0"),
        )
        return Notice(headers, f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode())


def _referred_by(request: Request) -> str | None:
    """Passed on as it came, if it is an address at all."""
    values = [value for name, value in request.headers if name == "Referred-By"]
    if len(values) != 1 or len(values[0]) > _MAX_REFERRED_BY:
        return None
    try:
        return str(NameAddr.parse(values[0]))
    except (UriError, ParseError, ValueError):
        return None
