"""A recogniser that another machine offers, against the service itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from engines.asr.client import ServiceRecognizer
from engines.asr.roster import AsrSettings, new_recognizer
from engines.catalogue import find
from engines.contract import EngineError, EngineTimeout, EngineUnavailable, RecognitionRequest, Transcript
from engines.running_here import CannotUse
from engines.service.asr.app import create_app
from engines.service.asr.roster import Roster
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.service.serving import served
from engines.supervisor import WorkerState
from tests.fakes.speech import noise
from tests.service.asr.conftest import KEY, WORDS, Scripted, ScriptedVad

WHISPER = find("faster-whisper")
HINDI = RecognitionRequest("hi", 8000, ("हाँ",), "ऑर्डर", words=True)
PCM = noise(8000, 3000)


@asynccontextmanager
async def service(engine: Scripted) -> AsyncIterator[str]:
    engine.name = "faster-whisper"
    app = create_app(
        Roster({"faster-whisper": engine}), ScriptedVad(), ServiceMetrics("asr"), Keys({"gateway": KEY})
    )
    async with served(app, "127.0.0.1", 0, drain_s=1) as url:
        yield url


@asynccontextmanager
async def client(url: str, key: str | None = KEY) -> AsyncIterator[ServiceRecognizer]:
    recognizer = ServiceRecognizer(WHISPER, url, key)
    try:
        yield recognizer
    finally:
        await recognizer.close()


async def test_turns_over_one_connection() -> None:
    engine = Scripted()
    async with service(engine) as url, client(url) as recognizer:
        assert recognizer.health.state is WorkerState.DOWN
        await recognizer.start()
        assert recognizer.health.state is WorkerState.UP
        for _ in range(3):
            partials: list[Transcript] = []
            stream = recognizer.open(HINDI, partials.append)
            for at in range(0, len(PCM), 320):
                stream.write(PCM[at : at + 320])
            async with asyncio.timeout(20):
                while not partials:
                    await asyncio.sleep(0.01)
            final = await stream.finish(deadline_s=20)
            assert (final.text, final.language, final.confidence) == (WORDS.text, "hi", 0.8)
            assert final.segments[0].words == WORDS.segments[0].words
            assert (partials[0].text, partials[0].stable) == ("मेरा", 2)
        assert engine.audio == [PCM] * 3
        asked = engine.requests[0]
        assert (asked.language, asked.phrases, asked.prompt, asked.words) == ("hi", ("हाँ",), "ऑर्डर", True)
        assert recognizer.health.jobs == 0
        nothing = recognizer.open(HINDI)
        assert (await nothing.finish(deadline_s=20)).text == ""


async def test_many_turns_at_once_never_mix() -> None:
    class Echo(Scripted):
        """Says how much it heard."""

        def open(self, request, on_partial=None):  # type: ignore[no-untyped-def]
            utterance = super().open(request, None)

            async def finish(*, deadline_s: float) -> Transcript:
                return Transcript(str(len(utterance._pcm)), "hi", 1.0)

            utterance.finish = finish  # type: ignore[method-assign]
            return utterance

    async with service(Echo()) as url, client(url) as recognizer:

        async def turn(size: int) -> str:
            stream = recognizer.open(HINDI)
            stream.write(PCM[:size])
            return (await stream.finish(deadline_s=20)).text

        sizes = [320 * n for n in range(1, 21)]
        assert await asyncio.gather(*map(turn, sizes)) == [str(size) for size in sizes]


async def test_a_service_that_is_away_says_so() -> None:
    async with client("http://127.0.0.1:9") as recognizer:
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await recognizer.start()
        stream = recognizer.open(HINDI)
        stream.write(PCM)
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await stream.finish(deadline_s=20)
        assert recognizer.health.state is WorkerState.DOWN
        assert recognizer.health.jobs == 0


async def test_a_service_that_stops_between_turns() -> None:
    engine = Scripted()
    async with client("http://127.0.0.1:9") as recognizer:
        async with service(engine) as url:
            recognizer._url = f"ws{url.removeprefix('http')}/ws/stream"
            await recognizer.start()
        stream = recognizer.open(HINDI)
        stream.write(PCM)
        with pytest.raises(EngineUnavailable):
            await stream.finish(deadline_s=20)


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_turn_whose_connection_is_lost_is_said_once_more(lost: int) -> None:
    """All of it to another replica; when that dies too, the turn has failed."""
    heard: list[bytes] = []

    async def replica(socket: ServerConnection) -> None:
        heard.append(b"")
        number = len(heard)
        async for message in socket:
            if isinstance(message, bytes):
                heard[-1] += message
                if number <= lost and len(heard[-1]) > len(PCM) // 2:
                    socket.transport.abort()
                    return
            elif json.loads(message)["type"] == "finish":
                final = {"type": "final", "text": "हाँ", "language": "hi", "confidence": 0.8, "words": []}
                await socket.send(json.dumps(final))

    async with serve(replica, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with client(f"http://127.0.0.1:{port}") as recognizer:
            stream = recognizer.open(HINDI)
            for at in range(0, len(PCM), 320):
                stream.write(PCM[at : at + 320])
            if lost == 1:
                assert (await stream.finish(deadline_s=20)).text == "हाँ"
                assert heard[-1] == PCM
            else:
                with pytest.raises(EngineUnavailable, match="closed the connection"):
                    await stream.finish(deadline_s=20)
            assert len(heard) == 2


async def test_errors_and_deadlines() -> None:
    engine = Scripted()
    async with service(engine) as url:
        async with client(url, key="wrong") as recognizer:
            with pytest.raises(EngineUnavailable, match="the key is not known"):
                await recognizer.start()
        async with client(url) as recognizer:
            engine.failure = EngineError("CUDA out of memory")
            stream = recognizer.open(HINDI)
            stream.write(PCM)
            with pytest.raises(EngineError, match="CUDA out of memory"):
                await stream.finish(deadline_s=20)
        engine.failure = None
        engine.held = asyncio.Event()
        async with client(url) as recognizer:
            stream = recognizer.open(HINDI)
            stream.write(PCM)
            with pytest.raises(EngineTimeout):
                await stream.finish(deadline_s=0.2)
            assert recognizer.health.state is WorkerState.DOWN


async def test_a_cancelled_turn_frees_the_service() -> None:
    engine = Scripted()
    async with service(engine) as url, client(url) as recognizer:
        stream = recognizer.open(HINDI, lambda _: None)
        stream.write(PCM)
        async with asyncio.timeout(20):
            while not engine.requests:
                await asyncio.sleep(0.01)
            stream.cancel()
            while not engine.cancelled:
                await asyncio.sleep(0.01)
        assert recognizer.health.jobs == 0


def test_what_is_not_set_up_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    for name, says in (
        ("faster-whisper", "ivr engines install faster-whisper"),
        ("deepgram", "DEEPGRAM_API_KEY"),
        ("espeak", "speaks, it does not hear"),
    ):
        with pytest.raises(CannotUse, match=says):
            new_recognizer(name)
    assert new_recognizer("deepgram", AsrSettings(key="a key")).name == "deepgram"
    remote = new_recognizer("indic-conformer", AsrSettings(address="http://127.0.0.1:9"))
    assert isinstance(remote, ServiceRecognizer)
