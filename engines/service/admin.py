"""The routes of a service's operator: the graphics card, and the models that are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from engines.gpu.status import GpuMonitor, GpuStatus
from engines.service.errors import ErrorBody, ServiceError
from engines.service.keys import Credentials, Keys, is_local
from engines.switching.models import Models, SwitchBody, SwitchStanding, models_of, shown
from engines.switching.switcher import Switcher, SwitchRefused

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "Something in the request is wrong"},
    401: {"model": ErrorBody, "description": "No key, or one that is not known"},
    403: {"model": ErrorBody, "description": "The key is none of an operator's"},
}
_SWITCH: Final[dict[int | str, dict[str, Any]]] = {
    **_ERRORS,
    404: {"model": ErrorBody, "description": "No such engine has a place here"},
    408: {"model": ErrorBody, "description": "The body did not come in time"},
    409: {"model": ErrorBody, "description": "It does not fit, or another switch is under way"},
    413: {"model": ErrorBody, "description": "The body is too long"},
}


class Operators:
    """Who may operate a service: the holders of `keys`, or, where there are none, this machine alone.

    A request with a trace of a proxy is not of this machine, whatever its address.
    """

    def __init__(self, keys: Mapping[str, str], clients: Keys) -> None:
        """`clients` are those who may only use it: they are told that they may not, not that they are not
        known."""
        self._keys = Keys(keys)
        self._clients = clients

    async def operator(self, request: Request, credentials: Credentials) -> str:
        """A dependency: the name of who asks."""
        key = credentials.credentials if credentials else None
        if self._keys.open:
            if is_local(request):
                return "this machine"
            raise _forbidden(
                "operators' keys are not set: only this machine may do that (services.*.operators)"
            )
        try:
            return self._keys.check(key)
        except ServiceError:
            if key and not self._clients.open:
                self._clients.check(key)
                raise _forbidden("the key is a client's: this needs one of the operators") from None
            raise


def admin_routes(operators: Operators, monitor: GpuMonitor, switcher: Switcher) -> APIRouter:
    router = APIRouter(prefix="/admin", tags=["operation"])
    asking = Depends(operators.operator)

    @router.get("/gpu/status", responses=_ERRORS, summary="The graphics cards, and what is meant for them")
    async def gpu_status(_: str = asking) -> GpuStatus:
        """Where there is no card, `gpus` is empty and `reason` says why."""
        return await monitor.status()

    @router.get(
        "/models", responses=_ERRORS, summary="Places whose models can be switched, and the last switches"
    )
    async def models(_: str = asking) -> Models:
        return models_of(switcher)

    @router.post(
        "/models/switch",
        status_code=202,
        response_model=SwitchStanding,
        responses=_SWITCH,
        summary="Load another model, and let it take over",
    )
    async def switch(body: SwitchBody, operator: str = asking) -> JSONResponse:
        """Answers when it has begun; `GET /admin/models` tells how it goes on. The new model is loaded beside
        the old one and warmed up; then what comes next is its own, and the old one is unloaded when what it
        had begun is done. Nothing of it outlives a restart: the configuration says what is loaded then."""
        try:
            standing = switcher.order(body.order(), operator)
        except SwitchRefused as refused:
            status = STATUS.get(refused.code, 409)
            raise ServiceError(
                status, str(refused), code=refused.code, param=PARAM.get(refused.code)
            ) from refused
        return JSONResponse(shown(standing).model_dump(mode="json"), 202)

    return router


STATUS: Final = {"unknown_engine": 404, "unknown_weights": 400, "cannot_be_used": 400}
PARAM: Final = {
    "unknown_engine": "engine",
    "engine_in_use": "to",
    "unknown_weights": "weights",
    "cannot_be_used": "to",
    "size_unknown": "vram_gb",
}


def _forbidden(message: str) -> ServiceError:
    return ServiceError(403, message, code="operators_only")
