"""The HTTP application: calls, health, metrics and their documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Header, Response
from fastapi.responses import JSONResponse

from engines.service.pages import add_pages
from ivr.api import (
    admin,
    audit,
    calls,
    campaigns,
    engines,
    flows,
    hourly,
    live,
    problems,
    signals,
    supervision,
    suppressions,
    traffic,
    trials,
    trunks,
)
from ivr.api.audited import Audit
from ivr.api.auth import Keys
from ivr.api.gateway import Gateway
from ivr.api.limits import BodyLimit
from ivr.api.models import CallEnded, Live, Ready
from ivr.config import ApiKey
from ivr.flow.composing import MAX_BYTES
from ivr.metrics import CONTENT_TYPE, Metrics
from ivr.store import Store
from ivr.web.app import add_web
from ivr.web.config import Web
from ivr.web.sessions import Sessions

_DESCRIPTION: Final = """
Place telephone calls that run a flow, see how calls went, and change flows while calls run.

Every request about calls and flows needs a key of the configuration: `Authorization: Bearer KEY`. A key has
scopes: `calls:read`, `calls:write`, `recordings:read`, `metrics:read`, `flows:read`, `flows:write`,
`engines:read`, `engines:write`, `sessions:write`, `calls:supervise`, `audit:read`, `audit:write`,
`campaigns:read`, `campaigns:write`. Health and this page need none; `/metrics` needs none from the machine
the server runs on, unless a proxy passed the request on.

Every error has one shape, problem details (RFC 9457); `type` is the address of a page that explains it.
"""


def create_app(
    gateway: Gateway,
    store: Store,
    metrics: Metrics,
    keys: Mapping[str, ApiKey],
    web: Web = Web(),  # noqa: B008
    call_s: float = 1800.0,
) -> FastAPI:
    """The application over a running server. `keys` are those of the configuration, by the names of their
    holders; `call_s` is how long a call may last. Its `state.browsers` is to be closed when the server stops.
    """
    app = FastAPI(
        title="IVR server",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_middleware(Audit, store=store)
    app.add_middleware(
        BodyLimit,
        larger={
            "/api/flows/": MAX_BYTES,
            trials.PATH: trials.MOST_BYTES,
            f"{campaigns.PATH}/": campaigns.MOST_BYTES,
            campaigns.PATH: campaigns.MOST_REQUEST_BYTES,
            suppressions.IMPORT: campaigns.MOST_BYTES,
        },
    )
    problems.install(app)
    known = Keys(keys)
    app.include_router(calls.routes(gateway, store, known))
    app.include_router(signals.routes(gateway, store, known))
    app.include_router(trunks.routes(gateway, known))
    app.include_router(engines.routes(gateway, known))
    app.include_router(admin.routes(gateway, known))
    app.include_router(audit.routes(store, known))
    app.include_router(live.routes(gateway, store, known))
    app.include_router(hourly.routes(gateway, store, known))
    app.include_router(flows.routes(gateway, store, known))
    app.include_router(traffic.routes(gateway, store, known))
    app.include_router(trials.routes(gateway, known))
    sessions = Sessions(gateway.book, web, call_s)
    app.include_router(supervision.routes(gateway, store, sessions, known))
    app.state.browsers = add_web(app, gateway, web, known, metrics, sessions)
    app.include_router(campaigns.routes(gateway, store, known))
    app.include_router(suppressions.routes(gateway, store, known))
    _add_health(app, gateway, store)

    @app.get("/metrics", tags=["operation"], summary="Figures in Prometheus' text format")
    async def figures(_: None = Depends(known.needs_unless_local("metrics:read"))) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    _describe_webhook(app)
    add_pages(app, problems.describe)
    return app


def _add_health(app: FastAPI, gateway: Gateway, store: Store) -> None:
    @app.get("/health/live", tags=["operation"], response_model=Live, summary="The process answers")
    async def live() -> Live:
        return Live()

    @app.get(
        "/health/ready",
        tags=["operation"],
        response_model=Ready,
        responses={503: {"model": Ready, "description": "New calls should not come here now"}},
        summary="New calls can be taken",
    )
    async def ready() -> JSONResponse:
        reasons = list(gateway.readiness().reasons)
        if store.failing is not None:
            reasons.append(f"the store takes no writes: {store.failing}")
        state = Ready(status="not ready" if reasons else "ready", reasons=reasons)
        return JSONResponse(state.model_dump(), 503 if reasons else 200)


def _describe_webhook(app: FastAPI) -> None:
    @app.webhooks.post(
        "call-ended", status_code=204, response_model=None, tags=["webhook"], summary="A call has ended"
    )
    def call_ended(
        body: CallEnded,
        x_signature: Annotated[str, Header(description="t=UNIX_TIME,v1=HEX")],
        x_event_id: Annotated[str, Header(description="The same for every repetition of one delivery")],
    ) -> None:
        """Posted to the `webhook` of the configuration. Answer 2xx within 10 seconds; anything else is
        tried again, ever more rarely, for a day, so the same event may come twice: tell repetitions by
        `X-Event-Id`.

        To check the signature, take `t` and the raw body, and compare `v1` in constant time with the
        hexadecimal HMAC-SHA256 of `t`, a full stop and the body under the shared secret; refuse an old `t`.
        """
