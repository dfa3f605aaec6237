"""Engines at a speech service elsewhere: their models are switched there, asked for here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from engines.catalogue import Cloud, UnknownEngine, find
from engines.switching.models import Models, SwitchBody, SwitchStanding
from engines.switching.switcher import SwitchRefused
from ivr.speech_config import EngineSetup

_audit = logging.getLogger("ivr.audit")

M = TypeVar("M", bound=BaseModel)

_ASK_S: Final = 10.0


class ServiceFailed(Exception):
    """The service cannot be asked, or does not let us."""


class Elsewhere:
    """The services that the configuration names, by the engines that it has there."""

    def __init__(self, setups: Mapping[str, EngineSetup], client: httpx.AsyncClient) -> None:
        self._client = client
        self._setups = {
            name: setup for name, setup in setups.items() if setup.address and not _is_cloud(name)
        }

    def has(self, engine: str) -> bool:
        return engine in self._setups

    async def models(self, engine: str) -> Models:
        """The places of the service that has the engine; raises `ServiceFailed`."""
        answer = await self._ask(engine, "GET", "/admin/models")
        return _read(Models, answer)

    async def switch(self, body: SwitchBody, by: str) -> SwitchStanding:
        """Asks for a switch there; `by` is who asks here. Raises `SwitchRefused` with the service's own
        words, `ServiceFailed`."""
        _audit.info("%s asks %s to switch %s", by, self._setups[body.engine].address, body.engine)
        json = body.model_dump(exclude_none=True)
        return _read(SwitchStanding, await self._ask(body.engine, "POST", "/admin/models/switch", json=json))

    async def _ask(self, engine: str, method: str, path: str, **more: Any) -> httpx.Response:
        setup = self._setups[engine]
        assert setup.address is not None
        key = setup.operator_key or setup.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        address = f"http{setup.address.removeprefix('ws').removeprefix('http')}{path}"
        try:
            answer = await self._client.request(method, address, headers=headers, timeout=_ASK_S, **more)
        except httpx.HTTPError as error:
            what = str(error) or type(error).__name__
            raise ServiceFailed(f"{setup.address} cannot be asked: {what}") from error
        if answer.is_success:
            return answer
        message, code = _error(answer)
        if code and answer.status_code in (400, 404, 409):
            raise SwitchRefused(f"{setup.address}: {message}", code)
        raise ServiceFailed(f"{setup.address} answers {answer.status_code}: {message}")


def _is_cloud(name: str) -> bool:
    try:
        return isinstance(find(name).runs, Cloud)
    except UnknownEngine:
        return True


def _error(answer: httpx.Response) -> tuple[str, str]:
    """Message and code of an error in OpenAI's shape."""
    try:
        error = answer.json()["error"]
        return str(error["message"]), str(error["code"] or "")
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase, ""


def _read(model: type[M], answer: httpx.Response) -> M:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise ServiceFailed(f"{answer.url.host} gives an answer that is none of a speech service") from error
