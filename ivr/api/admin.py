"""The routes of the server's operator: the graphics card, and the models that are loaded in this process."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from engines.gpu.status import GpuStatus
from engines.switching.models import Models, SwitchBody, SwitchStanding, models_of, shown
from engines.switching.switcher import SwitchRefused
from ivr.api.audited import about
from ivr.api.auth import Client, Keys
from ivr.api.calls import errors
from ivr.api.gateway import Gateway
from ivr.api.problems import INVALID, NO_ENGINE, NOT_SWITCHED, SERVICE_FAILED, ProblemError, fields
from ivr.elsewhere import ServiceFailed

_Engine = Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_FIELDS: Final = {"unknown_weights": "weights", "cannot_be_used": "to", "size_unknown": "vram_gb"}


def routes(gateway: Gateway, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/admin", tags=["engines"])
    read, write = keys.needs("engines:read"), keys.needs("engines:write")
    reading, operator = Depends(read), Depends(write)

    @router.get(
        "/gpu/status",
        response_model=GpuStatus,
        dependencies=[reading],
        responses=errors(),
        summary="The graphics cards of this machine, and what is meant for them",
    )
    async def gpu_status() -> GpuStatus:
        """Where there is no card, `gpus` is empty and `reason` says why."""
        return await gateway.gpu.status()

    @router.get(
        "/models",
        response_model=Models,
        dependencies=[reading],
        responses=errors(502),
        summary="Places whose models can be switched, and the last switches",
    )
    async def models(engine: _Engine = None) -> Models:
        """Those of this server, or, with an `engine` that is at a speech service elsewhere, of that one."""
        if engine is None or not gateway.elsewhere.has(engine):
            return models_of(gateway.switcher)
        try:
            return await gateway.elsewhere.models(engine)
        except (ServiceFailed, SwitchRefused) as failed:
            raise ProblemError(SERVICE_FAILED, str(failed)) from failed

    @router.post(
        "/models/switch",
        status_code=202,
        response_model=SwitchStanding,
        responses=errors(404, 409, 422, 502),
        summary="Load another model, and let it take over",
    )
    async def switch(body: SwitchBody, client: Client = operator) -> JSONResponse:
        """Answers when it has begun; `GET /admin/models` tells how it goes on. The new model is loaded beside
        the old one and warmed up; then what comes next is its own, and the old one is unloaded when what it
        had begun is done: no call hears it. Nothing of it outlives a restart: the configuration says what is
        loaded then. A speech service elsewhere that has the engine is asked to switch it."""
        about(body.engine, to=body.to, weights=body.weights)
        try:
            if gateway.elsewhere.has(body.engine):
                standing = await gateway.elsewhere.switch(body, client.name)
            else:
                standing = shown(gateway.switcher.order(body.order(), client.name))
        except SwitchRefused as refused:
            raise _problem(refused) from refused
        except ServiceFailed as failed:
            raise ProblemError(SERVICE_FAILED, str(failed)) from failed
        return JSONResponse(standing.model_dump(mode="json"), 202)

    return router


def _problem(refused: SwitchRefused) -> ProblemError:
    if refused.code == "unknown_engine":
        return ProblemError(NO_ENGINE, str(refused))
    if (field := _FIELDS.get(refused.code)) is not None:
        more: dict[str, Any] = {"fields": fields({field: str(refused)})}
        return ProblemError(INVALID, str(refused), **more)
    return ProblemError(NOT_SWITCHED, str(refused), code=refused.code)
