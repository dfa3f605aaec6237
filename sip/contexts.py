"""From certificate files to the contexts that connections are made with."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Final

from sip.tls import ClientTls, ServerTls

log = logging.getLogger(__name__)

_ASKED: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


class BadCertificate(OSError):
    """A file cannot be used; the text names it, and says why."""


class Contexts:
    """One context for each setting, made once; TLS 1.2 and later.

    Names are checked by OpenSSL against the DNS names and IP addresses of the certificate. It takes a
    wildcard, which RFC 5922 7.2 does not, because providers use them; the subject's common name counts for
    nothing.
    """

    def __init__(self, server: ServerTls | None) -> None:
        self._settings: Final = server
        self._server: ssl.SSLContext | None = None
        self._written: tuple[float, ...] = ()
        self._clients: dict[ClientTls, ssl.SSLContext] = {}

    @property
    def serves(self) -> bool:
        """Whether we have a certificate to show to who dials us."""
        return self._settings is not None

    def server(self) -> ssl.SSLContext:
        """For those who dial us; raises `BadCertificate` that names the file.

        Files that have changed since are read again; while they cannot be used, what was read before is.
        """
        settings = self._settings
        if settings is None:
            raise BadCertificate("there is no certificate of ours: configure sip.tls")
        written = _written(settings)
        if self._server is not None and written == self._written:
            return self._server
        self._written = written
        try:
            self._server = self._serving(settings)
        except OSError as error:
            if self._server is None:
                raise
            log.error("the renewed certificate is not used: %s", error)
        return self._server

    def _serving(self, settings: ServerTls) -> ssl.SSLContext:
        context = _context(ssl.PROTOCOL_TLS_SERVER)
        _show(context, settings.certificate, settings.key)
        context.verify_mode = _ASKED[settings.client_certificate]
        if settings.client_certificate != "none":
            if settings.ca is None:
                raise BadCertificate("client certificates are asked for, but sip.tls.ca names no authority")
            _trust(context, settings.ca)
        return context

    def client(self, settings: ClientTls) -> ssl.SSLContext:
        """For those whom we dial; raises `BadCertificate` that names the file."""
        context = self._clients.get(settings)
        if context is None:
            context = self._clients[settings] = _client(settings)
        return context


def _written(settings: ServerTls) -> tuple[float, ...]:
    """When the files were written last; those that are not there, never."""
    paths = (settings.certificate, settings.key, settings.ca)
    return tuple(Path(path).stat().st_mtime if path and Path(path).is_file() else 0.0 for path in paths)


def _client(settings: ClientTls) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, settings.ca)
    if settings.certificate is not None:
        _show(context, settings.certificate, settings.key or settings.certificate)
    elif settings.key is not None:
        raise BadCertificate(f"{settings.key}: a key without a certificate")
    return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    _readable(path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise BadCertificate(f"{path}: holds no certificate of an authority (PEM)") from error


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    _readable(certificate)
    _readable(key)

    def passphrase() -> str:
        raise BadCertificate(f"{key}: the key is locked with a passphrase; give one without")

    try:
        context.load_cert_chain(certificate, key, passphrase)
    except ssl.SSLError as error:
        detail = (
            "the key is not that of the certificate" if "MISMATCH" in str(error) else "not readable as PEM"
        )
        raise BadCertificate(f"{certificate}, {key}: {detail}") from error


def _readable(path: str) -> None:
    """OpenSSL's own errors do not have the name of the file."""
    if not Path(path).is_file():
        raise BadCertificate(f"{path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise BadCertificate(f"{path}: the file cannot be read")
