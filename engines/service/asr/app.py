"""The ASR service's application over a roster of recognisers."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, WebSocket
from fastapi.responses import JSONResponse

from engines.service.app import BODY_BYTES, new_app
from engines.service.asr import transcriptions
from engines.service.asr.roster import Roster
from engines.service.asr.stream import Vad, serve
from engines.service.asr.transcriptions import Bounds
from engines.service.errors import ServiceError
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics

MOST_STREAMS: Final = 200
FINAL_S: Final = 10.0
"""How long a stream's final may take; whoever hedges asks another engine long before."""

_DESCRIPTION: Final = """
Speech in, text out. Files: as OpenAI's API does it. Streams of speech: over the WebSocket `/ws/stream`.

**`/ws/stream`** takes binary frames of audio and JSON messages, and answers with JSON messages:

| to the service | |
|---|---|
| `{"type": "start", "model": "", "language": "hi", "encoding": "pcm", "rate": 8000, "phrases": [], "prompt": "", "words": false, "partials": true, "endpointing": true, "end_silence_s": 0.6, "max_s": 30}` | begins to listen; every field but `type` may be left out; `encoding` is `pcm` (16-bit little-endian), `mulaw` (also `ulaw`) or `alaw` |
| binary | mono audio, any length at a time |
| `{"type": "finish"}` | the utterance is over now (needed without `endpointing`) |
| `{"type": "cancel"}` | the utterance is dropped |
| `{"type": "stop"}` | finish what is under way, and close |

| from the service | |
|---|---|
| `{"type": "ready", "model": "faster-whisper"}` | answers `start` |
| `{"type": "began", "utterance": 1, "at_s": 0.41}` | speech began |
| `{"type": "partial", "utterance": 1, "text": "…", "stable": 4, "language": "hi"}` | so far; the first `stable` characters stay |
| `{"type": "ended", "utterance": 1, "at_s": 1.92}` | speech is over |
| `{"type": "final", "utterance": 1, "text": "…", "language": "hi", "confidence": 0.93, "latency_ms": 41.0, "words": []}` | what was said |
| `{"type": "error", "error": {"message": "…", "type": "…", "param": null, "code": "…"}, "utterance": 1}` | with `utterance`, that one is lost; the connection goes on |

A key goes into the header `Authorization: Bearer KEY`, or, for browsers, into `?key=`.
"""  # noqa: E501


def create_app(
    roster: Roster,
    vad: Vad,
    metrics: ServiceMetrics,
    keys: Keys,
    *,
    bounds: Bounds = Bounds(),  # noqa: B008 (it is frozen)
    body_bytes: int = BODY_BYTES,
    most_streams: int = MOST_STREAMS,
    final_s: float = FINAL_S,
) -> FastAPI:
    """The application; its recognisers and its detector are started and closed by who calls this."""

    def reasons() -> list[str]:
        """Not ready when nothing can be recognised at all."""
        down = roster.down()
        return down if len(down) == len(roster.names) else []

    app = new_app("ASR service", _DESCRIPTION, keys, metrics, reasons, body_bytes=body_bytes)
    app.include_router(transcriptions.routes(roster, keys, metrics, bounds))
    open_streams = 0
    metrics.watch_streams(lambda: open_streams)
    metrics.watch_workers(roster.names, roster.health)

    @app.websocket("/ws/stream")
    async def stream(socket: WebSocket) -> None:
        nonlocal open_streams
        try:
            keys.check_socket(socket)
            if open_streams >= most_streams:
                raise ServiceError(
                    503,
                    f"{most_streams} streams are open",
                    code="too_many_streams",
                    headers={"Retry-After": "1"},
                )
        except ServiceError as error:
            await socket.send_denial_response(JSONResponse(error.body(), error.status, error.headers))
            return
        open_streams += 1
        try:
            await socket.accept()
            await serve(socket, roster, vad, metrics, final_s)
        finally:
            open_streams -= 1

    return app
