"""The dialogs of one user agent: which request belongs to which, and whose requests may come at all."""

from __future__ import annotations

from collections import Counter

from sip.dialog import DialogId
from sip.message import Request
from sip.server_transactions import ServerTransaction
from sip.session import InDialog, Session


class Dialogs:
    """All dialogs by id, early and confirmed. These are the `Sessions` that a session reports to."""

    def __init__(self) -> None:
        self._by_id: dict[DialogId, InDialog] = {}
        self._trusted: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, key: DialogId, dialog: InDialog) -> None:
        """From here on `dialog` takes the requests of that id."""
        self._by_id[key] = dialog

    def drop(self, key: DialogId, dialog: InDialog) -> None:
        """Forgets the dialog, unless another has taken its place."""
        if self._by_id.get(key) is dialog:
            del self._by_id[key]

    def find(self, key: DialogId) -> InDialog | None:
        """Who takes the requests of that dialog."""
        return self._by_id.get(key)

    def of(self, request: Request) -> InDialog | None:
        """Who takes a request that we received."""
        return self._by_id.get(id_of(request))

    def sessions(self) -> list[Session]:
        """The confirmed dialogs."""
        return [dialog for dialog in self._by_id.values() if isinstance(dialog, Session)]

    # ACK

    def acked(self, ack: Request) -> None:
        """An ACK for one of our 2xx came."""
        session = self.of(ack) or self._awaiting(ack)
        if isinstance(session, Session):
            session.acked(ack)

    def unacked(self, server: ServerTransaction) -> None:
        """No ACK came for our 2xx."""
        for session in self.sessions():
            if session.accepted is server:
                session.unacked()

    def _awaiting(self, ack: Request) -> Session | None:
        """The session that waits for an ACK of this call: some phones (pyVoIP) put a To tag of their own into
        it, and the call would be cut for want of an ACK."""
        for session in self.sessions():
            if session.accepted is not None:
                invite = session.accepted.request
                if (invite.call_id, invite.from_.tag) == (ack.call_id, ack.from_.tag):
                    return session
        return None

    # Sessions

    def opened(self, session: Session) -> None:
        self.add(session.dialog.id, session)

    def closed(self, session: Session) -> None:
        self.drop(session.dialog.id, session)

    def trust(self, host: str) -> None:
        self._trusted[host] += 1

    def distrust(self, host: str) -> None:
        self._trusted[host] -= 1
        if self._trusted[host] <= 0:
            del self._trusted[host]

    def trusts(self, host: str) -> bool:
        """Whether a dialog lives whose requests come from that address."""
        return host in self._trusted


def id_of(request: Request) -> DialogId:
    """The dialog of a request received: its To tag is ours."""
    return DialogId(request.call_id, request.to.tag or "", request.from_.tag or "")
