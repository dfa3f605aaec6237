"""What an INVITE is told before its final answer: 180 and 183, reliably where both sides can (RFC 3262)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from sip.endpoint import Endpoint, Extra
from sip.extensions import REL100, requires, supports
from sip.reliable import MAX_FIRST, Provisional, ProvisionalOutput, Provisionals, RAck, SendProvisional, Then
from sip.server_transactions import ServerTransaction
from sip.timers import Timer
from sip.trunks import Trunk


class ProvisionalResponses:
    """The provisional responses of one INVITE that we received, and the moment of its 2xx."""

    def __init__(
        self,
        endpoint: Endpoint,
        server: ServerTransaction,
        tag: str,
        trunk: Trunk,
        fields: Callable[[], Extra],
        give_up: Callable[[], None],
    ) -> None:
        """`fields` are those of each response; `give_up` is called when no PRACK ever came."""
        request = server.request
        self._endpoint: Final = endpoint
        self._server: Final = server
        self._tag: Final = tag
        self._fields: Final = fields
        self._give_up: Final = give_up
        self.reliable: Final = trunk.rel100 != "off" and supports(request, REL100)
        """Whether the caller acknowledges what we send."""
        self.required: Final = requires(request, REL100) or trunk.rel100 == "required"
        """Whether nothing may be sent otherwise."""
        first = 1 + secrets.randbelow(MAX_FIRST)
        self._machine: Final = Provisionals(request.cseq.number, first, endpoint.timing)
        self._alarm: Timer | None = None
        self._answer: Callable[[], None] | None = None

    def send(self, status: int, sdp: bytes | None = None, extra: Extra = ()) -> None:
        """Sends a response, `extra` only where nobody has to wait for its turn."""
        if self.reliable:
            self._perform(self._machine.provide(Provisional(status, sdp), self._endpoint.now()))
        else:
            fields = (*self._fields(), *extra)
            self._endpoint.respond(self._server, status, tag=self._tag, extra=fields, sdp=sdp)

    def answer(self, then: Callable[[], None]) -> None:
        """Calls `then` when the 2xx may be sent: at once, unless a description is still unacknowledged."""
        self._answer = then
        self._perform(self._machine.answer(self._endpoint.now()))

    def acknowledged(self, rack: RAck) -> tuple[Provisional | None, Callable[[], None]]:
        """A PRACK came: what it acknowledges, None for nothing of ours, and what is to be done once it has
        its answer."""
        provisional, outputs = self._machine.acknowledged(rack, self._endpoint.now())
        return provisional, lambda: self._perform(outputs)

    def close(self) -> None:
        """The INVITE has its final answer."""
        self._machine.close()
        self._answer = None
        self._set_alarm()

    def _perform(self, outputs: list[ProvisionalOutput]) -> None:
        for output in outputs:
            match output:
                case SendProvisional(provisional, rseq):
                    fields = (*self._fields(), ("Require", REL100), ("RSeq", str(rseq)))
                    self._endpoint.respond(
                        self._server, provisional.status, tag=self._tag, extra=fields, sdp=provisional.sdp
                    )
                case Then.ANSWER:
                    then, self._answer = self._answer, None
                    if then is not None:
                        then()
                case Then.GIVE_UP:
                    self._give_up()
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._endpoint.timers.cancel(self._alarm)
        due, now = self._machine.due, self._endpoint.now
        self._alarm = None if due is None else self._endpoint.later(due - now(), self._rung)

    def _rung(self, now: float) -> None:
        self._perform(self._machine.poll(now))
