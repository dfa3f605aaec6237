"""The routes of the audit log."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ivr.api.audited import nothing_done
from ivr.api.auth import Client, Keys
from ivr.api.calls import errors, unix
from ivr.api.models import utc
from ivr.api.problems import INVALID, ProblemError, fields
from ivr.store import AuditEntry, AuditQuery, Store, new_id

REPORTED: Final = "dashboard."
"""What is reported gets this before its name: nobody can make an entry that looks like one of ours."""

LATE_S: Final = 7 * 86400
"""How late something may be reported; who cannot reach us keeps it until he can."""

_AHEAD_S: Final = 60.0
"""How far another machine's clock may be ahead of ours."""

_MOST_DETAILS: Final = 16
_ENTRY: Final[dict[str, Any]] = {
    "id": "019aab1c-6d2e-7b1f-9c44-52a1f0a0c7de",
    "at": "2025-11-22T09:30:00.120000Z",
    "client": "dashboard",
    "operator": "asha",
    "action": "calls.hang_up",
    "target": "019aab1b-0f2e-7b1f-9c44-6a1fb0a0c7ff",
    "outcome": "done",
    "detail": {},
}
_Text = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Detail = Annotated[str, Field(max_length=200)] | int | float | bool | None


class AuditedAction(BaseModel):
    """Something that somebody did. `outcome`: `done`, `refused`, `failed`, or what a client reported."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})

    id: str
    at: datetime
    client: str = Field(description="The holder of the API key")
    operator: str | None = Field(description="Who used it, where the key may say so (`audit:write`)")
    action: str
    target: str | None = Field(description="The id or name of what it was done to")
    outcome: str
    detail: dict[str, Any]


class AuditList(BaseModel):
    """What was done, newest first. `next` is the `cursor` of the page behind; null at the end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"entries": [_ENTRY], "next": None}]})

    entries: list[AuditedAction]
    next: str | None


class AuditReport(BaseModel):
    """Something that happened at the dashboard: a log-in, a wrong password, a role that was given."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"action": "login", "operator": "asha", "outcome": "refused", "detail": {"why": "password"}}
            ]
        },
    )

    action: Annotated[str, Field(max_length=64, pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")] = Field(
        description="What was done; it is kept as `dashboard.` and this"
    )
    operator: Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = Field(
        default=None, description="Who; default: the header X-Operator"
    )
    at: datetime | None = Field(
        default=None,
        description="When, within the last seven days; UTC unless it says otherwise; default: now",
    )
    address: Annotated[str, Field(max_length=64, pattern=r"^[0-9A-Za-z.:%_-]*$")] | None = Field(
        default=None, description="Where the person is, as an IP address"
    )
    target: _Text | None = None
    outcome: Annotated[str, Field(max_length=32, pattern=r"^[a-z][a-z_]*$")] = "done"
    detail: dict[Annotated[str, Field(min_length=1, max_length=64)], _Detail] = Field(
        default={}, description="At most 16 short values; no secrets, no personal data beyond ids"
    )

    @field_validator("detail")
    @classmethod
    def _few(cls, detail: dict[str, Any]) -> dict[str, Any]:
        if len(detail) > _MOST_DETAILS:
            raise ValueError(f"there are more than {_MOST_DETAILS} values")
        return detail

    @field_validator("at")
    @classmethod
    def _lately(cls, at: datetime | None) -> datetime | None:
        now, then = time.time(), unix(at)
        if then is not None and not now - LATE_S <= then <= now + _AHEAD_S:
            raise ValueError("is in the future, or longer ago than seven days")
        return at


def routes(store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/admin", tags=["audit"])
    read, write = keys.needs("audit:read"), keys.needs("audit:write")

    @router.get(
        "/audit",
        response_model=AuditList,
        dependencies=[Depends(read)],
        responses=errors(422, 503),
        summary="Who did what",
    )
    async def list_audit(
        client: _Text | None = None,
        operator: _Text | None = None,
        action: _Text | None = None,
        target: Annotated[_Text | None, Query(description="The id of a call, the name of a flow")] = None,
        outcome: _Text | None = None,
        since: Annotated[
            datetime | None, Query(description="Then or later; UTC unless it says otherwise")
        ] = None,
        until: Annotated[datetime | None, Query(description="Before then")] = None,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> AuditList:
        """Newest first. Every request that changes something has an entry: its `action` is the tag and the
        name of the route, as `calls.hang_up`, `flows.put_flow`, `engines.switch`."""
        query = AuditQuery(client, operator, action, target, outcome, unix(since), unix(until))
        try:
            page = await store.list_audit(query, cursor=cursor, limit=limit)
        except ValueError as error:
            raise ProblemError(INVALID, str(error), fields=fields({"cursor": str(error)})) from error
        return AuditList(entries=[shown(entry) for entry in page.entries], next=page.next)

    @router.post(
        "/audit",
        status_code=201,
        response_model=AuditedAction,
        responses=errors(422, 503),
        summary="Write down what happened at the dashboard",
    )
    async def report(body: AuditReport, client: Client = Depends(write)) -> AuditedAction:  # noqa: B008
        """Durable when this is answered."""
        nothing_done()  # but this entry
        entry = AuditEntry(
            id=new_id(),
            at=unix(body.at) or time.time(),
            client=client.name,
            operator=body.operator or client.operator,
            action=f"{REPORTED}{body.action.removeprefix(REPORTED)}",
            target=body.target,
            outcome=body.outcome,
            details=body.detail | ({"address": body.address} if body.address else {}),
        )
        await store.keep_audit(entry)
        return shown(entry)

    return router


def shown(entry: AuditEntry) -> AuditedAction:
    return AuditedAction(
        id=entry.id,
        at=utc(entry.at),
        client=entry.client,
        operator=entry.operator,
        action=entry.action,
        target=entry.target,
        outcome=entry.outcome,
        detail=dict(entry.details),
    )
