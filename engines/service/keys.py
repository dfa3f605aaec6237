"""API keys of a service: who asks. Without any the service is open, which is for this machine alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, Request, WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from engines.service.errors import ServiceError

_bearer = HTTPBearer(auto_error=False, description="A key of the configuration")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]

OPEN = "anybody"
"""The client's name where no keys are set."""


class Keys:
    """Keys by the name of their holder; compared so that the time taken tells nothing about them."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = tuple((name, _digest(key)) for name, key in keys.items())

    @property
    def open(self) -> bool:
        """Whether anybody may ask."""
        return not self._keys

    def check(self, key: str | None) -> str:
        """The name of the key's holder; raises the `ServiceError` that answers 401."""
        if self.open:
            return OPEN
        if not key:
            raise _refused("the request has no key: send it as `Authorization: Bearer KEY`", "no_api_key")
        digest = _digest(key)
        found = None
        for name, known in self._keys:
            if hmac.compare_digest(digest, known):
                found = name
        if found is None:
            raise _refused("the key is not known", "invalid_api_key")
        return found

    async def client(self, credentials: Credentials) -> str:
        """A dependency of routes that need a key."""
        return self.check(credentials.credentials if credentials else None)

    def check_socket(self, socket: WebSocket) -> str:
        """The same for a WebSocket that is not accepted yet. Browsers can set no header: `?key=` serves,
        too."""
        return self.check(bearer_of(socket.headers) or socket.query_params.get("key"))


def bearer_of(headers: Mapping[str, str]) -> str | None:
    """The key of `Authorization: Bearer KEY`."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" and key else None


def is_local(request: Request) -> bool:
    """Whether this machine asks. A request with a trace of a proxy is not local, whatever its address: the
    proxy's clients are anywhere."""
    traces = {"forwarded", "x-forwarded-for", "via"}
    if request.client is None or not traces.isdisjoint(request.headers.keys()):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _refused(message: str, code: str) -> ServiceError:
    return ServiceError(401, message, code=code, headers={"WWW-Authenticate": "Bearer"})
