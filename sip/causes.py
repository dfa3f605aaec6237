"""Between SIP statuses, the causes of the call leg, and the Reason header (RFC 3326). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from media.leg import Cause
from sip.message import Message
from sip.params import param, parse_params, quote

_STATUS: Final = {
    Cause.NORMAL: 603,
    Cause.CANCELLED: 487,
    Cause.BUSY: 486,
    Cause.NO_ANSWER: 480,
    Cause.REJECTED: 603,
    Cause.NOT_FOUND: 404,
    Cause.UNAVAILABLE: 480,
    Cause.NO_CAPACITY: 503,
    Cause.INCOMPATIBLE_MEDIA: 488,
    Cause.MEDIA_TIMEOUT: 480,
    Cause.LIMIT: 480,
    Cause.ANSWERING_MACHINE: 603,
    Cause.TRANSFERRED: 603,
    Cause.ELSEWHERE: 603,
    Cause.FAILED: 500,
}

_CAUSE: Final = {
    403: Cause.REJECTED,
    404: Cause.NOT_FOUND,
    408: Cause.NO_ANSWER,
    410: Cause.NOT_FOUND,
    415: Cause.INCOMPATIBLE_MEDIA,
    480: Cause.NO_ANSWER,
    484: Cause.NOT_FOUND,
    485: Cause.NOT_FOUND,
    486: Cause.BUSY,
    487: Cause.CANCELLED,
    488: Cause.INCOMPATIBLE_MEDIA,
    500: Cause.UNAVAILABLE,
    502: Cause.UNAVAILABLE,
    503: Cause.UNAVAILABLE,
    504: Cause.UNAVAILABLE,
    600: Cause.BUSY,
    603: Cause.REJECTED,
    604: Cause.NOT_FOUND,
    606: Cause.INCOMPATIBLE_MEDIA,
    607: Cause.REJECTED,
    608: Cause.REJECTED,
}

_Q850: Final = {
    Cause.NORMAL: (16, "Normal call clearing"),
    Cause.CANCELLED: (16, "Normal call clearing"),
    Cause.BUSY: (17, "User busy"),
    Cause.NO_ANSWER: (19, "No answer from user"),
    Cause.REJECTED: (21, "Call rejected"),
    Cause.NOT_FOUND: (1, "Unallocated number"),
    Cause.UNAVAILABLE: (41, "Temporary failure"),
    Cause.NO_CAPACITY: (42, "Switching equipment congestion"),
    Cause.INCOMPATIBLE_MEDIA: (88, "Incompatible destination"),
    Cause.MEDIA_TIMEOUT: (102, "Recovery on timer expiry"),
    Cause.LIMIT: (31, "Normal, unspecified"),
    Cause.ANSWERING_MACHINE: (16, "Normal call clearing"),
    Cause.TRANSFERRED: (16, "Normal call clearing"),
    Cause.FAILED: (41, "Temporary failure"),
}


_BY_Q850: Final = {
    **dict.fromkeys((16, 31), Cause.NORMAL),
    **dict.fromkeys((1, 2, 3, 22, 26, 28), Cause.NOT_FOUND),
    17: Cause.BUSY,
    **dict.fromkeys((18, 19), Cause.NO_ANSWER),
    **dict.fromkeys((20, 27, 102), Cause.UNAVAILABLE),
    **dict.fromkeys((21, 55, 57), Cause.REJECTED),
    **dict.fromkeys((34, 38, 41, 42, 44, 47), Cause.NO_CAPACITY),
    **dict.fromkeys((58, 65, 79, 88), Cause.INCOMPATIBLE_MEDIA),
}
"""Causes of ITU-T Q.850, after the table of RFC 3398 7.2.4.1 read backwards."""

_PLAIN: Final = frozenset({404, 410, 415, 484, 485, 486, 487, 488, 600, 604, 606, 607, 608})
"""Statuses that say what they mean; gateways put all kinds of causes into the others."""

_TEXT: Final = 80
"""Characters of a reason's text that are kept."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One value of a Reason header (RFC 3326), as `Q.850;cause=16;text="Normal call clearing"`."""

    protocol: str
    cause: int
    text: str = ""

    @classmethod
    def parse(cls, value: str) -> Reason:
        """Raises ValueError for a value without a protocol or a cause."""
        protocol, _, rest = value.partition(";")
        params = parse_params(rest)
        cause = param(params, "cause") or ""
        if not protocol.strip() or not cause.isascii() or not cause.isdecimal() or len(cause) > 4:
            raise ValueError(f"not a reason: {value[:40]!r}")
        text = "".join(char for char in param(params, "text") or "" if char.isprintable())
        return cls(protocol.strip(), int(cause), text[:_TEXT])

    def __str__(self) -> str:
        return f"{self.protocol[:20]};cause={self.cause} {self.text}".rstrip()

    @property
    def written(self) -> str:
        """The value of a Reason header that says it."""
        return f"{self.protocol};cause={self.cause};text={quote(self.text)}"

    @property
    def is_q850(self) -> bool:
        return self.protocol.upper() == "Q.850"

    @property
    def is_sip(self) -> bool:
        return self.protocol.upper() == "SIP"


ELSEWHERE: Final = Reason("SIP", 200, "Call completed elsewhere")
"""Why a phone that rings is told to stop, so that it shows no missed call (RFC 3326 2)."""


def reason_in(message: Message | None) -> Reason | None:
    """What a message says about why; where it says it twice, the telephone network's word counts."""
    found = [] if message is None else list(_reasons(message.headers.get_all("Reason")))
    return next((reason for reason in found if reason.is_q850), found[0] if found else None)


def _reasons(values: Iterable[str]) -> Iterable[Reason]:
    for value in values:
        try:
            yield Reason.parse(value)
        except ValueError:
            continue


def status_of(cause: Cause) -> int:
    """The final response that refuses a call for that cause."""
    return _STATUS[cause]


def cause_of(status: int, why: Reason | None = None) -> Cause:
    """What a final response to our INVITE means. Redirections are not followed, so they are refusals.

    A cause of the telephone network decides where the status alone is vague.
    """
    if why is not None and why.is_q850 and status not in _PLAIN:
        cause = _BY_Q850.get(why.cause, Cause.NORMAL)
        if cause is not Cause.NORMAL:
            return cause
    if status in _CAUSE:
        return _CAUSE[status]
    if 300 <= status < 400:
        return Cause.REJECTED
    return Cause.FAILED


def cause_of_bye(why: Reason | None) -> Cause:
    """Why the far end ended an answered call, or left the early dialog."""
    if why is None:
        return Cause.NORMAL
    if why.is_q850:
        return _BY_Q850.get(why.cause, Cause.FAILED)
    return Cause.FAILED if why.is_sip and why.cause >= 400 else Cause.NORMAL


def cause_of_cancel(why: Reason | None) -> Cause:
    """Why the caller took its call back; one that was answered elsewhere is not a missed call."""
    elsewhere = why is not None and why.is_sip and why.cause == 200
    return Cause.NORMAL if elsewhere else Cause.CANCELLED


def reason(cause: Cause) -> str:
    """The Reason header of our BYE or CANCEL, with the cause of Q.850."""
    if cause is Cause.ELSEWHERE:
        return ELSEWHERE.written
    code, text = _Q850[cause]
    return Reason("Q.850", code, text).written


def warning(text: str) -> str:
    """A Warning header (RFC 3261 20.43) that says why media cannot be agreed on."""
    plain = "".join(char for char in text if char.isascii() and char.isprintable() and char not in '"\\')
    return f'399 ivr "{plain[:200]}"'
