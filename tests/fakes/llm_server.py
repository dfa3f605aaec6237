"""A language model on this machine: an OpenAI-compatible server that says what it is told to, at the speed it
is told to, fails as real ones do, and knows what it was asked and whether its client went away.

In a test, within its event loop:

    async with llm_server(Answer("हाँ, बिल्कुल।"), Answer(fault="cut", text="I will")) as server:
        ...
        assert server.asked[0].body["model"] == "small"
        await server.asked[1].over.wait()

By hand, for demonstrations and benches: `python -m tests.fakes.llm_server --port 9001 --first-ms 200`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

Fault = Literal[
    "",
    "silent",  # takes the request and says nothing
    "slow loris",  # headers, then comments only, for ever
    "empty deltas",  # pieces without a word, for ever
    "cut",  # the connection breaks after the text
    "no end",  # a clean end of the stream without a finish_reason
    "nothing",  # a whole answer without a word
    "endless",  # says its text again and again
    "endless line",  # one line that never ends
    "html",  # a page, with status 200
    "json",  # a whole answer in one piece, though a stream was asked for
    "nonsense",  # a stream of what is no JSON
    "odd shapes",  # JSON, but none that one expects
    "error",  # an error object in the middle of the stream
]

MODEL: Final = "scripted"
_PING_S: Final = 0.02


@dataclass(frozen=True)
class Call:
    """A tool call. `arguments` is what is sent for them, be it JSON or not; in `fragments` pieces."""

    tool: str
    arguments: str = "{}"
    id: str = "call_1"
    fragments: int = 3


@dataclass(frozen=True)
class Answer:
    """What is said to one request. `first_s` passes before the first token, `token_s` before each further
    one; tokens are words with the space before them. A `status` other than 200 is all there is."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    first_s: float = 0.0
    token_s: float = 0.0
    fault: Fault = ""
    status: int = 200
    message: str = "the server would not"
    finish: str = ""
    usage: bool = True
    headers: tuple[str, ...] = ()


@dataclass
class Asked:
    """A request: what came, how many tokens were sent, and how it ended. `over` is set at the end;
    `client_left` says that the client went away before all was sent."""

    body: dict[str, Any]
    headers: dict[str, str]
    connection: int
    sent: int = 0
    client_left: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> list[str]:
        """The roles and texts of the conversation, as `user: yes`."""
        return [f"{one['role']}: {one.get('content') or ''}" for one in self.body["messages"]]


Script = Callable[[dict[str, Any]], Answer]


