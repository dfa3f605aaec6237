"""Certificate files for tests, of authorities that exist for one test only."""

from __future__ import annotations

import datetime
from pathlib import Path

import trustme

from sip.tls import ClientTls, ServerTls


class Authority:
    """An authority with a folder for what it issues."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.path = str(folder / f"{name}.pem")
        self._ca.cert_pem.write_to_path(self.path)

    def issue(self, *names: str, expired: bool = False) -> tuple[str, str]:
        """The paths of a certificate for these names, with its chain, and of its key."""
        end = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        made = self._ca.issue_cert(
            *names,
            not_before=end - datetime.timedelta(days=1) if expired else None,
            not_after=end if expired else None,
            key_type=trustme.KeyType.ECDSA,
        )
        stem = f"{names[0].replace(':', '-')}{'-expired' if expired else ''}"
        certificate, key = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)

    def server(self, *names: str, expired: bool = False, **asks: object) -> ServerTls:
        return ServerTls(*self.issue(*names, expired=expired), **asks)  # type: ignore[arg-type]

    def client(self, server_name: str | None = None, **more: str | bool) -> ClientTls:
        """Settings that trust this authority."""
        return ClientTls(ca=self.path, server_name=server_name, **more)  # type: ignore[arg-type]
