"""Connects to a target by TCP and TLS, as the SIP stack would, and looks at its certificate."""

from __future__ import annotations

import asyncio
import errno
import ssl
from contextlib import suppress
from typing import Any, Final

from ivr.doctor.facts import Certificate, Connected, Distrust, Handshake, Refusal
from sip.contexts import Contexts
from sip.hop import Address
from sip.tcp import CONNECT_S
from sip.tls import ServerTls, TlsPeer

LINGER_S: Final = 0.3
"""How long after a handshake a refusal may come: TLS 1.3 tells then that it misses our certificate."""
_CLOSE_S: Final = 0.5
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the ssl module has no name for."""

_REFUSALS: Final = {
    errno.ECONNREFUSED: Refusal.REFUSED,
    errno.ETIMEDOUT: Refusal.SILENT,
    errno.ENETUNREACH: Refusal.UNREACHABLE,
    errno.EHOSTUNREACH: Refusal.UNREACHABLE,
}
_DISTRUSTS: Final = {
    9: Distrust.NOT_YET_VALID,
    10: Distrust.EXPIRED,
    18: Distrust.SELF_SIGNED,
    19: Distrust.UNKNOWN_AUTHORITY,
    20: Distrust.UNKNOWN_AUTHORITY,
    21: Distrust.UNKNOWN_AUTHORITY,
    62: Distrust.WRONG_NAME,
    64: Distrust.WRONG_NAME,
}
"""By OpenSSL's X509_V_ERR codes."""


async def connect(remote: Address, ours: str | None) -> Connected:
    """Opens a TCP connection and closes it; `ours` is the address to dial from, None: any."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(*remote, local_addr=_from(ours))
    except TimeoutError:
        return Connected(loop.time() - began, Refusal.SILENT, f"no answer within {CONNECT_S:g} s")
    except OSError as error:
        refusal = _REFUSALS.get(error.errno or 0, Refusal.OTHER)
        return Connected(loop.time() - began, refusal, _words(error))
    took_s = loop.time() - began
    await _close(writer)
    return Connected(took_s)


async def handshake(remote: Address, ours: str | None, peer: TlsPeer, contexts: Contexts) -> Handshake:
    """A TLS handshake with the trunk's settings; where the certificate is not accepted, what it says is
    read all the same. Raises OSError for files of the settings that cannot be used."""
    context = contexts.client(peer.settings)
    try:
        return await _shake(remote, ours, peer.name, context)
    except ssl.SSLCertVerificationError as error:
        distrust = _DISTRUSTS.get(error.verify_code, Distrust.OTHER)
        seen = await _unverified(remote, ours, peer.name)
        return Handshake(peer.name, certificate=seen, distrust=distrust, error=error.verify_message)
    except (OSError, ValueError) as error:  # ValueError: a name that no certificate can carry
        return Handshake(peer.name, error=_words(error))


async def _shake(remote: Address, ours: str | None, name: str, context: ssl.SSLContext) -> Handshake:
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(
            *remote, local_addr=_from(ours), ssl=context, server_hostname=name
        )
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                if not await reader.read(1):
                    raise ConnectionResetError("it closes the connection after the handshake")
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        cipher = tls.cipher()
        found = _certificate(tls.getpeercert() or {})
        return Handshake(name, tls.version() or "", cipher[0] if cipher else "", found)
    finally:
        await _close(writer)


async def _unverified(remote: Address, ours: str | None, name: str) -> Certificate | None:
    """What a certificate says that nobody vouches for. Nothing is ever sent over such a connection.

    The ssl module shows only verified certificates; so it is taken first, and then verified against itself.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        der = await _shown(remote, ours, name, context, binary=True)
        if not isinstance(der, bytes):
            return None
        context = _trusting()
        context.load_verify_locations(cadata=der)
        shown = await _shown(remote, ours, name, context, binary=False)
    except (OSError, ValueError):
        return None
    return _certificate(shown) if isinstance(shown, dict) else None


def own_certificate(settings: ServerTls) -> Certificate | None:
    """What our own certificate says, learned from a handshake with ourselves in memory; None where it does
    not come off. Raises OSError that names the file that cannot be used."""
    ours = Contexts(ServerTls(settings.certificate, settings.key)).server()
    theirs = _trusting()
    try:
        theirs.load_verify_locations(settings.certificate)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = theirs.wrap_bio(back, there)
        server = ours.wrap_bio(there, back, server_side=True)
        for side in (client, server, client):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        return _certificate(client.getpeercert() or {})
    except (OSError, ValueError):
        return None


def _trusting() -> ssl.SSLContext:
    """Verifies against whatever it is given, at any time and for any name: to read, not to believe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    return context


async def _shown(
    remote: Address, ours: str | None, name: str, context: ssl.SSLContext, *, binary: bool
) -> Any:
    async with asyncio.timeout(CONNECT_S):
        _, writer = await asyncio.open_connection(
            *remote, local_addr=_from(ours), ssl=context, server_hostname=name
        )
    try:
        return writer.get_extra_info("ssl_object").getpeercert(binary)
    finally:
        await _close(writer)


def _certificate(shown: dict[str, Any]) -> Certificate | None:
    """From what `getpeercert` gives; None where nothing was verified."""
    if "notAfter" not in shown:
        return None
    names = tuple(name for kind, name in shown.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    issuer = {key: value for part in shown.get("issuer", ()) for key, value in part}
    return Certificate(
        names=names,
        issuer=issuer.get("organizationName") or issuer.get("commonName") or "nobody",
        not_before=float(ssl.cert_time_to_seconds(shown["notBefore"])),
        not_after=float(ssl.cert_time_to_seconds(shown["notAfter"])),
    )


def _from(ours: str | None) -> tuple[str, int] | None:
    return None if ours is None else (ours, 0)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        async with asyncio.timeout(_CLOSE_S):
            await writer.wait_closed()


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_S:g} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
