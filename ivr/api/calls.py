"""The routes about calls."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import FileResponse
from pydantic import Field

from ivr.api.audited import about
from ivr.api.auth import Client, Keys
from ivr.api.gateway import CallRequest, Gateway
from ivr.api.models import (
    Accepted,
    CallDetail,
    CallList,
    InitiateRequest,
    Key,
    Problem,
    detail,
    href,
    short,
)
from ivr.api.problems import (
    INVALID,
    NO_MESSAGE,
    NO_RECORDING,
    NOT_LIVE,
    STILL_RECORDING,
    SUPPRESSED,
    UNKNOWN_CALL,
    ProblemError,
    fields,
)
from ivr.store import CallQuery, CallRecord, CallState, IdempotencyConflict, Store

_PHRASES: Final = {
    401: "No key, or an unknown one",
    403: "The key lacks the scope, or the trunk may not be used for this",
    404: "There is no such thing",
    409: "It cannot be done now, or was done otherwise",
    412: "It has changed meanwhile",
    422: "Something in the request is wrong; `fields` names it",
    428: "A condition is missing; the problem says which",
    502: "A service elsewhere failed",
    503: "Not now; Retry-After says when",
}

_Number = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^*\x00-\x1f\x7f]+\*?$")]

Responses = dict[int | str, dict[str, Any]]


def errors(*statuses: int) -> Responses:
    """How the documentation tells of errors; a key may always be missing or lack the scope, input may be
    odd.
    """
    return {status: {"model": Problem, "description": _PHRASES[status]} for status in (401, 403, *statuses)}


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/voice", tags=["calls"])
    read, write = keys.needs("calls:read"), keys.needs("calls:write")
    listen, asking = keys.needs("recordings:read"), Depends(write)

    @router.post(
        "/call/initiate",
        status_code=202,
        response_model=Accepted,
        responses=errors(404, 409, 422, 503),
        summary="Place a call",
    )
    async def initiate(
        body: InitiateRequest,
        response: Response,
        idempotency_key: Annotated[Key | None, Header()] = None,
        client: Client = asking,
    ) -> Accepted:
        """Stores the call and answers; dialling follows. Ask for the call, or await the webhook, to learn
        how
        it went."""
        key = _one_key(body.idempotency_key, idempotency_key)
        request = CallRequest(
            to=body.to,
            flow=body.flow,
            params=body.params,
            trunk=body.trunk,
            caller_id=body.caller_id,
            language=body.language,
            headers=body.headers,
            screening=None if body.answering_machine is None else body.answering_machine.screening(),
            # One client's keys are nothing to another.
            idempotency_key=None if key is None else f"{client.name}:{key}",
        )
        accepted = await _repeated(request)
        if accepted is None:
            if body.respect_suppressions and await store.suppressions.get(gateway.check(request)):
                raise ProblemError(SUPPRESSED, "whoever has this number asked not to be called")
            call_id = await gateway.initiate(request)
            accepted = Accepted(id=call_id, state=CallState.CREATED, href=href(call_id))
        about(accepted.id, flow=body.flow)
        response.headers["Location"] = accepted.href
        return accepted

    async def _repeated(request: CallRequest) -> Accepted | None:
        """The call that this request made before. Asked first, so that a repetition succeeds when all lines
        are in use; two at the same time are told apart where the call is stored."""
        if request.idempotency_key is None:
            return None
        found = await store.call_of_key(request.idempotency_key)
        if found is None:
            return None
        record, fingerprint = found
        if fingerprint != request.fingerprint:
            raise IdempotencyConflict(record.id)
        return Accepted(id=record.id, state=record.state, href=href(record.id))

    @router.get(
        "/calls",
        response_model=CallList,
        dependencies=[Depends(read)],
        responses=errors(422),
        summary="List calls",
    )
    async def list_calls(
        state: CallState | None = None,
        flow: str | None = None,
        caller: Annotated[_Number | None, Query(description="A number, or its beginning and `*`")] = None,
        called: Annotated[_Number | None, Query(description="The same of the number called")] = None,
        number: Annotated[_Number | None, Query(description="The same of either")] = None,
        cause: Annotated[str | None, Query(max_length=64, description="How it ended")] = None,
        since: Annotated[
            datetime | None, Query(description="Began then or later; UTC unless it says otherwise")
        ] = None,
        until: Annotated[datetime | None, Query(description="Began before then")] = None,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> CallList:
        """Newest first."""
        try:
            query = CallQuery(state, flow, caller, called, number, cause, unix(since), unix(until))
            page = await store.list_calls(query, cursor=cursor, limit=limit)
        except ValueError as error:
            raise ProblemError(INVALID, str(error), fields=fields({"cursor": str(error)})) from error
        return CallList(calls=[short(record) for record in page.calls], next=page.next)

    @router.get(
        "/calls/{call_id}",
        response_model=CallDetail,
        dependencies=[Depends(read)],
        responses=errors(404),
        summary="One call: state, events, result, quality",
    )
    async def get_call(call_id: str) -> CallDetail:
        record = await find_call(store, call_id)
        events = await store.list_events(call_id)
        return detail(record, events, gateway.live(call_id))

    @router.get(
        "/calls/{call_id}/recording",
        response_class=FileResponse,
        dependencies=[Depends(listen)],
        responses={**errors(404, 409), 206: {"description": "The range asked for"}},
        summary="The recording: stereo WAV, caller left, server right",
    )
    async def recording(call_id: str) -> FileResponse:
        """Answers range requests, so that a player can seek."""
        record = await find_call(store, call_id)
        found = await _sound(record.recording, f"{call_id}.wav")
        if found is None:
            raise ProblemError(NO_RECORDING, "the call has no recording")
        if record.state is not CallState.ENDED:
            raise ProblemError(STILL_RECORDING, "the call still lives")
        return found

    @router.get(
        "/calls/{call_id}/messages/{name}",
        response_class=FileResponse,
        dependencies=[Depends(listen)],
        responses={**errors(404, 409), 206: {"description": "The range asked for"}},
        summary="A message that was left in the call: mono WAV",
    )
    async def message(call_id: str, name: str) -> FileResponse:
        """`messages` of the call lists them. One can be fetched as soon as it is over, while the call still
        lives."""
        record = await find_call(store, call_id)
        left = record.messages.get(name)
        found = None if left is None else await _sound(left.path, f"{call_id}-{name}.wav")
        if left is None or found is None:
            raise ProblemError(NO_MESSAGE, "the call has no such message", known=list(record.messages))
        if left.duration_ms is None and record.state is not CallState.ENDED:
            raise ProblemError(STILL_RECORDING, "the message is being spoken")
        return found

    @router.post(
        "/calls/{call_id}/hangup",
        status_code=202,
        response_model=Accepted,
        dependencies=[Depends(write)],
        responses=errors(404, 409),
        summary="End a live call",
    )
    async def hang_up(call_id: str) -> Accepted:
        record = await find_call(store, call_id)
        if not await gateway.hang_up(call_id):
            raise ProblemError(NOT_LIVE, "the call is not live on this server", state=record.state.value)
        return Accepted(id=call_id, state=record.state, href=href(call_id))

    @router.delete(
        "/calls/{call_id}",
        status_code=204,
        dependencies=[Depends(write)],
        responses=errors(404, 409),
        summary="Delete the personal data of an ended call",
    )
    async def erase(call_id: str) -> None:
        """Numbers, parameters, headers, result, who answered, what was said, recording, messages and
        deliveries still waiting are deleted for good; prompts that spoke values are forgotten. That there was
        a call, when, of which flow and how it ended stays."""
        record = await find_call(store, call_id)
        for path in await store.erase_call(record.id, time.time()):
            await asyncio.to_thread(Path(path).unlink, missing_ok=True)
        gateway.forget_personal()

    return router


async def find_call(store: Store, call_id: str) -> CallRecord:
    """Raises the problem that answers 404."""
    record = await store.get_call(call_id)
    if record is None:
        raise ProblemError(UNKNOWN_CALL, "no call has this id")
    return record


def _one_key(in_body: str | None, in_header: str | None) -> str | None:
    if in_body is not None and in_header is not None and in_body != in_header:
        message = "differs from the header Idempotency-Key"
        raise ProblemError(
            INVALID, f"idempotency_key: {message}", fields=fields({"idempotency_key": message})
        )
    return in_body if in_body is not None else in_header


def unix(at: datetime | None) -> float | None:
    """A time of a request, which is UTC unless it says otherwise."""
    if at is None:
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


async def _sound(path: str | None, name: str) -> FileResponse | None:
    """A file as it is there now."""
    found = None if path is None else await asyncio.to_thread(_stat, Path(path))
    if path is None or found is None:
        return None
    return FileResponse(
        path,
        media_type="audio/wav",
        filename=name,
        stat_result=found,
        headers={"Cache-Control": "private, no-store"},
    )


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat() if path.is_file() else None
    except OSError:
        return None
