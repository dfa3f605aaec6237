"""The pages of an HTTP API, with scripts served from here: they must work where there is no internet."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles


def add_pages(app: FastAPI, describe: Callable[[dict[str, Any]], None]) -> None:
    """Serves `/docs`. `describe` puts into the OpenAPI document, once, what FastAPI cannot know."""
    build = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            describe(build())
        return build()

    app.openapi = described  # type: ignore[method-assign]
    assets = Path(str(files("fastapi_offline") / "static"))
    app.mount("/docs/assets", StaticFiles(directory=assets), name="docs assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")  # where a proxy or a cluster has put the application
        return get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=app.title,
            swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/assets/favicon.png",
        )
