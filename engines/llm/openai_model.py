"""A model at an OpenAI-compatible server (vLLM, Groq, OpenAI, llama.cpp, many more) by the `openai` client.

The client's connections are kept open between answers and bounded in what they take; nothing is asked twice
here, and no redirect is followed: what to do about a failure is the chain's decision (`engines.llm.chain`).
The pieces of an answer are read as plain data, not as the client's models: half the time for each token, and
nothing to trip over where a server sends another shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.llm.contract import ChatRequest, Finished, OnSpent, Piece, Usage
from engines.llm.openai_reading import AnswerReader, body_of
from engines.llm.tokens import tokens_of_request

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream

log = logging.getLogger(__name__)

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one answer as it comes over the wire, however long it may be in tokens."""

USAGE_S: Final = 1.0
"""How long the count of tokens is waited for when the answer is there."""

WARM_S: Final = 3.0
IDLE_S: Final = 120.0
"""How long a connection is kept for the next answer."""

FRESH_S: Final = 20.0
"""After an answer, so long no connection is opened ahead; servers close idle ones sooner or later."""

_MILLION: Final = 1_000_000
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens, in any unit that the bounds of a flow are written in."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / _MILLION


@dataclass(frozen=True, slots=True)
class Provider:
    """A server and its model. `url` is the base of its API, as http://gpu-1:8000/v1; `options` are set in the
    body of every request."""

    name: str
    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    prices: Prices = Prices()
    options: Mapping[str, Any] = field(default_factory=dict)


