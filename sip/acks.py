"""The ACKs of the 2xx of one INVITE: one per answering fork, sent again for each repeated 2xx."""

from __future__ import annotations

from typing import Final

from sip.authenticator import credentials_of
from sip.client_transactions import ClientTransaction
from sip.dialog import Dialog
from sip.endpoint import Endpoint
from sip.hop import Hop
from sip.message import Response


class Acks:
    """RFC 3261 13.2.2.4."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint: Final = endpoint
        self._sent: dict[str, tuple[bytes, Hop] | None] = {}

    def repeat(self, response: Response) -> bool:
        """Sends the ACK of a 2xx again; False when this is the first 2xx of its fork."""
        tag = response.to.tag or ""
        if tag not in self._sent:
            return False
        sent = self._sent[tag]
        if sent is not None:
            self._endpoint.transmit(*sent)
        return True

    def send(self, client: ClientTransaction, response: Response, dialog: Dialog) -> None:
        """Sends the first ACK, the way the dialog goes."""
        tag = response.to.tag or ""
        self._sent[tag] = None
        ack = dialog.ack(client.request.cseq.number, headers=credentials_of(client.request))

        def found(hop: Hop) -> None:
            self._sent[tag] = (self._endpoint.ack(ack, hop), hop)

        self._endpoint.router.route(dialog.next_hop, client.hop, found)
