"""The routes about campaigns."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from ivr.api.audited import about
from ivr.api.auth import Client, Keys
from ivr.api.calls import errors, unix
from ivr.api.campaign_contacts import SHOWN, Checked, check, leave_out_known, rows_of
from ivr.api.campaign_contacts import store as store_contacts
from ivr.api.campaign_models import (
    CampaignDetail,
    CampaignList,
    CampaignRequest,
    CampaignShort,
    ContactList,
    Uploaded,
    contact_shown,
    detail,
    href,
    pace_of,
    short,
)
from ivr.api.gateway import FlowFace, Gateway, UnknownFlow, UnknownTrunk
from ivr.api.problems import BAD_TABLE, INVALID, NO_CAMPAIGN, NO_CONTACT, ProblemError, fields
from ivr.campaigns.model import Campaign, ContactState, Spec, State
from ivr.campaigns.table import read_contacts, write_rows
from ivr.store import Store, new_id
from ivr.store.campaigns import ContactResult

PATH: Final = "/api/voice/campaigns"
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a table of contacts."""

MOST_REQUEST_BYTES: Final = 1024 * 1024
"""Of a request that makes a campaign, with contacts in it."""

CSV: Final = "text/csv"
_TABLE: Final = "to,guest,at\n+919876543210,आशा,19:30\n"
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A table in CSV, UTF-8, 16 MiB and 100,000 rows at most: `to`, a column for each "
        "parameter of the flow, and `timezone` where contacts have one of their own",
        "content": {CSV: {"schema": {"type": "string"}, "example": _TABLE}},
    }
}
_RESULTS: Final[dict[str, Any]] = {CSV: {"schema": {"type": "string"}}}
_OPEN: Final = frozenset(state for state in State if not state.over)
_Contact = Annotated[int, Path(ge=1, le=2**31 - 1)]


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix=PATH, tags=["campaigns"])
    read, write = Depends(keys.needs("campaigns:read")), keys.needs("campaigns:write")
    writing = Depends(write)
    book = store.campaigns

    async def find(campaign_id: str) -> Campaign:
        found = await book.get(campaign_id)
        if found is None:
            raise ProblemError(NO_CAMPAIGN, "no campaign has this id")
        return found

    async def shown(campaign_id: str) -> CampaignDetail:
        return detail(await find(campaign_id), await book.all_figures(campaign_id))

    @router.post(
        "",
        status_code=201,
        response_model=CampaignShort,
        responses=errors(403, 404, 409, 422, 503),
        summary="Make a campaign",
    )
    async def create(body: CampaignRequest, response: Response, client: Client = writing) -> CampaignShort:
        """It is a draft: it calls nobody before it is started. With contacts that cannot be called it is
        refused, with what is wrong with each."""
        spec = _spec(body, gateway)
        checked = await check(rows_of(body.contacts), spec, gateway)
        if checked.count:
            named = {f"contacts.{each.line - 1}.{each.column}": each.message for each in checked.faults}
            text = f"{checked.count} of the contacts cannot be called"
            raise ProblemError(INVALID, text, fields=fields(named))
        campaign = Campaign(new_id(), body.name, State.DRAFT, spec, time.time(), client.who)
        await book.create(campaign)
        await store_contacts(checked, campaign, book)
        about(campaign.id, flow=spec.flow, contacts=len(checked.good))
        response.headers["Location"] = href(campaign.id)
        return short(campaign, (await book.figures([campaign.id]))[campaign.id])

    @router.get(
        "",
        response_model=CampaignList,
        dependencies=[read],
        responses=errors(422, 503),
        summary="List campaigns",
    )
    async def list_campaigns(
        state: State | None = None,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> CampaignList:
        """Newest first."""
        try:
            found, after = await book.page(state=state, cursor=cursor, limit=limit)
        except ValueError as error:
            raise ProblemError(INVALID, str(error), fields=fields({"cursor": str(error)})) from error
        figures = await book.figures([each.id for each in found])
        return CampaignList(campaigns=[short(each, figures[each.id]) for each in found], next=after)

    @router.get(
        "/{campaign_id}",
        response_model=CampaignDetail,
        dependencies=[read],
        responses=errors(404, 503),
        summary="One campaign: how far it is, and what came of its calls",
    )
    async def get_campaign(campaign_id: str) -> CampaignDetail:
        return await shown(campaign_id)

    @router.post(
        "/{campaign_id}/start",
        response_model=CampaignDetail,
        dependencies=[writing],
        responses=errors(404, 409, 503),
        summary="Start a campaign, or let it go on",
    )
    async def start(campaign_id: str) -> CampaignDetail:
        """Contacts are called from `starts_at` on, or at once, within the hours."""
        campaign, now = await find(campaign_id), time.time()
        later = campaign.spec.starts_at is not None and campaign.spec.starts_at > now
        to = State.SCHEDULED if later else State.RUNNING
        await book.move(campaign_id, frozenset({State.DRAFT, State.PAUSED}), to, now)
        return await shown(campaign_id)

    @router.post(
        "/{campaign_id}/pause",
        response_model=CampaignDetail,
        dependencies=[writing],
        responses=errors(404, 409, 503),
        summary="Call nobody for a while",
    )
    async def pause(campaign_id: str) -> CampaignDetail:
        """Calls under way end as they do. `start` lets it go on."""
        of = frozenset({State.SCHEDULED, State.RUNNING})
        await book.move(campaign_id, of, State.PAUSED, time.time())
        return await shown(campaign_id)

    @router.post(
        "/{campaign_id}/cancel",
        response_model=CampaignDetail,
        dependencies=[writing],
        responses=errors(404, 409, 503),
        summary="Call nobody any more",
    )
    async def cancel(campaign_id: str) -> CampaignDetail:
        """For good. Calls under way end as they do."""
        await book.move(campaign_id, _OPEN, State.CANCELLED, time.time())
        return await shown(campaign_id)

    @router.delete(
        "/{campaign_id}",
        status_code=204,
        dependencies=[writing],
        responses=errors(404, 409, 503),
        summary="Delete a campaign with its contacts",
    )
    async def delete(campaign_id: str) -> None:
        """One that is over, or was never started. The records of its calls stay."""
        await book.drop(campaign_id)

    @router.post(
        "/{campaign_id}/contacts",
        response_model=Uploaded,
        dependencies=[writing],
        responses=errors(404, 409, 422, 503),
        openapi_extra=_BODY,
        summary="Add contacts from a table",
    )
    async def upload(
        campaign_id: str,
        request: Request,
        skip_bad: Annotated[bool, Query(description="Store the rows without a mistake")] = False,
    ) -> Uploaded:
        """With a mistake in any row nothing is stored, and the answer lists them: line, column, what is
        wrong."""
        campaign = await find(campaign_id)
        face = gateway.face(campaign.spec.flow)
        checked = await check(read_contacts(await request.body(), face.params), campaign.spec, gateway)
        await leave_out_known(checked, campaign, book)
        if checked.count and not skip_bad:
            text = f"{checked.count} of the rows cannot be used"
            raise ProblemError(BAD_TABLE, text, count=checked.count, errors=_told(checked))
        added, suppressed = await store_contacts(checked, campaign, book)
        about(contacts=added, suppressed=suppressed, left_out=checked.count)
        return Uploaded.model_validate(
            {"added": added, "suppressed": suppressed, "count": checked.count, "errors": _told(checked)}
        )

    @router.get(
        "/{campaign_id}/contacts",
        response_model=ContactList,
        dependencies=[read],
        responses=errors(404, 422, 503),
        summary="List the contacts of a campaign",
    )
    async def list_contacts(
        campaign_id: str,
        state: ContactState | None = None,
        cursor: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the page before")] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> ContactList:
        """In the order in which they were added."""
        await find(campaign_id)
        found = await book.contacts(campaign_id, state=state, after=cursor, limit=limit + 1)
        more = found[limit - 1].contact if len(found) > limit else None
        return ContactList(contacts=[contact_shown(each) for each in found[:limit]], next=more)

    @router.delete(
        "/{campaign_id}/contacts/{contact}",
        status_code=204,
        dependencies=[writing],
        responses=errors(404, 409, 422, 503),
        summary="Delete the personal data of a contact",
    )
    async def erase_contact(campaign_id: str, contact: _Contact) -> None:
        """Number and parameters are deleted, and he is not called any more. The records of his calls are
        deleted by `DELETE /api/voice/calls/{id}`, which reaches the contact too."""
        await find(campaign_id)
        about(contact=contact)
        if not await book.erase_contact(campaign_id, contact):
            raise ProblemError(NO_CONTACT, "the campaign has no contact of this number")

    @router.get(
        "/{campaign_id}/results",
        response_class=StreamingResponse,
        dependencies=[read],
        responses={**errors(404, 503), 200: {"content": _RESULTS, "description": "A row for each contact"}},
        summary="All contacts with the results of their calls, as CSV",
    )
    async def results(campaign_id: str) -> StreamingResponse:
        campaign = await find(campaign_id)
        try:
            face = gateway.face(campaign.spec.flow)
        except UnknownFlow:
            face = FlowFace((), {}, ())  # it is gone; what it was for can still be told
        headers = {"Content-Disposition": f'attachment; filename="campaign-{campaign.id}.csv"'}
        return StreamingResponse(_table(campaign, face), media_type=CSV, headers=headers)

    async def _table(campaign: Campaign, face: FlowFace) -> AsyncIterator[str]:
        params, given = tuple(face.params), face.results
        names = [*(f"params.{name}" for name in params), *(f"result.{name}" for name in given)]
        yield write_rows([(*_COLUMNS, *names)])
        async for page in book.results(campaign.id):
            yield write_rows(_row(each, params, given) for each in page)

    return router


_COLUMNS: Final = (
    "contact", "to", "timezone", "state", "attempts", "cause", "answered_at", "ended_at", "call_id",
)  # fmt: skip


def _row(each: ContactResult, params: tuple[str, ...], results: tuple[str, ...]) -> list[object]:
    contact = each.contact
    times = [None if at is None else _iso(at) for at in (each.answered_at, each.call_ended_at)]
    return [
        contact.contact,
        contact.called,
        contact.timezone,
        contact.state.value,
        contact.attempts,
        contact.cause,
        *times,
        contact.call_id,
        *(contact.params.get(name) for name in params),
        *(each.result.get(name) for name in results),
    ]


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _told(checked: Checked) -> list[dict[str, Any]]:
    return [asdict(each) for each in checked.faults[:SHOWN]]


def _spec(body: CampaignRequest, gateway: Gateway) -> Spec:
    """Raises `UnknownFlow`, `UnknownTrunk`, and the problem for what is not allowed."""
    face = gateway.face(body.flow)
    trunks = tuple(each.name for each in gateway.trunks())
    trunk = body.trunk if body.trunk is not None else next(iter(trunks), None)
    if trunk not in trunks:
        raise UnknownTrunk(trunk, trunks)
    wrong: dict[str, str] = {}
    if body.language is not None and body.language not in face.languages:
        wrong["language"] = f"must be one of {', '.join(face.languages)}"
    window, hours = body.window.window(), gateway.campaign_rules.hours
    if not hours.window().covers(window):
        span = f"{hours.opens:%H:%M} to {hours.closes:%H:%M}"
        wrong["window"] = f"must lie within the hours in which campaigns may call, {span} (campaigns.hours)"
    if wrong:
        raise ProblemError(INVALID, "; ".join(f"{k} {v}" for k, v in wrong.items()), fields=fields(wrong))
    assert trunk is not None
    return Spec(
        flow=body.flow,
        trunk=trunk,
        caller_id=body.caller_id,
        language=body.language,
        timezone=body.timezone,
        window=window,
        pace=pace_of(body.pace),
        retries=body.retries.retries(),
        screening=None if body.answering_machine is None else body.answering_machine.screening(),
        starts_at=unix(body.starts_at),
        ends_at=unix(body.ends_at),
    )
