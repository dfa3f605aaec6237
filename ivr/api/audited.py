"""Every request that changes something is written to the audit log, before it is answered.

A route need not do anything for it: its tag and name say what was asked (`calls.hang_up`), the first
parameter of its path for what, the key by whom. A route that knows more says so with `about`; one that
changed nothing after all, or writes an entry of its own, says `nothing_done`.
"""

from __future__ import annotations

import logging
import re
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivr.masking import mask_number
from ivr.store import AuditEntry, Store, StoreError, new_id

log = logging.getLogger(__name__)

WRITE_S: Final = 0.5
"""How long an answer waits for its entry: a slow disk must not keep an operator from hanging up."""

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NUMBERS: Final = frozenset({"number"})
"""Parameters of paths that are telephone numbers."""

_OPERATOR: Final = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


@dataclass(slots=True)
class _Asked:
    """What is known of the request that is being answered. Without a client nobody is known to have asked."""

    client: str | None = None
    operator: str | None = None
    target: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    counts: bool = True


_asked: ContextVar[_Asked | None] = ContextVar("asked", default=None)


def asked_by(client: str, operator: str | None) -> None:
    """The request has a key that is known."""
    if (asked := _asked.get()) is not None:
        asked.client, asked.operator = client, operator


def about(target: str | None = None, **details: Any) -> None:
    """What the request is about, in ids and names: no numbers, no words of callers, no secrets."""
    if (asked := _asked.get()) is not None:
        asked.target = asked.target if target is None else target
        asked.details |= details


def nothing_done() -> None:
    """The request changes nothing, or its entry is written by itself."""
    if (asked := _asked.get()) is not None:
        asked.counts = False


def operator_named(header: str | None) -> str | None:
    """The name in an `X-Operator` header, which may be percent-encoded UTF-8; None where there is none that
    can be kept."""
    name = unquote(header or "").strip()
    return name if _OPERATOR.fullmatch(name) else None


def outcome_of(status: int) -> str:
    """`done`, `refused` (4xx) or `failed` (5xx)."""
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"


class Audit:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _CHANGING:
            await self._app(scope, receive, send)
            return
        asked = _Asked()
        before = _asked.set(asked)
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                await self._keep(asked, scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            if not answered:
                await self._keep(asked, scope, 500)
            raise
        finally:
            _asked.reset(before)

    async def _keep(self, asked: _Asked, scope: Scope, status: int) -> None:
        if asked.client is None or not asked.counts:
            return
        outcome = outcome_of(status)
        details = asked.details if outcome == "done" else {**asked.details, "status": status}
        entry = AuditEntry(
            id=new_id(),
            at=time.time(),
            client=asked.client,
            operator=asked.operator,
            action=_action(scope),
            target=asked.target or _target(scope),
            outcome=outcome,
            details=details,
        )
        await write(self._store, entry)


async def write(store: Store, entry: AuditEntry) -> None:
    """Durable when this returns, or logged: what is done is done, and a store that is down must not keep
    anybody from it."""
    try:
        await store.keep_audit(entry, deadline_s=WRITE_S)
    except StoreError as error:
        who = entry.client if entry.operator is None else f"{entry.operator} ({entry.client})"
        log.error(
            "not in the audit log yet: %s of %s by %s, %s: %s",
            entry.action, entry.target, who, entry.outcome, error,
        )  # fmt: skip


def _action(scope: Scope) -> str:
    route = scope.get("route")
    tag = next(iter(getattr(route, "tags", None) or ()), "api").replace(" ", "_")
    return f"{tag}.{getattr(route, 'name', scope['method'].lower())}"


def _target(scope: Scope) -> str | None:
    """The first parameter of the path; one that is a telephone number is masked, for entries are never
    erased."""
    for name, value in scope.get("path_params", {}).items():
        return mask_number(str(value)) if name in _NUMBERS else str(value)
    return None
