"""A request outside a dialog, sent to one target after the other until one takes it (RFC 3263 4.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from sip.client_transactions import ClientTransaction
from sip.endpoint import Endpoint, OnResponse
from sip.headers import delta_seconds
from sip.health import DOWN_S
from sip.hop import Hop
from sip.message import Request, Response
from sip.timers import Timer

log = logging.getLogger(__name__)

UNHEARD: Final = 8
"""How many T1 (4 s) a target may say nothing at all while there is another to be asked, or when it was silent
before."""

Build = Callable[[Hop], Request]
"""Makes the request anew for a target, each with a higher CSeq than the one before."""


class Attempts:
    """Sends on `start`. `handler` hears of one transaction at a time, and of a failure only when no target is
    left; `stray` takes the 2xx of an INVITE to a target that was given up, which must be ended."""

    def __init__(
        self,
        endpoint: Endpoint,
        hops: Iterable[Hop],
        build: Build,
        handler: OnResponse,
        stray: Callable[[ClientTransaction, Response], None] | None = None,
    ) -> None:
        self._endpoint: Final = endpoint
        self._left: Final = list(hops)
        self._build: Final = build
        self._handler: Final = handler
        self._stray: Final = stray
        self._given_up: set[ClientTransaction] = set()
        self._cancelled: set[ClientTransaction] = set()
        self._timer: Timer | None = None
        self.client: ClientTransaction | None = None

    def start(self) -> None:
        """Sends to the first target; raises what the making of the request does."""
        self._next()

    def again(self, request: Request) -> None:
        """Sends to the same target once more, with credentials."""
        assert self.client is not None
        self._send(request, self.client.hop)

    def stop(self) -> None:
        """No further target is asked."""
        self._left.clear()
        self._endpoint.timers.cancel(self._timer)

    def abandon(self) -> None:
        """Forgets the request; no answer to it is waited for."""
        self.stop()
        if self.client is not None:
            self._endpoint.abandon(self.client)

    def _next(self) -> None:
        hop = self._left.pop(0)
        self._send(self._build(hop), hop)

    def _send(self, request: Request, hop: Hop) -> None:
        endpoint = self._endpoint
        endpoint.timers.cancel(self._timer)
        client = self.client = endpoint.request(request, hop, self._responded)
        if self._left or endpoint.router.health.down(hop, endpoint.now()):
            self._timer = endpoint.later(UNHEARD * endpoint.timing.t1, lambda now: self._unheard(client))

    def _unheard(self, client: ClientTransaction) -> None:
        if client is not self.client:
            return
        self._endpoint.router.health.failed(client.hop, self._endpoint.now())
        if client.request.method == "INVITE":
            client.quiet()
            self._given_up.add(client)
        else:
            self._endpoint.abandon(client)
        self._move_on(client, 408, None)

    def _responded(self, client: ClientTransaction, status: int, response: Response | None) -> None:
        if client is not self.client or client in self._given_up:
            self._late(client, status, response)
            return
        self._endpoint.timers.cancel(self._timer)
        if status < 200:
            self._handler(client, status, response)
            return
        if response is None or status == 503:
            self._endpoint.router.health.failed(client.hop, self._endpoint.now(), _rest_s(response))
            self._move_on(client, status, response)
        else:
            self._endpoint.router.health.worked(client.hop)
            self._handler(client, status, response)

    def _move_on(self, client: ClientTransaction, status: int, response: Response | None) -> None:
        if self._left:
            try:
                self._next()
            except Exception:
                log.exception("a request could not be made anew for its next target")
            else:
                return
        self.stop()
        self._handler(client, status, response)

    def _late(self, client: ClientTransaction, status: int, response: Response | None) -> None:
        """A target that was given up has woken: it is not to ring, and its answer is not wanted."""
        if status < 200 and client in self._given_up - self._cancelled:
            self._cancelled.add(client)
            self._endpoint.cancel(client, 'SIP;cause=480;text="another way was taken"')
            self._endpoint.later(self._endpoint.timing.timeout, lambda now: self._forget(client))
        elif 200 <= status < 300 and response is not None and self._stray is not None:
            self._stray(client, response)

    def _forget(self, client: ClientTransaction) -> None:
        """RFC 3261 9.1: 64*T1 after its CANCEL an INVITE is over, answered or not."""
        if client.waiting:
            self._endpoint.abandon(client)


def _rest_s(response: Response | None) -> float:
    """How long the target wants to be left alone (RFC 3261 20.33)."""
    asked = None if response is None else delta_seconds(response.headers.get("Retry-After"))
    return DOWN_S if asked is None else asked
