"""From the configuration to what web legs are made with."""

from __future__ import annotations

import time

from ivr.web.config import Web
from ivr.web.ice_servers import IceUrl, rest_credentials
from webrtc.ice import IceTerms, TurnAccount
from webrtc.leg import WebTerms

_OWN_S = 7 * 86_400
"""Our own credentials at a TURN server are renewed with each call; one that is long needs them for longer."""


def terms_of(settings: Web) -> WebTerms:
    """Made anew for each call: credentials for TURN have their time."""
    ice = settings.ice
    stun: tuple[str, int] | None = None
    turn: TurnAccount | None = None
    for server in ice.servers if ice.ask_servers else ():
        for url in map(IceUrl.parse, server.urls):
            if not url.relays:
                stun = stun or (url.host, url.port)
            elif turn is None:
                name, password = server.username or "", server.credential or ""
                if server.secret is not None:
                    given = rest_credentials(server.secret, "server", time.time() + _OWN_S)
                    name, password = given.username, given.password
                turn = TurnAccount(url.host, url.port, name, password, url.transport, url.tls)
    return WebTerms(
        IceTerms(tuple(ice.addresses), ice.ports, ice.advertise, stun, turn),
        settings.connect_s,
        settings.reconnect_s,
    )
