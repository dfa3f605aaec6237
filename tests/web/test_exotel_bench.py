"""The benchmark's caller measures what it says it does."""

from __future__ import annotations

import asyncio
import struct

from fastapi import FastAPI, WebSocket

from engines.service.serving import served
from ivr.bench.flow import LEVELS
from ivr.bench.stats import Samples
from ivr.bench.web import exotel_caller
from ivr.bench.web.exotel_caller import StreamCaller
from webrtc.exotel import KeyPressed, Marked, Media, Start, Stop, Writer, read

CHUNK_SAMPLES = 800


def prompt(name: str) -> bytes:
    return struct.pack("<h", LEVELS[name]) * CHUNK_SAMPLES


async def test_a_key_is_measured_to_the_first_of_the_next_prompt(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(exotel_caller, "_BETWEEN_KEYS_S", (0.1, 0.2))
    heard: list[object] = []
    app = FastAPI()

    @app.websocket("/ws/exotel/bench")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        writer, prompts = Writer("bench-0"), iter("abababab" * 20)
        sent = 0
        while not (heard and isinstance(heard[-1], Stop)):
            part = read(await socket.receive_text()).part
            heard.append(part)
            if isinstance(part, KeyPressed):
                await socket.send_text(writer.clear)
            if isinstance(part, Start | KeyPressed):
                sent += 1
                await socket.send_text(writer.media(prompt(next(prompts))))
                await socket.send_text(writer.mark(f"c{sent}"))

    samples, over = Samples(), asyncio.Event()
    async with served(app, "127.0.0.1", 0, 1) as url:
        host, port = url.removeprefix("http://").split(":")
        caller = StreamCaller("bench-0", host, "/ws/exotel/bench", samples, over.set)
        await asyncio.get_running_loop().create_connection(lambda: caller, host, int(port))
        async with asyncio.timeout(30):
            while len(samples.key_to_prompt) < 3:
                await asyncio.sleep(0.02)
            caller.leave()
            await over.wait()
    assert samples.failures == []
    assert all(0 < took < 5e9 for took in samples.key_to_prompt)
    assert caller.clears >= 3
    assert caller.chunk_bytes == CHUNK_SAMPLES * 2
    assert Marked("c1") in heard  # 100 ms after it was sent, before the first key
    audio = [part for part in heard if isinstance(part, Media)]
    assert {len(part.pcm) for part in audio} == {1600}
    assert [part.chunk for part in audio] == list(range(1, len(audio) + 1))
