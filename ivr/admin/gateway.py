"""The one client of the server's HTTP API: every page asks through it, every action goes through it.

Reading is `get`, changing is `send`, which must say for whom (`by`): the server writes that name into its
audit log. What goes wrong is a `GatewayError` whose text can be shown to people; the key is in none of them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from ivr.admin.sse import ServerEvent, SseReader

log = logging.getLogger(__name__)

DEADLINE_S: Final = 5.0
SILENCE_S: Final = 45.0
"""A stream of events that says nothing for so long, not even that it lives, is opened again."""
PAUSES_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Between tries to open it; the last one repeats."""

Model = TypeVar("Model", bound=BaseModel)
Params = Mapping[str, str | int | float | bool | None]


class GatewayError(Exception):
    """The server did not do what was asked; the text says why. `kind` names the kind of problem (the end of
    its type), `problem` is all that was told."""

    def __init__(self, text: str, status: int = 0, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.problem: Mapping[str, Any] = problem or {}

    @property
    def kind(self) -> str:
        return str(self.problem.get("type", "")).rpartition("/")[2]


class GatewayAway(GatewayError):
    """It could not be reached, or said nothing in time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the server was found the last time; `reason` is why not, empty when it answers."""

    reachable: bool
    reason: str = ""


class GatewayClient:
    """Open until `close`."""

    def __init__(self, url: str, key: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self.standing = Standing(False, "not asked yet")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=DEADLINE_S,
            trust_env=False,
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, model: type[Model], path: str, params: Params | None = None) -> Model:
        """Asks; parameters that are None are left out. Raises `GatewayError`."""
        return _read(model, await self._ask("GET", path, params=_given(params)))

    async def text(self, path: str, params: Params | None = None) -> str:
        """The same where the answer is text. Raises `GatewayError`."""
        return (await self._ask("GET", path, params=_given(params))).text

    async def send(
        self,
        method: str,
        path: str,
        *,
        by: str,
        body: BaseModel | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        content: bytes | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Any:
        """Changes something, in the name of the user `by`; gives the JSON of the answer, None without one.
        Raises `GatewayError`."""
        told = body.model_dump(mode="json", exclude_none=True) if isinstance(body, BaseModel) else body
        answer = await self._ask(
            method,
            path,
            headers={**({"X-Operator": quote(by)} if by else {}), **(headers or {})},
            json=told,
            params=_given(params),
            content=content,
            timeout=deadline_s,
        )
        if not answer.content or "json" not in answer.headers.get("content-type", ""):
            return None
        return answer.json()

    async def passed_on(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        """A request of somebody else's, with his credentials instead of ours; the answer whatever its status.
        Raises `GatewayAway`."""
        request = httpx.Request(method, f"{self.url}{path}", headers=dict(headers), content=body or None)
        try:
            return await self._http.send(request)
        except httpx.HTTPError as error:
            raise self._away(error) from error

    @asynccontextmanager
    async def stream(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """An answer whose body is read bit by bit, whatever its status. Raises `GatewayAway`."""
        try:
            async with self._http.stream("GET", path, headers=dict(headers)) as answer:
                yield answer
        except httpx.HTTPError as error:
            raise self._away(error) from error

    async def events(
        self, path: str, connected: Callable[[], None] = lambda: None
    ) -> AsyncIterator[ServerEvent]:
        """A stream of events for ever: opened again after every end of it, with the id that came last.
        `connected` is called each time it is open: what happened in between is unknown then."""
        reader = SseReader()
        tries = 0
        while True:
            began = tries
            try:
                async for event in self._once(path, reader, connected):
                    tries = 0
                    yield event
                self.standing = Standing(False, "the server ended the stream of events")
            except GatewayError as error:
                log.debug("events: %s", error)
            pause = PAUSES_S[min(began, len(PAUSES_S) - 1)]
            tries += 1
            await asyncio.sleep(max(pause, reader.retry_s or 0.0))

    async def _once(
        self, path: str, reader: SseReader, connected: Callable[[], None]
    ) -> AsyncIterator[ServerEvent]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if reader.last_id is not None:
            headers["Last-Event-ID"] = reader.last_id
        timeout = httpx.Timeout(DEADLINE_S, read=SILENCE_S)
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise self._refused(answer)
                self.standing = Standing(True)
                connected()
                reader.begin()
                async for line in answer.aiter_lines():
                    event = reader.take(line)
                    if event is not None:
                        yield event
        except httpx.HTTPError as error:
            raise self._away(error) from error

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        self.standing = Standing(True)
        if answer.is_error:
            raise self._refused(answer)
        return answer

    def _away(self, error: httpx.HTTPError) -> GatewayAway:
        slow = isinstance(error, httpx.TimeoutException)
        why = "said nothing in time" if slow else (str(error) or type(error).__name__)
        self.standing = Standing(False, f"{self.url}: {why}")
        return GatewayAway(f"the server at {self.url} cannot be reached: {why}")

    def _refused(self, answer: httpx.Response) -> GatewayError:
        """The words of its problem details (RFC 9457), with the fields that are wrong."""
        try:
            problem = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            problem = None
        if not isinstance(problem, dict):
            text = f"the server answered {answer.status_code} {answer.reason_phrase}".rstrip()
            return GatewayError(text, answer.status_code)
        title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
        text = (
            ": ".join(part for part in (title, detail) if part) or f"the server answered {answer.status_code}"
        )
        if answer.status_code in (401, 403):
            text = f"the dashboard's key was refused: {detail or title}"
        return GatewayError(text, answer.status_code, problem)


def _given(params: Params | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _read(model: type[Model], answer: httpx.Response) -> Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        text = f"the server's answer is not what this release knows ({where}: {first['msg']})"
        raise GatewayError(text, answer.status_code) from error
