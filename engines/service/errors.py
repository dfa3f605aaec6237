"""The one shape of every error: that of OpenAI's API, so that its clients understand it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.service.faults import in_words

_log = logging.getLogger(__name__)

_RETRY_S: Final = "1"


class ErrorDetails(BaseModel):
    """`param` is the field that is wrong; `code` is for programs, `message` for people."""

    message: str
    type: str = Field(description="invalid_request_error, authentication_error or server_error")
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    error: ErrorDetails


class ServiceError(Exception):
    """Raised anywhere in a request to answer it with an error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = headers

    def body(self) -> dict[str, Any]:
        return error_body(self.status, str(self), code=self.code, param=self.param)


def bad_request(message: str, *, code: str, param: str | None = None, status: int = 400) -> ServiceError:
    """The request cannot be done as it is; repeating it will not help."""
    return ServiceError(status, message, code=code, param=param)


def engine_failure(error: EngineError) -> ServiceError:
    """What a client hears of an engine that could not do its work: it may try again."""
    if isinstance(error, EngineUnavailable):
        return ServiceError(503, str(error), code="engine_unavailable", headers={"Retry-After": _RETRY_S})
    if isinstance(error, EngineTimeout):
        return ServiceError(504, str(error), code="engine_timeout", headers={"Retry-After": _RETRY_S})
    return ServiceError(500, str(error), code="engine_failed")


def error_body(
    status: int, message: str, *, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """The JSON of an error; also for WebSockets, where there is no status to send."""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        kind = "authentication_error"
    else:
        kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def install(app: FastAPI) -> None:
    """Makes the application answer every error in this shape."""

    @app.exception_handler(ServiceError)
    async def on_error(_: Request, error: ServiceError) -> Response:
        return JSONResponse(error.body(), error.status, error.headers)

    @app.exception_handler(EngineError)
    async def on_engine(_: Request, error: EngineError) -> Response:
        failure = engine_failure(error)
        return JSONResponse(failure.body(), failure.status, failure.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        message, field = in_words(error.errors())
        return JSONResponse(error_body(400, message, code="invalid_value", param=field), 400)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        body = error_body(error.status_code, _refusal(request, error), code="http_error")
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        _log.error("%s failed", request.url.path, exc_info=error)
        message = "the request failed; the log of the service says why"
        return JSONResponse(error_body(500, message, code="internal"), 500)


def describe(schema: dict[str, Any]) -> None:
    """Takes the framework's own error shape out of an OpenAPI document: it is answered as 400 here."""
    for path in schema["paths"].values():
        for operation in path.values():
            response = operation["responses"].get("422", {})
            reference = response.get("content", {}).get("application/json", {}).get("schema", {})
            if reference.get("$ref", "").endswith("/HTTPValidationError"):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema.get("components", {}).get("schemas", {}).pop(name, None)


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "Something in the request is wrong"},
    401: {"model": ErrorBody, "description": "No key, or one that is not known"},
    404: {"model": ErrorBody, "description": "There is no such model or voice"},
    408: {"model": ErrorBody, "description": "The body did not come in time"},
    413: {"model": ErrorBody, "description": "The body or the audio is too long"},
    500: {"model": ErrorBody, "description": "An error of the service"},
    503: {"model": ErrorBody, "description": "The engine is down or full; try again"},
    504: {"model": ErrorBody, "description": "The engine did not answer in time"},
}
"""For `responses=` of routes that do work."""


def _refusal(request: Request, error: HTTPException) -> str:
    """What the framework says of a path in two words, and where to look."""
    path = request.url.path
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{path} takes {allowed}, not {request.method}"
    if error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return f"there is nothing at {path}: /docs shows what there is"
    return str(error.detail)
