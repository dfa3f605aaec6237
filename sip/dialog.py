"""Dialogs (RFC 3261 12): the identity, route and sequence numbers that two user agents share. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sip.message import Request, Response, new_request
from sip.uri import NameAddr, Uri

_MAX_CSEQ: Final = 2**31


class DialogError(ValueError):
    """The message cannot establish a dialog; the text says why."""


class OutOfOrder(Exception):
    """A request with a lower CSeq than one before: answer it with 500 (RFC 3261 12.2.2)."""


@dataclass(frozen=True, slots=True)
class DialogId:
    call_id: str
    local_tag: str
    remote_tag: str
    """Empty for an RFC 2543 peer without tags."""


class Dialog:
    """One dialog, early or confirmed. Made by `from_request` (they called) or `from_response` (we called)."""

    __slots__ = (
        "_local",
        "_local_cseq",
        "_remote",
        "_remote_cseq",
        "id",
        "remote_target",
        "route_set",
        "supported",
    )

    def __init__(
        self,
        local: NameAddr,
        remote: NameAddr,
        call_id: str,
        route_set: Iterable[NameAddr],
        remote_target: Uri,
        local_cseq: int | None,
        remote_cseq: int | None,
        supported: frozenset[str] | None = None,
    ) -> None:
        """`supported` are the option tags that the far end told in lower case, None when it told none."""
        if local.tag is None:
            raise DialogError("our own side has no tag")
        self.id: Final = DialogId(call_id, local.tag, remote.tag or "")
        self._local: Final = local
        self._remote: Final = remote
        self.route_set = tuple(route_set)
        self.remote_target = remote_target
        self._local_cseq = local_cseq
        self._remote_cseq = remote_cseq
        self.supported = supported

    @classmethod
    def from_request(cls, request: Request, local_tag: str) -> Dialog:
        """The callee's side (12.1.1): routes in the order of Record-Route.

        Raises `DialogError` without a Contact.
        """
        return cls(
            local=request.to.with_tag(local_tag),
            remote=request.from_,
            call_id=request.call_id,
            route_set=request.record_routes,
            remote_target=_target(request),
            local_cseq=None,
            remote_cseq=request.cseq.number,
            supported=_supported(request),
        )

    @classmethod
    def from_response(cls, request: Request, response: Response) -> Dialog:
        """The caller's side (12.1.2): routes in the reverse order.

        Each fork's response makes a dialog of its own, told apart by its To tag. Raises `DialogError` without
        a Contact.
        """
        return cls(
            local=request.from_,
            remote=response.to,
            call_id=request.call_id,
            route_set=reversed(response.record_routes),
            remote_target=_target(response),
            local_cseq=request.cseq.number,
            remote_cseq=None,
            supported=_supported(response),
        )

    def confirm(self, response: Response) -> None:
        """Our INVITE's 2xx: the route set is that of the 2xx, whatever the early dialog had (13.2.2.4)."""
        self.route_set = tuple(reversed(response.record_routes))
        self.refresh(response)

    def refresh(self, message: Request | Response) -> None:
        """A target refresh (re-INVITE, UPDATE, their 2xx) moves the remote target, never the routes."""
        self.supported = _supported(message) or self.supported
        contact = message.contact
        if contact is not None:
            self.remote_target = contact.uri

    def admit(self, request: Request) -> None:
        """Checks and notes the CSeq of a request received in the dialog; raises `OutOfOrder`."""
        number = request.cseq.number
        if self._remote_cseq is not None and number < self._remote_cseq:
            raise OutOfOrder(f"CSeq {number} after {self._remote_cseq}")
        self._remote_cseq = number

    def request(self, method: str, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Request:
        """A new request with the next CSeq, without the Via that its sender adds (12.2.1.1)."""
        self._local_cseq = 1 if self._local_cseq is None else (self._local_cseq + 1) % _MAX_CSEQ
        return self._build(method, self._local_cseq, headers, body)

    def ack(self, cseq: int, *, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Request:
        """The ACK of the 2xx of our INVITE with that CSeq number (13.2.2.4), without Via."""
        return self._build("ACK", cseq, headers, body)

    @property
    def next_hop(self) -> Uri:
        """Where requests are sent: the first route, else the remote target (8.1.2)."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def _build(self, method: str, cseq: int, extra: Iterable[tuple[str, str]], body: bytes) -> Request:
        routes = [str(route) for route in self.route_set]
        uri = self.remote_target
        if self.route_set and self.route_set[0].uri.param("lr") is None:
            # A strict router wants itself in the Request-URI, and the target as the last route.
            uri = self.route_set[0].uri
            routes = [*routes[1:], f"<{self.remote_target}>"]
        return new_request(
            method,
            uri,
            from_=self._local,
            to=self._remote,
            call_id=self.id.call_id,
            cseq=cseq,
            routes=routes,
            fields=extra,
            body=body,
        )


def _supported(message: Request | Response) -> frozenset[str] | None:
    return frozenset(tag.lower() for tag in message.headers.get_all("Supported")) or None


def _target(message: Request | Response) -> Uri:
    contact = message.contact
    if contact is None:
        raise DialogError("there is no Contact to send requests to")
    return contact.uri
