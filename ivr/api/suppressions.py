"""The routes about numbers that campaigns must not call."""

from __future__ import annotations

import csv
import io
import time
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from ivr.api.audited import about
from ivr.api.auth import Client, Keys
from ivr.api.calls import errors
from ivr.api.campaign_contacts import SHOWN, in_parts, in_turns
from ivr.api.campaign_models import TableError, example
from ivr.api.campaigns import CSV
from ivr.api.gateway import BadNumber, Gateway
from ivr.api.models import utc
from ivr.api.problems import BAD_TABLE, NOT_SUPPRESSED, ProblemError
from ivr.campaigns.numbers import number_key
from ivr.masking import mask_number
from ivr.store import Store
from ivr.store.suppressions import Suppression

PATH: Final = "/api/voice/suppressions"
IMPORT: Final = f"{PATH}/import"
_STORED: Final = 500
_ENTRY: Final[dict[str, Any]] = {
    "number": "+919876543210",
    "at": "2026-12-04T05:11:00Z",
    "source": "call:019aab1c-6d2e-7b1f-9c44-52a1f0a0c7de",
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A number on each line, in the first column if there are several; 16 MiB at most. A "
        "header is passed over",
        "content": {CSV: {"schema": {"type": "string"}, "example": "number\n+919876543210\n098765 43211\n"}},
    }
}
_Number = Annotated[str, Path(min_length=1, max_length=128, description="In any spelling, or a SIP address")]


class SuppressedNumber(BaseModel):
    """A number that campaigns do not call. `source` says who put it there: `api:NAME`, `import:NAME` (a
    person, or the holder of a key), or `call:ID`."""

    model_config = example(_ENTRY)

    number: str
    at: datetime
    source: str


class SuppressedNumbers(BaseModel):
    """In the order of the numbers. `next` is the `cursor` of the page behind; null at the end."""

    model_config = example({"suppressions": [_ENTRY], "next": None})

    suppressions: list[SuppressedNumber]
    next: str | None


class Imported(BaseModel):
    """What became of a table of numbers."""

    model_config = example({"added": 4711, "known": 12})

    added: int
    known: int = Field(description="Numbers that were on the list already")


def routes(gateway: Gateway, store: Store, keys: Keys) -> APIRouter:
    router = APIRouter(prefix=PATH, tags=["campaigns"])
    read, write = Depends(keys.needs("campaigns:read")), keys.needs("campaigns:write")
    writing = Depends(write)
    suppressions = store.suppressions

    def key_of(number: str) -> str:
        try:
            return number_key(number, gateway.campaign_rules.country_code)
        except ValueError as error:
            raise BadNumber(str(error)) from error

    @router.get(
        "",
        response_model=SuppressedNumbers,
        dependencies=[read],
        responses=errors(422, 503),
        summary="List the numbers that campaigns do not call",
    )
    async def list_suppressions(
        cursor: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> SuppressedNumbers:
        found = await suppressions.page(after=cursor, limit=limit + 1)
        more = found[limit - 1].number if len(found) > limit else None
        return SuppressedNumbers(suppressions=[_shown(each) for each in found[:limit]], next=more)

    @router.post(
        "/import",
        response_model=Imported,
        responses=errors(422, 503),
        openapi_extra=_BODY,
        summary="Put a table of numbers on the list",
    )
    async def import_table(request: Request, client: Client = writing) -> Imported:
        """With a mistake in any line nothing is stored, and the answer lists them."""
        numbers, faults = await _read(await request.body(), gateway.campaign_rules.country_code)
        if faults:
            text = f"{len(faults)} of the lines hold no number"
            raise ProblemError(BAD_TABLE, text, count=len(faults), errors=faults[:SHOWN])
        added = 0
        for part in in_parts(numbers, _STORED):
            added += await suppressions.add(part, time.time(), f"import:{client.who}")
        about(added=added)
        return Imported(added=added, known=len(numbers) - added)

    @router.get(
        "/{number}",
        response_model=SuppressedNumber,
        dependencies=[read],
        responses=errors(404, 422, 503),
        summary="Whether a number is on the list, since when and by whom",
    )
    async def get_suppression(number: _Number) -> SuppressedNumber:
        found = await suppressions.get(key_of(number))
        if found is None:
            raise ProblemError(NOT_SUPPRESSED, "the number may be called")
        return _shown(found)

    @router.put(
        "/{number}",
        response_model=SuppressedNumber,
        responses={**errors(422, 503), 201: {"model": SuppressedNumber, "description": "It was not there"}},
        summary="Put a number on the list",
    )
    async def put_suppression(
        number: _Number, response: Response, client: Client = writing
    ) -> SuppressedNumber:
        """No campaign calls it from now on. One that is there already stays as it is."""
        about(mask_number(number))
        key = key_of(number)
        if await suppressions.add([key], time.time(), f"api:{client.who}"):
            response.status_code = 201
        found = await suppressions.get(key)
        return _shown(found or Suppression(key, time.time(), f"api:{client.who}"))

    @router.delete(
        "/{number}",
        status_code=204,
        dependencies=[writing],
        responses=errors(404, 422, 503),
        summary="Take a number off the list",
    )
    async def delete_suppression(number: _Number) -> None:
        """Campaigns may call it again; in those that have it already it stays suppressed."""
        about(mask_number(number))
        if not await suppressions.remove(key_of(number)):
            raise ProblemError(NOT_SUPPRESSED, "the number was not on the list")

    return router


def _shown(each: Suppression) -> SuppressedNumber:
    return SuppressedNumber(number=each.number, at=utc(each.at), source=each.source)


async def _read(data: bytes, country_code: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The numbers of a table, each once, and its mistakes; live calls have their turn in between."""
    numbers: dict[str, None] = {}
    faults: list[TableError] = []
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig", errors="replace"), newline=""))
    try:
        async for cells in in_turns(reader):
            first = cells[0].partition(";")[0].strip() if cells else ""
            if not first:
                continue
            try:
                numbers[number_key(first, country_code)] = None
            except ValueError as error:
                if reader.line_num > 1 or any(map(str.isdigit, first)):  # else it is the header
                    faults.append(TableError(line=reader.line_num, column="", message=str(error)))
    except csv.Error as error:
        faults.append(TableError(line=reader.line_num, column="", message=f"cannot be read: {error}"))
    return list(numbers), [fault.model_dump() for fault in faults]
