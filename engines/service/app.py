"""The HTTP application that both services begin with: errors, limits, health, metrics, and pages that work
without the internet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from fastapi import Depends, FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from engines.service import errors
from engines.service.keys import Keys
from engines.service.limits import BodyLimit
from engines.service.metrics import CONTENT_TYPE, ServiceMetrics
from engines.service.pages import add_pages

BODY_BYTES: Final = 32 * 1024 * 1024
BODY_S: Final = 60.0


class Health(BaseModel):
    """`reasons` say why the service should get no work now."""

    status: Literal["ready", "not ready"]
    reasons: list[str] = []


def health(reasons: list[str]) -> Health:
    return Health(status="not ready" if reasons else "ready", reasons=reasons)


class Live(BaseModel):
    status: Literal["live"] = "live"


def new_app(
    title: str,
    description: str,
    keys: Keys,
    metrics: ServiceMetrics,
    reasons: Callable[[], list[str]],
    *,
    body_bytes: int = BODY_BYTES,
    body_s: float = BODY_S,
) -> FastAPI:
    """Routes of the service are added by who calls this. `reasons` is asked for what is not well now; who
    hosts the application asks `app.state.health()`."""
    app = FastAPI(title=title, version="1", description=description, docs_url=None, redoc_url=None)
    app.state.health = lambda: health(reasons())
    app.add_middleware(BodyLimit, most_bytes=body_bytes, most_s=body_s)
    errors.install(app)

    @app.get("/health/live", tags=["operation"], summary="The process answers")
    async def live() -> Live:
        return Live()

    @app.get(
        "/health/ready",
        tags=["operation"],
        response_model=Health,
        responses={503: {"model": Health, "description": "Send no work here now"}},
        summary="Work can be taken",
    )
    async def ready() -> JSONResponse:
        state = health(reasons())
        return JSONResponse(state.model_dump(), 503 if state.reasons else 200)

    @app.get(
        "/metrics",
        tags=["operation"],
        summary="Figures in Prometheus' text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, 401: errors.RESPONSES[401]},
    )
    async def figures(_: str = Depends(keys.client)) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    add_pages(app, errors.describe)
    return app
