"""A transfer that we ask for: REFER, then the NOTIFYs that tell how it went (RFC 3515). Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from media.leg import TransferOutcome
from sip.dialog import Dialog
from sip.replaces import Replaces
from sip.uri import NameAddr

_STATUS_LINE: Final = re.compile(rb"\s*SIP/2\.0\s+([1-6][0-9][0-9])")
_BUSY: Final = frozenset({486, 600})
_NO_ANSWER: Final = frozenset({408, 480, 487})


class TransferState(Enum):
    ASKED = auto()
    ACCEPTED = auto()
    OVER = auto()


class Transfer:
    """The automaton of one REFER; `outcome` is set when it is over."""

    def __init__(self) -> None:
        self.state = TransferState.ASKED
        self.outcome: TransferOutcome | None = None

    @property
    def accepted(self) -> bool:
        """Whether the far end has taken it on, and was not known to fail."""
        return self.state is TransferState.ACCEPTED or self.outcome is TransferOutcome.DONE

    def responded(self, status: int, *, notified: bool = True) -> None:
        """The response to the REFER; with `notified` false, the far end said that no NOTIFY will come."""
        if status >= 300:
            self._end(_outcome(status))
        elif status >= 200 and not notified:
            self._end(TransferOutcome.DONE)
        elif status >= 200 and self.state is TransferState.ASKED:
            self.state = TransferState.ACCEPTED

    def notified(self, sipfrag: bytes, subscription: str) -> None:
        """A NOTIFY: its body is the status line of the new call, `subscription` its Subscription-State."""
        match = _STATUS_LINE.match(sipfrag)
        status = int(match[1]) if match else 0
        if status >= 200:
            self._end(_outcome(status))
        elif subscription.strip().lower().startswith("terminated"):
            self._end(TransferOutcome.FAILED)
        elif self.state is TransferState.ASKED:
            self.state = TransferState.ACCEPTED

    def left(self) -> None:
        """The far end hung up: after it took the REFER on, most do so because the new call stands."""
        accepted = self.state is TransferState.ACCEPTED
        self._end(TransferOutcome.DONE if accepted else TransferOutcome.FAILED)

    def expired(self) -> None:
        """Nothing more was told in time."""
        accepted = self.state is TransferState.ACCEPTED
        self._end(TransferOutcome.NO_ANSWER if accepted else TransferOutcome.FAILED)

    def _end(self, outcome: TransferOutcome) -> None:
        if self.state is not TransferState.OVER:
            self.state = TransferState.OVER
            self.outcome = outcome


def refer_to(dialog: Dialog) -> str | None:
    """The Refer-To that asks for the far end of `dialog`, in the place of our call with it (RFC 5589 7.1).

    None where that is known not to do Replaces: it would ring once more beside the call.
    """
    if dialog.supported is not None and "replaces" not in dialog.supported:
        return None
    headers = (("Replaces", str(Replaces.at_far_end(dialog.id))),)
    return str(NameAddr("", replace(dialog.remote_target, headers=headers)))


def _outcome(status: int) -> TransferOutcome:
    if status < 300:
        return TransferOutcome.DONE
    if status in _BUSY:
        return TransferOutcome.BUSY
    if status in _NO_ANSWER:
        return TransferOutcome.NO_ANSWER
    return TransferOutcome.FAILED
