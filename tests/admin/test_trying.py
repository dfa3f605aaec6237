"""Voices and recognisers tried from the dashboard: each one's answer or failure, two at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from ivr.admin import trying
from ivr.admin.gateway import GatewayClient
from ivr.admin.trying import Failed, Recording, Trier, recording_fault, text_fault
from ivr.api.trials import RecogniserTried, VoiceTried, VoiceTry

Answer = Callable[[httpx.Request], httpx.Response]

TRIED = {
    "engine": "espeak",
    "said": "hello",
    "first_audio_ms": 2.0,
    "took_ms": 4.0,
    "audio_ms": 900,
    "rtf": 0.004,
    "rate": 22050,
    "cut": False,
    "audio": "UklGRg==",
}


class Server:
    """Answers as it is told, and counts how many it answers at once."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: httpx.Response(200, json=TRIED)
        self.requests: list[httpx.Request] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.at_once -= 1
        return self.answer(request)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def trier(server: Server) -> AsyncIterator[Trier]:
    gateway = GatewayClient("http://ivr", "key", httpx.MockTransport(server))
    yield Trier(gateway, "asha")
    await gateway.close()


def wanted(*engines: str) -> list[VoiceTry]:
    return [VoiceTry(engine=engine, text="hello", language="en") for engine in engines]


def problem(kind: str, status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, json={"type": f"/problems/{kind}", "title": "No", "detail": detail})


async def test_every_voice_is_told_as_it_comes_two_at_a_time(server: Server, trier: Trier) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**TRIED, "engine": json.loads(request.content)["engine"]})

    server.answer = answer
    told: list[VoiceTried | Failed] = []
    await trier.speak(wanted("a", "b", "c", "d"), told.append)
    assert sorted(each.engine for each in told) == ["a", "b", "c", "d"]
    assert server.most_at_once == trying.AT_ONCE


async def test_one_that_fails_does_not_keep_the_others_from_being_heard(server: Server, trier: Trier) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if json.loads(request.content)["engine"] == "b":
            return problem("engine-failed", 502, "no answer before the deadline")
        return httpx.Response(200, json=TRIED)

    server.answer = answer
    told: list[VoiceTried | Failed] = []
    await trier.speak(wanted("a", "b"), told.append)
    (failed,) = [each for each in told if isinstance(each, Failed)]
    assert failed == Failed("b", "No: no answer before the deadline")
    assert len(told) == 2


async def test_a_server_that_is_busy_is_asked_again(
    server: Server, trier: Trier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "AGAIN_S", 0.0)
    refusals = iter(range(2))

    def answer(request: httpx.Request) -> httpx.Response:
        busy = next(refusals, None) is not None
        return problem("trials-busy", 503, "two are under way") if busy else httpx.Response(200, json=TRIED)

    server.answer = answer
    told: list[VoiceTried | Failed] = []
    await trier.speak(wanted("a"), told.append)
    assert isinstance(told[0], VoiceTried)
    assert len(server.requests) == 3
    server.answer = lambda request: problem("trials-busy", 503, "two are under way")
    await trier.speak(wanted("a"), told.append)
    assert told[1] == Failed("a", "No: two are under way")


async def test_a_recording_goes_to_each_recogniser_with_its_phrases(server: Server, trier: Trier) -> None:
    heard = {"engine": "whisper", "text": "yes", "confidence": 0.9, "wait_ms": 100.0, "audio_ms": 800}
    server.answer = lambda request: httpx.Response(200, json=heard)
    told: list[RecogniserTried | Failed] = []
    await trier.hear(["whisper"], Recording(b"RIFF...", "en", ("yes", "no"), 16000), told.append)
    assert isinstance(told[0], RecogniserTried)
    (request,) = server.requests
    assert request.url.params.get_list("phrases") == ["yes", "no"]
    assert (request.url.params["rate"], request.content) == ("16000", b"RIFF...")
    assert request.headers["x-operator"] == "asha"


def test_what_cannot_be_tried_is_said_before_it_is_sent() -> None:
    assert text_fault("x" * 10_000) == "500 characters at most are spoken at once; this has 10,000."
    assert text_fault(" ") == "Write something to be said."
    assert text_fault("नमस्ते") is None
    assert recording_fault(b"RIFF" + bytes(5 * 2**20)) == "3 MB at most are taken; this has 5.0 MB."
    assert "no WAV file" in (recording_fault(b"OggS") or "")
    assert recording_fault(b"RIFF....WAVE") is None
