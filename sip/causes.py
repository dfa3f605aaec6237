"""Between SIP statuses, the causes of the call leg, and the Reason header (RFC 3326). Pure."""

from __future__ import annotations

from typing import Final

from media.leg import Cause

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
    Cause.TRANSFERRED: 603,
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
    Cause.TRANSFERRED: (16, "Normal call clearing"),
    Cause.FAILED: (41, "Temporary failure"),
}


def status_of(cause: Cause) -> int:
    """The final response that refuses a call for that cause."""
    return _STATUS[cause]


def cause_of(status: int) -> Cause:
    """What a final response to our INVITE means. Redirections are not followed, so they are refusals."""
    if status in _CAUSE:
        return _CAUSE[status]
    if 300 <= status < 400:
        return Cause.REJECTED
    return Cause.FAILED


def reason(cause: Cause) -> str:
    """The Reason header of our BYE or CANCEL, with the cause of Q.850."""
    code, text = _Q850[cause]
    return f'Q.850;cause={code};text="{text}"'


def warning(text: str) -> str:
    """A Warning header (RFC 3261 20.43) that says why media cannot be agreed on."""
    plain = "".join(char for char in text if char.isascii() and char.isprintable() and char not in '"\\')
    return f'399 ivr "{plain[:200]}"'
