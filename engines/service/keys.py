"""API keys of a service: who asks. Without any the service is open, which is for this machine alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from engines.service.errors import ServiceError

_bearer = HTTPBearer(auto_error=False, description="A key of the configuration")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]

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

    async def client(self, credentials: _Credentials) -> str:
        """A dependency of routes that need a key."""
        return self.check(credentials.credentials if credentials else None)

    def check_socket(self, socket: WebSocket) -> str:
        """The same for a WebSocket that is not accepted yet. Browsers can set no header: `?key=` serves,
        too."""
        scheme, _, key = socket.headers.get("authorization", "").partition(" ")
        return self.check(key if scheme.lower() == "bearer" else socket.query_params.get("key"))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _refused(message: str, code: str) -> ServiceError:
    return ServiceError(401, message, code=code, headers={"WWW-Authenticate": "Bearer"})
