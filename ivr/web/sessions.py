"""Sessions of calls by the web before they begin: a token for one call, and the STUN and TURN servers that a
page is told of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from ivr.api.gateway import NoCapacity
from ivr.web.book import Purpose, SessionBook, Ticket, TooManyTokens
from ivr.web.config import Web
from ivr.web.ice_servers import rest_credentials

RETRY_S: Final = 10


class Sessions:
    """`call_s` is how long a call may last: credentials for TURN are good for that long, too."""

    def __init__(
        self, book: SessionBook, settings: Web, call_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._book = book
        self._settings = settings
        self._call_s = call_s
        self._clock = clock

    def issue(self, purpose: Purpose, ttl_s: float | None = None) -> dict[str, Any]:
        """What `POST /api/voice/sessions` answers. Raises `NoCapacity`."""
        most = self._settings.session_s
        now = self._clock()
        try:
            ticket = self._book.issue(purpose, now, most if ttl_s is None else min(ttl_s, most))
        except TooManyTokens as error:
            raise NoCapacity(RETRY_S, str(error)) from error
        return {
            "session_id": ticket.session_id,
            "token": ticket.token,
            "expires_at": ticket.ends_at,
            "ice_servers": self._servers_for(ticket),
        }

    def ice_servers(self) -> list[dict[str, Any]]:
        """Those that need no credentials."""
        return [
            {"urls": s.urls} for s in self._settings.ice.servers if s.secret is None and s.username is None
        ]

    def _servers_for(self, ticket: Ticket) -> list[dict[str, Any]]:
        """As `RTCPeerConnection` takes them (`iceServers`)."""
        told: list[dict[str, Any]] = []
        for server in self._settings.ice.servers:
            if server.secret is not None:
                given = rest_credentials(server.secret, ticket.session_id, ticket.ends_at + self._call_s)
                told.append({"urls": server.urls, "username": given.username, "credential": given.password})
            elif server.username is not None:
                told.append(
                    {"urls": server.urls, "username": server.username, "credential": server.credential}
                )
            else:
                told.append({"urls": server.urls})
        return told
