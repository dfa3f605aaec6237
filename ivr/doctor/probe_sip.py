"""Asks targets with OPTIONS, and the registrar whom it knows, from sockets of the doctor's own."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Final

from ivr.doctor.facts import Registered, RegistrarSaid, Reply, Seen
from sip.attempts import Attempts
from sip.authenticator import Authenticator, carried
from sip.client_transactions import ClientTransaction
from sip.endpoint import Endpoint, new_tag
from sip.headers import delta_seconds
from sip.hop import Hop
from sip.message import Headers, ParseError, Request, Response
from sip.prober import options
from sip.resolver import Resolver
from sip.server_transactions import ServerTransaction
from sip.timers import Timing
from sip.tls import ClientTls
from sip.trunks import Registration, Trunk
from sip.uri import NameAddr, Uri, UriError

ANSWER_S: Final = 4.0
"""How long a target has for its answer; the request is repeated meanwhile by UDP."""
REGISTRAR_S: Final = 10.0

_NAME: Final = "ivr-doctor"


class _Deaf:
    """Takes no requests: the doctor only asks."""

    def known(self, host: str) -> bool:
        return False

    def trusted(self, host: str) -> bool:
        return False

    def requested(self, server: ServerTransaction) -> None: ...

    def acked(self, ack: Request) -> None: ...

    def unacked(self, server: ServerTransaction) -> None: ...

    def tls_towards(self, host: str) -> ClientTls:
        return ClientTls()


@asynccontextmanager
async def endpoint(
    listen: list[str], advertise: str | None, resolver: Resolver, timing: Timing | None = None
) -> AsyncIterator[Endpoint]:
    """Sockets for requests of ours; raises OSError that names an address that cannot be bound."""
    one = Endpoint(_Deaf(), listen, advertise, _NAME, timing or Timing(), resolver=resolver)
    await one.start()
    try:
        yield one
    finally:
        await one.close()


async def ask(by: Endpoint, proxy: Uri, hop: Hop) -> tuple[Reply, Seen] | str:
    """The answer to an OPTIONS, or why there is none."""
    future: asyncio.Future[tuple[int, Response | None]] = asyncio.get_running_loop().create_future()

    def responded(client: ClientTransaction, status: int, response: Response | None) -> None:
        if status >= 200 and not future.done():
            future.set_result((status, response))

    began = by.now()
    client = by.request(options(by, proxy, hop), hop, responded, within=ANSWER_S)
    try:
        status, response = await future
    except asyncio.CancelledError:
        by.abandon(client)
        raise
    if response is None:
        return by.transports.failure(hop) or _silence(hop, status)
    took_s = by.now() - began
    via = response.via
    return reply_of(response, took_s), Seen(via.received, via.rport)


def _silence(hop: Hop, status: int) -> str:
    if status == 408:
        return f"no answer within {ANSWER_S:g} s"
    return "it closes the connection without an answer" if hop.reliable else "it cannot be sent to"


def reply_of(response: Response, took_s: float) -> Reply:
    """What matters of a response; our clock is read now."""
    headers = response.headers
    return Reply(
        status=response.status,
        reason=response.reason,
        took_s=took_s,
        server=headers.get("Server") or headers.get("User-Agent") or "",
        allow=tuple(headers.get_all("Allow")),
        supported=tuple(headers.get_all("Supported")),
        ahead_s=_ahead_s(headers.get("Date")),
    )


def _ahead_s(date: str | None) -> float | None:
    """How far the far end's clock is ahead of ours; its Date has no parts of seconds."""
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - time.time()
    except (ValueError, OverflowError):
        return None


async def ask_registrar(
    by: Endpoint, trunk: Trunk, settings: Registration, at: Uri, hops: Iterable[Hop]
) -> RegistrarSaid:
    """Asks which contacts are registered under our name (RFC 3261 10.2.3): a REGISTER without Contact, which
    proves the password and changes nothing."""
    query = _Query(by, trunk, settings, at, list(hops))
    try:
        async with asyncio.timeout(REGISTRAR_S):
            return await query.answer()
    except TimeoutError:
        return RegistrarSaid(Registered.SILENT, why=f"no answer within {REGISTRAR_S:g} s")


class _Query:
    def __init__(self, by: Endpoint, trunk: Trunk, settings: Registration, at: Uri, hops: list[Hop]) -> None:
        user, _, domain = settings.user.partition("@")
        self._by: Final = by
        self._trunk: Final = trunk
        self._record: Final = Uri("sip", user, domain or at.host)
        self._hops: Final = hops
        self._call_id: Final = secrets.token_hex(16)
        self._cseq = count(1)
        self._future: Final[asyncio.Future[RegistrarSaid]] = asyncio.get_running_loop().create_future()

    async def answer(self) -> RegistrarSaid:
        hosts = {hop.remote.host for hop in self._hops}
        proves = Authenticator(self._trunk.credentials, lambda host: host in hosts)
        began = self._by.now()

        def responded(client: ClientTransaction, status: int, response: Response | None) -> None:
            if status < 200 or self._future.done():
                return
            proof = response and proves.answer(response, client.request, client.hop)
            if proof:
                attempts.again(self._request(carried(client.request, proof)))
                return
            self._future.set_result(self._said(client, status, response, self._by.now() - began))

        attempts = Attempts(self._by, self._hops, lambda hop: self._request(()), responded)
        attempts.start()
        try:
            return await self._future
        finally:
            attempts.abandon()

    def _request(self, fields: Iterable[tuple[str, str]]) -> Request:
        record = NameAddr("", self._record)
        headers = Headers()
        headers.add("Max-Forwards", "70")
        headers.add("From", str(record.with_tag(new_tag())))
        headers.add("To", str(record))
        headers.add("Call-ID", self._call_id)
        headers.add("CSeq", f"{next(self._cseq)} REGISTER")
        for name, value in fields:
            headers.add(name, value)
        return Request("REGISTER", Uri("sip", None, self._record.host), headers, b"")

    def _said(
        self, client: ClientTransaction, status: int, response: Response | None, took_s: float
    ) -> RegistrarSaid:
        if response is None:
            why = self._by.transports.failure(client.hop) or _silence(client.hop, status)
            return RegistrarSaid(Registered.SILENT, status, why)
        reply = reply_of(response, took_s)
        if status < 300:
            ends = _expiries(response)
            outcome = Registered.KNOWN if ends else Registered.NOT_KNOWN
            known = [end for end in ends if end is not None]
            return RegistrarSaid(outcome, status, "", len(ends), max(known, default=None), reply)
        if status in (401, 407):
            proven = {"authorization", "proxy-authorization"} & set(client.request.headers.names())
            if proven:
                outcome = Registered.PASSWORD_REFUSED
            else:
                outcome = Registered.UNANSWERABLE if self._trunk.credentials else Registered.NO_CREDENTIALS
            why = "its challenge cannot be answered: another realm, or an algorithm that we do not have"
            return RegistrarSaid(outcome, status, why, reply=reply)
        return RegistrarSaid(Registered.REFUSED, status, response.reason, reply=reply)


def _expiries(response: Response) -> list[float | None]:
    """Of each contact that is registered, how long it still holds."""
    found: list[float | None] = []
    for text in response.headers.get_all("Contact"):
        try:
            contact = NameAddr.parse(text)
        except (UriError, ParseError):
            continue
        found.append(delta_seconds(contact.param("expires")))
    return found
