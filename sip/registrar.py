"""Keeps us registered with one trunk: the shell of `sip.registration`."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from sip.attempts import Attempts
from sip.authenticator import Authenticator, carried, why_unanswered
from sip.client_transactions import ClientTransaction
from sip.endpoint import Endpoint, new_tag
from sip.extensions import ALLOW
from sip.headers import delta_seconds
from sip.hop import Hop
from sip.message import Request, Response, new_request
from sip.probing import seen_as
from sip.registration import Outcome, Registration, Result, granted_s
from sip.trunks import Registration as Settings
from sip.trunks import Trunk
from sip.uri import NameAddr, Uri

log = logging.getLogger(__name__)

ANSWER_S: Final = 180.0
"""How long one REGISTER may take, with all the targets that it is sent to."""

OnAddresses = Callable[[Iterable[str]], None]
"""Takes the IP addresses of the registrar: calls that come from there are the trunk's."""


class Registrar:
    """Runs as a task; `leave` takes the binding back."""

    def __init__(
        self, name: str, trunk: Trunk, settings: Settings, endpoint: Endpoint, on_addresses: OnAddresses
    ) -> None:
        """Raises ValueError for a registrar that is no SIP URI, or when there is neither it nor a proxy."""
        self._name: Final = name
        self._trunk: Final = trunk
        self._endpoint: Final = endpoint
        self._on_addresses: Final = on_addresses
        self._machine: Final = Registration(settings.expires_s, random.random)
        self._call_id: Final = secrets.token_hex(16)
        self._cseq = count(1)
        self._hosts: frozenset[str] = frozenset()
        self._told: bool | None = None
        self._hop: Hop | None = None
        self.next_hop: Final = registrar_uri(trunk, settings)
        user, _, domain = settings.user.partition("@")
        self._user: Final = user
        self._record: Final = Uri("sip", user, domain or self.next_hop.host)
        self.seen_as: str | None = None

    @property
    def registered(self) -> bool:
        return self._machine.registered(self._endpoint.now())

    @property
    def reason(self) -> str:
        """Why we are not registered, or why the last refresh failed."""
        return self._machine.reason

    async def run(self) -> None:
        """Registers, and refreshes, until it is cancelled."""
        while True:
            outcome = await self._try()
            pause = self._machine.heard(outcome, self._endpoint.now())
            self._tell()
            await asyncio.sleep(pause)

    def leave(self) -> None:
        """Takes the binding back; what the registrar says to it does not matter. `Endpoint.settled` waits for
        it."""
        if self._hop is not None and self.registered:
            self._send([self._hop], 0, lambda outcome: None)
        self._machine.left()

    async def _try(self) -> Outcome:
        try:
            hops = await self._endpoint.router.targets(self.next_hop, self._trunk.tls)
        except OSError as error:
            return Outcome(Result.SILENT, why=str(error))
        self._hosts = frozenset(hop.remote.host for hop in hops)
        self._on_addresses(self._hosts)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        attempts = self._send(hops, self._machine.asks_s, lambda outcome: _settle(future, outcome))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError:
            attempts.abandon()
            return Outcome(Result.SILENT)
        except asyncio.CancelledError:
            attempts.abandon()
            raise

    def _send(self, hops: Iterable[Hop], expires_s: int, done: Callable[[Outcome], None]) -> Attempts:
        authenticator = Authenticator(self._trunk.credentials, lambda host: host in self._hosts)

        def responded(client: ClientTransaction, status: int, response: Response | None) -> None:
            if status < 200:
                return
            proof = response and authenticator.answer(response, client.request, client.hop)
            if proof:
                attempts.again(self._request(carried(client.request, proof)))
                return
            if status < 300:
                self._hop = client.hop
            done(self._outcome(client, status, response))

        attempts = Attempts(
            self._endpoint, hops, lambda hop: self._request(self._fields(hop, expires_s)), responded
        )
        attempts.start()
        return attempts

    def _fields(self, hop: Hop, expires_s: int) -> list[tuple[str, str]]:
        contact = f"{self._endpoint.contact(hop, self._user)};expires={expires_s}"
        return [("Contact", contact), ("Expires", str(expires_s)), ("Allow", ALLOW)]

    def _request(self, fields: Iterable[tuple[str, str]]) -> Request:
        record = NameAddr("", self._record)
        return new_request(
            "REGISTER",
            Uri("sip", None, self._record.host),
            from_=record.with_tag(new_tag()),
            to=record,
            call_id=self._call_id,
            cseq=next(self._cseq),
            fields=fields,
        )

    def _outcome(self, client: ClientTransaction, status: int, response: Response | None) -> Outcome:
        if response is None:
            why = self._endpoint.transports.failure(client.hop)
            return Outcome(
                Result.SILENT, status, why=f"the registrar cannot be reached: {why}" if why else ""
            )
        hop, headers = client.hop, response.headers
        self.seen_as = seen_as(response, self._endpoint.shown(hop), reliable=hop.reliable)
        if status < 300:
            contact = client.request.contact
            granted = None if contact is None else granted_s(response, contact.uri)
            return Outcome(Result.ACCEPTED, status, granted)
        if status == 423:
            return Outcome(Result.TOO_BRIEF, status, delta_seconds(headers.get("Min-Expires")))
        if status in (401, 407):
            if {"authorization", "proxy-authorization"} & set(client.request.headers.names()):
                return Outcome(Result.PASSWORD_REFUSED, status)
            why = why_unanswered(response, self._trunk.credentials)
            return Outcome(Result.UNANSWERABLE, status, why=why)
        return Outcome(Result.REFUSED, status, delta_seconds(headers.get("Retry-After")))

    def _tell(self) -> None:
        now = self.registered
        if now is not self._told:
            self._told = now
            if now:
                log.info("trunk %s: registered", self._name)
            else:
                log.warning("trunk %s: not registered: %s", self._name, self.reason)


def registrar_uri(trunk: Trunk, settings: Settings) -> Uri:
    """Where to register; raises ValueError for what is no SIP URI, and without registrar and proxy."""
    text = settings.registrar
    if text is None:
        uri = trunk.proxy_uri()
        if uri is None:
            raise ValueError("there is neither a registrar nor a proxy to register with")
        return uri
    uri = Uri.parse(text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")
    if uri.scheme not in ("sip", "sips"):
        raise ValueError(f"the registrar is no SIP address: {text!r}")
    return uri


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