class OpenAiModel:
    """See `LanguageModel`. Raises `EngineError` where the `openai` package is missing."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._http = httpx.AsyncClient(
            timeout=None,  # each wait has its own deadline
            limits=httpx.Limits(max_connections=None, keepalive_expiry=IDLE_S),
            event_hooks={"request": [] if provider.key else [_keyless], "response": [_bound]},
        )
        self._client = _client_of(provider, self._http)
        self._used_at = -math.inf
        self._warming: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._provider.name

    def warm(self) -> None:
        """See `LanguageModel`: a connection is opened, with its TLS, unless one was used of late."""
        now = asyncio.get_running_loop().time()
        if now - self._used_at >= FRESH_S:
            self._used_at = now
            self._warming = asyncio.create_task(self.start(), name=f"{self.name} warms up")

    async def start(self) -> None:
        """Opens the connection that the first answer will take. A server that is away is told in the log
        alone: it must not keep ours from starting."""
        headers = {"Authorization": f"Bearer {self._provider.key}"} if self._provider.key else {}
        try:
            async with asyncio.timeout(WARM_S):
                answer = await self._http.get(self._provider.url.rstrip("/") + "/models", headers=headers)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, _TooLong) as error:
            log.warning("the model %s is not there yet: %s", self.name, error or type(error).__name__)
        else:
            if answer.status_code in (401, 403):
                log.warning("the model %s does not take its key (status %d)", self.name, answer.status_code)

    async def close(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await self._http.aclose()

    async def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        """See `LanguageModel`."""
        clock = asyncio.get_running_loop().time
        reader = AnswerReader(request.most_tokens)
        until = clock() + deadline_s
        stream: AsyncStream[object] | None = None
        refused = False
        try:
            async with asyncio.timeout_at(until):
                stream = await self._ask(request)
            events = aiter(stream)
            while not reader.finish and not reader.over_long:
                fed = reader.fed
                async with asyncio.timeout_at(until):
                    event = await anext(events, None)
                if event is None:
                    break
                if words := reader.take(event):
                    yield words
                if reader.error:
                    raise EngineError(f"{self.name}: {self._shown(reader.error)}")
                if words or (reader.fed > fed and not reader.empty):
                    until = clock() + deadline_s  # a piece, or more of a tool call
            if words := reader.rest():
                yield words
            if not reader.finish and not reader.over_long:
                raise self._broken(reader, stream)
            for call in reader.calls():
                yield call
            if reader.empty:
                raise EngineError(f"{self.name} answered nothing ({reader.finish or 'without an end'})")
            await _count_at_the_end(reader, events)
            cut = reader.over_long or reader.finish in ("length", "content_filter")
            yield Finished(self.name, self._usage(request, reader), cut)
        except TimeoutError:
            when = "no word" if reader.empty else "no further word"
            raise EngineTimeout(f"{when} from {self.name} within {deadline_s:g} s") from None
        except EngineError:
            raise
        except Exception as error:
            refused = stream is None
            raise self._failure(error) from error
        finally:
            if stream is not None:
                self._used_at = clock()
                await stream.close()
            if spent is not None and not refused:
                spent(self._usage(request, reader))

    async def _ask(self, request: ChatRequest) -> AsyncStream[object]:
        from openai import AsyncStream

        return await self._client.post(
            "/chat/completions",
            cast_to=object,
            body=body_of(request, self._provider.model, self._provider.options),
            stream=True,
            stream_cls=AsyncStream[object],
        )

    def _usage(self, request: ChatRequest, reader: AnswerReader) -> Usage:
        estimated = reader.told is None
        tokens_in, tokens_out = reader.told or (tokens_of_request(request), reader.tokens_out)
        return Usage(tokens_in, tokens_out, self._provider.prices.cost(tokens_in, tokens_out), estimated)

    def _broken(self, reader: AnswerReader, stream: AsyncStream[object]) -> EngineError:
        kind = stream.response.headers.get("content-type", "").partition(";")[0].strip()
        if reader.empty and kind != "text/event-stream":
            return EngineError(
                f"{self.name} answered with {kind or 'something unnamed'}, and not with a stream"
            )
        return EngineUnavailable(f"{self.name} ended its answer in the middle")

    def _failure(self, error: Exception) -> EngineError:
        """What an operator can do something about, first."""
        import openai

        name, text = self.name, self._shown(_said(error))
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return EngineUnavailable(f"{name} does not take its key (status {error.status_code}): {text}")
            case openai.RateLimitError():
                return EngineUnavailable(f"{name} takes no more requests now (status 429): {text}")
            case openai.NotFoundError():
                return EngineUnavailable(
                    f"{name} has no model {self._provider.model}, or no API at this address: {text}"
                )
            case openai.APIStatusError(status_code=status) if status >= 500:
                return EngineUnavailable(f"{name} failed (status {status}): {text}")
            case openai.APIStatusError(status_code=status):
                return EngineError(f"{name} refused the request (status {status}): {text}")
            case openai.APIConnectionError() | httpx.HTTPError():  # older clients let a broken stream through
                cause = error.__cause__ or error
                return EngineUnavailable(f"{name}: the connection failed: {cause or type(cause).__name__}")
            case openai.APIError():
                return EngineError(f"{name}: {text}")
            case _TooLong():
                return EngineError(f"{name} sent more than {MOST_BYTES // 1024 // 1024} MiB")
            case ValueError():  # JSON or UTF-8 that is none
                return EngineError(f"{name} sent what is no answer: {text}")
            case _:
                return EngineError(f"{name} failed: {type(error).__name__}: {text}")

    def _shown(self, text: str) -> str:
        """What a server says may hold the key that it refuses."""
        if self._provider.key:
            text = text.replace(self._provider.key, "***")
        text = " ".join(text.split())
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _said(error: Exception) -> str:
    """The server's own words, where there are any."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, Mapping) else None
    return str(message or error)


class _TooLong(Exception):
    """The server sends without end."""


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise _TooLong
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _keyless(request: httpx.Request) -> None:
    """The client wants a key, and sends it."""
    request.headers.pop("Authorization", None)


async def _bound(response: httpx.Response) -> None:
    response.stream = _Bounded(cast(httpx.AsyncByteStream, response.stream))


def _client_of(provider: Provider, http: httpx.AsyncClient) -> AsyncOpenAI:
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise EngineError("language models need the openai package: pip install 'ivr-server[llm]'") from error
    return AsyncOpenAI(
        base_url=provider.url,
        api_key=provider.key or "none",  # not that of the environment, which is somebody else's
        http_client=cast(Any, http),
        timeout=None,
        max_retries=0,
    )


async def _count_at_the_end(reader: AnswerReader, events: AsyncIterator[object]) -> None:
    """Servers count after the last word; what goes wrong then takes nothing from the answer."""
    if reader.over_long:
        return
    with contextlib.suppress(Exception):
        async with asyncio.timeout(USAGE_S):
            async for event in events:
                reader.take(event)