@dataclass
class LlmServer:
    """Says `script` one after the other, then `otherwise`; a test may change both at any time.

    `vector_of` answers /embeddings. `fetched` are the paths of other requests."""

    url: str = ""
    script: deque[Answer] = field(default_factory=deque)
    otherwise: Script = lambda body: Answer("I have nothing to say.")
    asked: list[Asked] = field(default_factory=list)
    embedded: list[list[str]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    connections: int = 0
    embedding_delay_s: float = 0.0
    vector_of: Callable[[str], list[float]] = lambda text: letters(text)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def next_answer(self, body: dict[str, Any]) -> Answer:
        return self.script.popleft() if self.script else self.otherwise(body)

    async def came(self, count: int, within_s: float = 20.0) -> Asked:
        """The request with this number, from 1 on, once it is there."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: len(self.asked) >= count)
        return self.asked[count - 1]

    async def take(self, asked: Asked) -> None:
        async with self._came:
            self.asked.append(asked)
            self._came.notify_all()


@asynccontextmanager
async def llm_server(
    *script: Answer, otherwise: Script | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[LlmServer]:
    """Runs one; everything of it is gone when the block is left."""
    state = LlmServer(script=deque(script))
    if otherwise is not None:
        state.otherwise = otherwise
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        state.connections += 1
        try:
            await _Connection(state, reader, writer, state.connections).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(connected, host, port)
    state.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class _ClientLeft(Exception):
    """Nobody reads any more."""


class _Connection:
    """One connection, with one request after the other."""

    def __init__(
        self, state: LlmServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._state = state
        self._reader = reader
        self._writer = writer
        self._number = number
        self._ahead = b""
        """What came of the next request already."""

    async def run(self) -> None:
        while line := self._ahead + await self._reader.readline():
            self._ahead = b""
            method, path, _ = line.decode("latin-1").split(" ", 2)
            headers: dict[str, str] = {}
            while (header := (await self._reader.readline()).decode("latin-1").strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
            if not await self._answer(method, path, headers, body):
                return

    async def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bool:
        """Whether the connection may be used again."""
        if method == "POST" and path.endswith("/chat/completions"):
            asked = Asked(json.loads(body), headers, self._number)
            answer = self._state.next_answer(asked.body)
            await self._state.take(asked)
            return await self._chat(asked, answer)
        if method == "POST" and path.endswith("/embeddings"):
            await self._embed(json.loads(body))
            return True
        self._state.fetched.append(path)
        if path.endswith("/models"):
            await self._whole(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            await self._whole(404, {"error": {"message": f"there is no {path}"}})
        return True

    async def _embed(self, body: dict[str, Any]) -> None:
        texts = [body["input"]] if isinstance(body["input"], str) else list(body["input"])
        self._state.embedded.append(texts)
        await asyncio.sleep(self._state.embedding_delay_s)
        data = [
            {"object": "embedding", "index": index, "embedding": self._state.vector_of(text)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(map(_count, texts)), "total_tokens": sum(map(_count, texts))}
        await self._whole(200, {"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _chat(self, asked: Asked, answer: Answer) -> bool:
        """As long as the client is there; what it sends meanwhile is its next request."""
        sending = asyncio.create_task(self._stream(asked, answer))
        leaving = asyncio.create_task(self._gone())
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                return sending.result()
            asked.client_left = True
            return False
        except ConnectionError:
            asked.client_left = True
            return False
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            asked.over.set()

    async def _gone(self) -> None:
        """Ends when the client has closed its side."""
        self._ahead = await self._reader.read(1)
        if self._ahead:
            await asyncio.Event().wait()

    async def _stream(self, asked: Asked, answer: Answer) -> bool:
        if answer.status != 200:
            await asyncio.sleep(answer.first_s)
            error = {"message": answer.message, "type": "error", "param": None, "code": None}
            await self._whole(answer.status, {"error": error}, answer.headers)
            return True
        if answer.fault == "html":
            await self._whole(200, "<html><body><h1>502 Bad Gateway</h1></body></html>", kind="text/html")
            return True
        if answer.fault == "json":
            message = {"role": "assistant", "content": answer.text}
            await self._whole(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            return True
        if answer.fault == "silent":
            await asyncio.Event().wait()
        self._head(200, "text/event-stream", "Transfer-Encoding: chunked")
        if answer.fault == "cut":
            await self._say(asked, answer, answer.text)
            self._writer.transport.abort()
            return False
        await self._body(asked, answer)
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True

    async def _body(self, asked: Asked, answer: Answer) -> None:
        match answer.fault:
            case "slow loris":
                while True:
                    await self._line(": ping\n\n")
                    await asyncio.sleep(_PING_S)
            case "empty deltas":
                while True:
                    await self._delta({"content": ""})
                    await asyncio.sleep(_PING_S)
            case "endless":
                while True:
                    await self._say(asked, answer, answer.text + " ")
            case "endless line":
                await self._line('data: {"choices": [{"delta": {"content": "')
                while True:
                    asked.sent += 1
                    await self._line("a" * 8000)
            case "nonsense":
                await self._line("data: as you like it\n\n")
                return
            case "odd shapes":
                for odd in (
                    "[]",
                    "3",
                    '{"choices": null}',
                    '{"choices": [null]}',
                    '{"choices": [{"delta": 3}]}',
                ):
                    await self._line(f"data: {odd}\n\n")
                for odd in ('{"content": 7}', '{"tool_calls": 7}', '{"tool_calls": [{"index": "x"}, 3]}'):
                    await self._line(f'data: {{"choices": [{{"delta": {odd}}}]}}\n\n')
        await self._say(asked, answer, answer.text)
        for index, call in enumerate(answer.calls):
            await self._call(asked, answer, index, call)
        if answer.fault == "error":
            await self._line(f"data: {json.dumps({'error': {'message': answer.message}})}\n\n")
            return
        if answer.fault == "no end":
            return
        finish = answer.finish or ("tool_calls" if answer.calls else "stop")
        limit = asked.body.get("max_tokens")
        if not answer.finish and isinstance(limit, int) and asked.sent >= limit:
            finish = "length"
        await self._delta({}, finish)
        if answer.usage and (asked.body.get("stream_options") or {}).get("include_usage"):
            tokens_in = sum(_count(json.dumps(one, ensure_ascii=False)) for one in asked.body["messages"])
            usage = {
                "prompt_tokens": tokens_in,
                "completion_tokens": asked.sent,
                "total_tokens": tokens_in + asked.sent,
            }
            await self._event({"choices": [], "usage": usage})
        await self._line("data: [DONE]\n\n")

    async def _say(self, asked: Asked, answer: Answer, text: str) -> None:
        """At most as much as was asked for, as servers do; one that is endless does not care."""
        limit = asked.body.get("max_tokens") if answer.fault != "endless" else None
        if not asked.sent:
            await asyncio.sleep(answer.first_s)
            await self._delta({"role": "assistant", "content": ""})
        for token in tokens(text):
            if isinstance(limit, int) and asked.sent >= limit:
                return
            if asked.sent:
                await asyncio.sleep(answer.token_s)
            await self._delta({"content": token})
            asked.sent += 1

    async def _call(self, asked: Asked, answer: Answer, index: int, call: Call) -> None:
        head = {"index": index, "id": call.id, "type": "function"}
        await self._delta({"tool_calls": [{**head, "function": {"name": call.tool, "arguments": ""}}]})
        size = max(math.ceil(len(call.arguments) / call.fragments), 1)
        for at in range(0, len(call.arguments), size):
            await asyncio.sleep(answer.token_s)
            part = {"index": index, "function": {"arguments": call.arguments[at : at + size]}}
            await self._delta({"tool_calls": [part]})
            asked.sent += 1

    async def _delta(self, delta: dict[str, Any], finish: str | None = None) -> None:
        await self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    async def _event(self, event: dict[str, Any]) -> None:
        whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": MODEL, **event}
        await self._line(f"data: {json.dumps(whole, ensure_ascii=False)}\n\n")

    async def _line(self, text: str) -> None:
        data = text.encode()
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def _whole(
        self, status: int, body: Any, headers: Sequence[str] = (), kind: str = "application/json"
    ) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self._head(status, kind, f"Content-Length: {len(data)}", *headers)
        self._writer.write(data)
        await self._writer.drain()

    def _head(self, status: int, kind: str, *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} -", f"Content-Type: {kind}", *headers]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


def tokens(text: str) -> Iterator[str]:
    """Words, each with the space before it."""
    return (match[0] for match in re.finditer(r"\s*\S+|\s+$", text))


def _count(text: str) -> int:
    return sum(1 for _ in tokens(text))


def letters(text: str) -> list[float]:
    """A made embedding: how often each letter is there, as a vector of length 1."""
    counts = [0.0] * 64
    for letter in text.lower():
        if not letter.isspace():
            counts[ord(letter) % 64] += 1
    length = math.sqrt(sum(count * count for count in counts)) or 1.0
    return [count / length for count in counts]


# --- by hand


def rules(written: list[dict[str, Any]], first_s: float, token_s: float) -> Script:
    """A script by what was said last: entries `{when: REGEX, say: TEXT, call: {tool, arguments}}`; the first
    that matches the last message of the caller (or of a tool, as `tool: ...`) answers."""

    def answer(body: dict[str, Any]) -> Answer:
        last = body["messages"][-1]
        text = str(last.get("content") or "")
        if last["role"] == "tool":
            text = f"tool: {text}"
        for one in written:
            if re.search(str(one.get("when", "")), text):
                call = one.get("call")
                calls = (Call(call["tool"], json.dumps(call.get("arguments", {}))),) if call else ()
                return Answer(str(one.get("say", "")), calls, first_s, token_s)
        return Answer(f"You said: {text}", (), first_s, token_s)

    return answer


async def _run(options: argparse.Namespace) -> None:
    written = yaml.safe_load(options.script.read_text()) if options.script else []
    script = rules(written, options.first_ms / 1000, options.token_ms / 1000)
    async with llm_server(otherwise=script, host=options.host, port=options.port) as server:
        if options.announce:
            beside = options.announce.with_suffix(".part")
            beside.write_text(json.dumps({"url": server.url}))
            beside.replace(options.announce)
        print(f"a scripted model at {server.url}", flush=True)
        await asyncio.Event().wait()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.llm_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001, help="0 takes any free one")
    parser.add_argument("--first-ms", type=float, default=200.0, help="before the first token")
    parser.add_argument("--token-ms", type=float, default=20.0, help="before each further token")
    parser.add_argument("--script", type=Path, help="YAML: a list of {when, say, call}")
    parser.add_argument("--announce", type=Path, help="write the address to this file, as JSON")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
