"""API keys: who asks, and what the key allows."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from engines.service.keys import is_local
from ivr.api.audited import asked_by, operator_named
from ivr.api.problems import FORBIDDEN, UNAUTHENTICATED, ProblemError
from ivr.config import ApiKey, Scope

_bearer = HTTPBearer(auto_error=False, description="A key of the configuration")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the name that the configuration gives to the key, and who uses it, where such a key may say
    so (`X-Operator`, scope `audit:write`)."""

    name: str
    operator: str | None = None

    @property
    def who(self) -> str:
        """The person, where one is known, else the key's holder."""
        return self.operator or self.name


class Keys:
    """The keys of the configuration by name; compared so that the time taken tells nothing about them."""

    def __init__(self, keys: Mapping[str, ApiKey]) -> None:
        self._keys = tuple((name, _digest(key.key), frozenset(key.scopes)) for name, key in keys.items())

    def check(
        self, credentials: HTTPAuthorizationCredentials | None, scope: Scope, operator: str | None = None
    ) -> Client:
        """Gives the client; raises the problem that answers 401 or 403. `operator` is who uses the key, by
        the request's own word."""
        if credentials is None:
            raise _unauthenticated("the request has no key", 'Bearer realm="ivr"')
        digest = _digest(credentials.credentials)
        found = None
        for name, known, scopes in self._keys:
            if hmac.compare_digest(digest, known):
                found = name, scopes
        if found is None:
            raise _unauthenticated("the key is not known", 'Bearer realm="ivr", error="invalid_token"')
        name, scopes = found
        client = Client(name, operator_named(operator) if "audit:write" in scopes else None)
        asked_by(client.name, client.operator)
        if scope not in scopes:
            challenge = f'Bearer realm="ivr", error="insufficient_scope", scope="{scope}"'
            detail = f"the key {name!r} lacks the scope {scope}"
            raise ProblemError(FORBIDDEN, detail, {"WWW-Authenticate": challenge}, scope=scope)
        return client

    def needs(self, scope: Scope) -> Callable[..., Awaitable[Client]]:
        """A dependency of routes that need the scope."""

        async def client(request: Request, credentials: _Credentials) -> Client:
            return self.check(credentials, scope, request.headers.get("x-operator"))

        return client

    def needs_unless_local(self, scope: Scope) -> Callable[..., Awaitable[None]]:
        """The same, for routes that this machine may read without a key: a monitoring agent beside the
        server.

        A request with a trace of a proxy is not local, whatever its address: the proxy's clients are
        anywhere.
        """

        async def client(request: Request, credentials: _Credentials) -> None:
            if not is_local(request):
                self.check(credentials, scope)

        return client


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _unauthenticated(detail: str, challenge: str) -> ProblemError:
    return ProblemError(UNAUTHENTICATED, detail, {"WWW-Authenticate": challenge})
