"""What is known of Exotel's calls by their `CallSid`, between one applet and the next. Pure.

Kept in memory, for as long as a call may last: after a restart an applet is answered as for a new call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT_S: Final = 2 * 3600.0
MOST: Final = 20_000

_LOCAL_DIGITS: Final = 10


@dataclass(slots=True)
class KnownCall:
    """`call_id` and `flow` are there once its stream has begun; `to` is whom the caller is to be connected
    with; `digits` are those that an applet before the stream has gathered."""

    seen_at: float
    call_id: str = ""
    flow: str = ""
    to: str = ""
    digits: str = ""


class ExotelCalls:
    """By `CallSid`; times are seconds of any one clock."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._calls: dict[str, KnownCall] = {}

    def find(self, call_sid: str, now: float) -> KnownCall | None:
        known = self._calls.get(call_sid)
        return None if known is None or now - known.seen_at > KEPT_S else known

    def note(
        self, call_sid: str, now: float, *, call_id: str = "", flow: str = "", to: str = "", digits: str = ""
    ) -> None:
        """Keeps what is told beside what was known. A call without a sid cannot be told from others."""
        if not call_sid:
            return
        known = self.find(call_sid, now)
        self._calls.pop(call_sid, None)
        known = known or KnownCall(now)
        known.seen_at = now
        known.call_id = call_id or known.call_id
        known.flow = flow or known.flow
        known.to = to or known.to
        known.digits = digits or known.digits
        self._calls[call_sid] = known
        while len(self._calls) > self._most or now - next(iter(self._calls.values())).seen_at > KEPT_S:
            del self._calls[next(iter(self._calls))]


def spellings(number: str, country_code: str = "91") -> tuple[str, ...]:
    """How a number may stand in the configuration: Exotel writes its own with +91, with 0 or without either,
    depending on the page."""
    digits = "".join(char for char in number if char.isdecimal() and char.isascii())
    if number.startswith("+") and not digits.startswith(country_code):
        return (number,)
    local = digits.removeprefix("0") if digits.startswith("0") else digits
    if len(local) == _LOCAL_DIGITS + len(country_code) and local.startswith(country_code):
        local = local[len(country_code) :]
    if len(local) != _LOCAL_DIGITS:
        return (number,)
    found = (number, f"+{country_code}{local}", f"0{local}", f"{country_code}{local}", local)
    return tuple(dict.fromkeys(found))


def normalised(number: str, country_code: str = "91") -> str:
    """With country code, where that can be told."""
    return next((text for text in spellings(number, country_code) if text.startswith("+")), number)


def unquoted(digits: str) -> str:
    """The keys that an applet has gathered: they come within double quotes."""
    return "".join(char for char in digits if char in "0123456789*#ABCD")
