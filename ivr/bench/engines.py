"""Engines of known speed, a process of their own: `python -m ivr.bench.engines DELAYS`, where DELAYS is JSON.

A recogniser, a voice and a language model, as services elsewhere offer them (`ivr asr`, `ivr tts`, an
OpenAI-compatible server), so that a server under test reaches them by the way of real ones. They take no
computing, only the time that they are told to take. It prints its address, then serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engines.service.serving import served

RATE: Final = 8000
SPEECH_S: Final = 3.0
"""How long every text lasts when it is spoken."""

LEVEL: Final = 8000
"""Of the voice: a square wave, so that how loud it is can be told from any single packet."""

HEARD: Final = ("please", "tell", "me", "where", "my", "order", "is", "now", "thank", "you.")
"""What is said to the recogniser: a word with each 200 ms of voice, the last with the pause behind it."""

_WORD_BYTES: Final = RATE * 2 // 5
_PAUSE_BYTES: Final = RATE * 2 // 10
_LOUD: Final = 200
_HALF_PERIOD: Final = 10
_CHUNK_S: Final = 0.2
_TOKEN_S: Final = 0.01
_TOKENS: Final = 7
SENTENCE_S: Final = (_TOKENS - 1) * _TOKEN_S
"""From the first token of an answer to the end of its first sentence, which is all of it."""

_WORDS: Final = (
    "amber",
    "birch",
    "cedar",
    "daisy",
    "ember",
    "frost",
    "grove",
    "hazel",
    "ivory",
    "lemon",
    "maple",
)


@dataclass(frozen=True, slots=True)
class Delays:
    """In seconds: from the end of speech to the transcript, from a request to the model's first token, and
    from a text to its first audio."""

    transcript_s: float = 0.0
    token_s: float = 0.0
    audio_s: float = 0.0

    def sum_s(self, *, model: bool) -> float:
        """One after the other, up to the first audio of a reply; with the model its first sentence, too."""
        heard_and_said = self.transcript_s + self.audio_s
        return heard_and_said + self.token_s + SENTENCE_S if model else heard_and_said


def create_app(delays: Delays) -> FastAPI:
    async def listen(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await _listen(socket, delays.transcript_s)
        except WebSocketDisconnect:
            return

    async def speak(request: Request) -> Response:
        if not await _whole(request):
            return Response()
        return StreamingResponse(_speech(delays.audio_s), media_type="audio/pcm")

    async def chat(request: Request) -> Response:
        if not await _whole(request):
            return Response()
        return StreamingResponse(_answer(delays.token_s), media_type="text/event-stream")

    async def model(request: Request) -> JSONResponse:
        return JSONResponse({"id": request.path_params["name"], "version": "bench"})

    async def voices(_: Request) -> JSONResponse:
        return JSONResponse({"voices": []})

    return FastAPI(
        routes=[
            WebSocketRoute("/ws/stream", listen),
            Route("/v1/audio/speech/stream", speak, methods=["POST"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models/{name}", model),
            Route("/v1/voices", voices),
        ]
    )


async def _whole(request: Request) -> bool:
    """Whether the request came to its end: what is prepared for a caller who goes on is cancelled."""
    try:
        await request.body()
    except ClientDisconnect:
        return False
    return True


async def _listen(socket: WebSocket, delay_s: float) -> None:
    """See `engines.service.asr.protocol`."""
    hearing = _Hearing()
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        if (pcm := message.get("bytes")) is not None:
            text = hearing.hear(pcm)
            if text:
                await socket.send_json(
                    {"type": "partial", "utterance": 1, "text": text, "stable": 0, "language": "en"}
                )
            continue
        asked = json.loads(message["text"])
        if asked["type"] == "start":
            hearing = _Hearing()
            await socket.send_json({"type": "ready", "model": asked["model"]})
        elif asked["type"] == "finish":
            await asyncio.sleep(delay_s)
            said = {
                "text": " ".join(HEARD),
                "language": "en",
                "confidence": 0.9,
                "latency_ms": delay_s * 1000,
            }
            await socket.send_json({"type": "final", "utterance": 1, **said})


class _Hearing:
    """What was heard of one utterance so far."""

    def __init__(self) -> None:
        self._voiced = self._quiet = self._told = 0

    def hear(self, pcm: bytes) -> str:
        """All words so far when there is one more, else nothing."""
        if max(memoryview(pcm).cast("h"), default=0) >= _LOUD:
            self._voiced += len(pcm)
            self._quiet = 0
            self._told = min(self._told, len(HEARD) - 1)  # the last word was not: there are more
        else:
            self._quiet += len(pcm)
        paused = self._voiced and self._quiet >= _PAUSE_BYTES
        words = len(HEARD) if paused else min(self._voiced // _WORD_BYTES, len(HEARD) - 1)
        if words <= self._told:
            return ""
        self._told = words
        return " ".join(HEARD[:words])


async def _speech(delay_s: float) -> AsyncIterator[bytes]:
    period = struct.pack("<h", LEVEL) * _HALF_PERIOD + struct.pack("<h", -LEVEL) * _HALF_PERIOD
    chunk = period * int(RATE * _CHUNK_S / (2 * _HALF_PERIOD))
    await asyncio.sleep(delay_s)
    for _ in range(int(SPEECH_S / _CHUNK_S)):
        yield chunk


async def _answer(delay_s: float) -> AsyncIterator[bytes]:
    """Words that no answer before had, so that nobody has them ready; one sentence."""
    words = ["Certainly, it is the", *random.choices(_WORDS, k=_TOKENS - 2), "one, and it comes soon."]
    await asyncio.sleep(delay_s)
    for number, word in enumerate(words):
        if number:
            await asyncio.sleep(_TOKEN_S)
        yield _piece({"content": f"{word} " if number < len(words) - 1 else word})
    yield _piece({}, "stop")
    yield b"data: [DONE]\n\n"


def _piece(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "bench", "object": "chat.completion.chunk", "model": "bench", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def _serve(delays: Delays) -> None:
    async with served(create_app(delays), "127.0.0.1", 0) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


def main(arguments: list[str]) -> None:
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # that a client has gone is no news here
    asyncio.run(_serve(Delays(**json.loads(arguments[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
