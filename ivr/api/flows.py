"""The routes about flows: which answer, their texts, and new ones put in place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from ivr.api.audited import about, nothing_done
from ivr.api.auth import Client, Keys
from ivr.api.calls import errors
from ivr.api.flow_models import (
    EXAMPLE_SCENARIOS,
    EXAMPLE_TEXT,
    FlowChanges,
    FlowDetail,
    FlowList,
    FlowPut,
    FlowVersionDetail,
    FlowVersionList,
    flow_change,
    flow_href,
    flow_put,
    flow_short,
    version_short,
)
from ivr.api.gateway import Gateway
from ivr.api.problems import IF_MATCH_NEEDED, NO_SCENARIOS, UNKNOWN_FLOW, UNKNOWN_VERSION, ProblemError
from ivr.library import Entry
from ivr.shelf.keeper import Expected
from ivr.store import Store

YAML: Final = "application/yaml"

_AT_ONCE: Final = 50
"""Flows of a long list that are looked at before live calls have their turn."""

_Name = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,59}$", description="The name of the flow")]
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The flow's YAML text, 512 KiB at most",
        "content": {YAML: {"schema": {"type": "string"}, "example": EXAMPLE_TEXT}},
    }
}
_TEXT: Final[dict[str, Any]] = {YAML: {"schema": {"type": "string"}, "example": EXAMPLE_TEXT}}
_SCENARIOS: Final[dict[str, Any]] = {YAML: {"schema": {"type": "string"}, "example": EXAMPLE_SCENARIOS}}


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/flows", tags=["flows"])
    read, write = keys.needs("flows:read"), keys.needs("flows:write")
    reading, putting = Depends(read), Depends(write)
    flows = gateway.flows
    folder = str(flows.folder)

    @router.get("", response_model=FlowList, dependencies=[reading], responses=errors(), summary="List flows")
    async def list_flows() -> Response:
        calls = gateway.flow_calls()
        shown: list[dict[str, Any]] = []
        for entry in list(flows.library):
            shown.append(flow_short(entry, folder, calls))
            if len(shown) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return JSONResponse({"flows": shown})

    @router.post(
        "/reload",
        response_model=FlowChanges,
        dependencies=[putting],
        responses=errors(503),
        summary="Look at the folder now",
    )
    async def reload() -> Response:
        """What has changed in the folder is taken over at once; without this it is within a second or so."""
        return JSONResponse({"changes": [flow_change(each) for each in await flows.look(settled=False)]})

    @router.get(
        "/{name}",
        response_model=FlowDetail,
        dependencies=[reading],
        responses={**errors(404), 200: {"content": _TEXT, "description": "The flow, or its text alone"}},
        summary="One flow: its text, its version, its problems",
    )
    async def get_flow(name: _Name, accept: Annotated[str, Header()] = "") -> Response:
        """With `Accept: application/yaml` the text alone. The ETag is that of the text."""
        entry = _find(name)
        text = await flows.text(entry)
        if text is None:
            raise ProblemError(UNKNOWN_FLOW, f"the file of {name} cannot be read", known=_known())
        headers = {"ETag": f'"{text.etag}"', "Vary": "Accept", "Cache-Control": "no-cache"}
        if _wants_yaml(accept):
            return Response(text.data, media_type=YAML, headers=headers)
        shown = flow_short(entry, folder, gateway.flow_calls())
        shown |= {"text": text.data.decode(errors="replace"), "etag": text.etag}
        return JSONResponse(shown, headers=headers)

    @router.get(
        "/{name}/scenarios",
        response_class=PlainTextResponse,
        dependencies=[reading],
        responses={**errors(404), 200: {"content": _SCENARIOS, "description": "Their text"}},
        summary="The scenarios of a flow",
    )
    async def get_scenarios(name: _Name) -> Response:
        """What `ivr test` plays: the file `NAME.scenarios.yaml` beside the flow's own."""
        text = await flows.scenarios(_find(name))
        if text is None:
            raise ProblemError(NO_SCENARIOS, f"no scenarios lie beside {name}")
        return Response(text.data, media_type=YAML, headers={"ETag": f'"{text.etag}"'})

    @router.put(
        "/{name}",
        response_model=FlowPut,
        responses={
            **errors(409, 412, 422, 428, 503),
            201: {"model": FlowPut, "description": "A new flow was put in place"},
        },
        openapi_extra=_BODY,
        summary="Check a flow and put it in place",
    )
    async def put_flow(
        name: _Name,
        request: Request,
        response: Response,
        dry_run: Annotated[bool, Query(description="Only check; nothing is changed")] = False,
        if_match: Annotated[str | None, Header(description="The ETag of the text that was edited")] = None,
        if_none_match: Annotated[str | None, Header(description="* for a flow that must be new")] = None,
        client: Client = putting,
    ) -> FlowPut:
        """A text with any problem is refused with all of them, and changes nothing. A flow that is there
        already needs `If-Match`, so that nobody's change is lost. New calls get the new version; live ones
        keep theirs. To go back, put the text of an older version."""
        if dry_run:
            nothing_done()
        expected = _expected(if_match, if_none_match, lax=dry_run)
        put = await flows.put(name, await request.body(), client.name, expected, dry_run=dry_run)
        about(etag=put.etag)
        if put.created and not dry_run:
            response.status_code = 201
            response.headers["Location"] = flow_href(name)
        response.headers["ETag"] = f'"{put.etag}"'
        return flow_put(name, put, dry_run=dry_run)

    @router.get(
        "/{name}/versions",
        response_model=FlowVersionList,
        dependencies=[reading],
        responses=errors(404),
        summary="The history of a flow",
    )
    async def list_versions(name: _Name) -> FlowVersionList:
        versions = await store.flow_versions(name)
        if not versions:
            _find(name)
        return FlowVersionList(name=name, versions=[version_short(version) for version in versions])

    @router.get(
        "/{name}/versions/{hash}",
        response_model=FlowVersionDetail,
        dependencies=[reading],
        responses={**errors(404), 200: {"content": _TEXT, "description": "The version, or its text alone"}},
        summary="An older version of a flow, with its text",
    )
    async def get_version(name: _Name, hash: str, accept: Annotated[str, Header()] = "") -> Response:
        """With `Accept: application/yaml` the text alone. Audio files are not part of the history."""
        version = await store.flow_version(name, hash)
        if version is None:
            raise ProblemError(UNKNOWN_VERSION, f"{name} has had no version with this hash")
        if _wants_yaml(accept):
            return PlainTextResponse(version.text, media_type=YAML, headers={"Vary": "Accept"})
        shown = FlowVersionDetail(**version_short(version).model_dump(), text=version.text)
        return JSONResponse(shown.model_dump(mode="json"), headers={"Vary": "Accept"})

    def _find(name: str) -> Entry:
        entry = flows.library.entry(name)
        if entry is None:
            raise ProblemError(UNKNOWN_FLOW, f"there is no flow {name!r}", known=_known())
        return entry

    def _known() -> list[str]:
        return [entry.name for entry in flows.library]

    return router


def _wants_yaml(accept: str) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return any(kind in (YAML, "text/yaml", "application/x-yaml") for kind in kinds)


def _tags(header: str) -> Iterable[str]:
    """The strong tags of a header; a weak one never matches here (RFC 9110, 13.1.1)."""
    for tag in header.split(","):
        tag = tag.strip()
        if len(tag) >= 2 and tag[0] == tag[-1] == '"':
            yield tag[1:-1]


def _expected(if_match: str | None, if_none_match: str | None, *, lax: bool) -> Expected:
    """What the headers say of the text that is there (RFC 9110, 13.1); `lax`: they may be left out."""

    def expected(etag: str | None) -> bool:
        if if_match is not None:
            return etag is not None and (if_match.strip() == "*" or etag in _tags(if_match))
        if if_none_match is not None:
            return etag is None or (if_none_match.strip() != "*" and etag not in _tags(if_none_match))
        if etag is not None and not lax:
            detail = "the flow is there already: say by If-Match which text was edited"
            raise ProblemError(IF_MATCH_NEEDED, detail, etag=etag)
        return True

    return expected
