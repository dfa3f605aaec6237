"""The Replaces header (RFC 3891): names the dialog whose place a new INVITE takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sip.dialog import DialogId
from sip.message import Request
from sip.params import param, parse_params

_NO_TAG: Final = "0"
"""Stands for the missing tag of an RFC 2543 peer (section 3)."""
_MAX: Final = 512


class ReplacesError(ValueError):
    """The header cannot be followed; the text says why. The answer is 400 (RFC 3891 section 3)."""


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog as the receiver of the INVITE sees it: `to_tag` is its own, `from_tag` the far end's.

    `early_only`: it may be replaced only while it is not confirmed.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """Raises `ReplacesError`."""
        call_id, _, rest = text.partition(";")
        call_id = call_id.strip()
        if not call_id or len(text) > _MAX or any(char.isspace() or char == "," for char in call_id):
            raise ReplacesError("no Call-ID, or not one alone")
        try:
            params = parse_params(rest)
        except ValueError as error:
            raise ReplacesError(str(error)) from error
        names = [name.lower() for name, _ in params]
        if names.count("to-tag") != 1 or names.count("from-tag") != 1:
            raise ReplacesError("one to-tag and one from-tag are needed")
        to_tag, from_tag = param(params, "to-tag"), param(params, "from-tag")
        if not to_tag or not from_tag:
            raise ReplacesError("a tag is empty")
        return cls(call_id, to_tag, from_tag, "early-only" in names)

    @classmethod
    def at_far_end(cls, dialog: DialogId) -> Replaces:
        """Names a dialog of ours to whoever is to call its far end: that end's own tag is our remote one."""
        return cls(dialog.call_id, dialog.remote_tag or _NO_TAG, dialog.local_tag)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    @property
    def dialogs(self) -> tuple[DialogId, ...]:
        """The dialogs of ours that can be meant, in the order to look for them."""
        named = DialogId(self.call_id, self.to_tag, self.from_tag)
        return (named, DialogId(self.call_id, self.to_tag, "")) if self.from_tag == _NO_TAG else (named,)


def replaces_of(request: Request) -> Replaces | None:
    """What the request is to replace, None for most; raises `ReplacesError`."""
    values = [value for name, value in request.headers if name == "Replaces"]
    if not values:
        return None
    if len(values) > 1 or request.method != "INVITE":
        raise ReplacesError("Replaces may stand once, and in an INVITE")
    return Replaces.parse(values[0])
