"""Voices and recognisers tried over the API, outside of calls."""

from __future__ import annotations

import asyncio
import base64
import io
import wave

import httpx
import pytest

from engines.contract import EngineTimeout, EngineUnavailable
from ivr.api import trials as routes
from media import wav
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.fakes.engines import tone

READER = bearer("operator")
SPEAK = "/api/voice/voices/try"
TEXT = {"engine": "tone", "text": "20 मिनट", "language": "hi"}


def recording(seconds: float = 1.0, rate: int = 16000, channels: int = 1) -> bytes:
    pcm = tone(440, int(seconds * rate), rate) * channels
    return wav.header(rate, len(pcm), channels) + pcm


async def speak(api: httpx.AsyncClient, **changes: object) -> httpx.Response:
    return await api.post(SPEAK, json={**TEXT, **changes}, headers=READER)


async def hear(api: httpx.AsyncClient, data: bytes, **query: object) -> httpx.Response:
    params = {"engine": "scripted", "language": "hi", **query}
    return await api.post(routes.PATH, params=params, content=data, headers=READER)  # type: ignore[arg-type]


async def test_a_text_is_spoken_in_words_and_behind_live_calls(
    api: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    answer = await speak(api, emotion="happy", voice="high", speed=1.2)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["said"], told["cut"], told["rate"]) == ("बीस मिनट", False, 8000)
    assert told["first_audio_ms"] <= told["took_ms"]
    with wave.open(io.BytesIO(base64.b64decode(told["audio"]))) as file:
        assert file.getparams()[:3] == (1, 2, 8000)
        assert file.getnframes() == told["audio_ms"] * 8 == len("बीस मिनट") * 50 * 8
    (request,) = gateway.voice.requests
    assert (request.emotion, request.voice, request.speed) == ("happy", "high", 1.2)
    assert not request.waited_for


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"text": "x" * 10_000}, 422, "text: String should have at most 500 characters"),
        ({"text": ""}, 422, "text: is empty"),
        ({"text": " ! "}, 422, "nothing that can be spoken"),
        ({"language": "fr"}, 422, "language: is none of hi, mr, en"),
        ({"voice": "bass"}, 422, "tone has no voice 'bass': high, low"),
        ({"emotion": "furious"}, 422, "emotion"),
        ({"engine": "nobody"}, 404, "no engine 'nobody'"),
        ({"loud": True}, 422, "loud: is unknown"),
    ],
)
async def test_what_cannot_be_spoken_is_said(
    api: httpx.AsyncClient, changes: dict[str, object], status: int, says: str
) -> None:
    answer = await speak(api, **changes)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


async def test_a_voice_that_fails_says_why(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.voice.failures.append(EngineTimeout("no answer before the deadline"))
    answer = await speak(api)
    assert (answer.status_code, answer.json()["type"]) == (502, "/problems/engine-failed")
    assert answer.json()["detail"] == "no answer before the deadline"
    assert (await speak(api)).status_code == 200


async def test_two_at_a_time_and_the_third_is_sent_away(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.voice.delay_s = 0.3
    answers = await asyncio.gather(*(speak(api) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["type"], refused.headers["retry-after"]) == ("/problems/trials-busy", "1")
    assert (await speak(api)).status_code == 200


async def test_a_long_speech_is_cut_and_the_engine_let_go(
    api: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.voice.ms_per_character = 1000
    told = (await speak(api, text="ab" * 100, language="en")).json()
    assert (told["cut"], told["audio_ms"]) == (True, 60_000)
    assert len(gateway.voice.cancelled) == 1


async def test_a_recording_is_heard_at_the_rate_of_calls(
    api: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.recogniser.answers.append(("बीस मिनट", 0.87))
    answer = await hear(api, recording(rate=16000), phrases=["बीस मिनट", " "])
    assert answer.status_code == 200
    told = answer.json()
    assert (told["text"], told["confidence"], told["audio_ms"]) == ("बीस मिनट", 0.87, 1000)
    (stream,) = gateway.recogniser.streams
    assert (stream.request.rate, stream.request.phrases) == (8000, ("बीस मिनट",))
    assert len(stream.audio) == 16_000
    assert stream.cancelled  # what it held is freed


@pytest.mark.parametrize(
    ("data", "query", "status", "says"),
    [
        (b"", {}, 422, "no WAV file"),
        (b"{}", {}, 422, "no WAV file"),
        (recording(channels=2), {}, 422, "2 channels of 16 bits"),
        (recording(31.0, 8000), {}, 422, "lasts 31.0 s"),
        (recording(0.01), {}, 422, "lasts 0.0 s"),
        (recording(), {"rate": 11025}, 422, "none of 8000, 16000"),
        (recording(), {"engine": "nobody"}, 404, "no engine"),
        (recording(), {"phrases": "x" * 300}, 422, "longer than 200"),
        (b"RIFF" + bytes(5 * 1024 * 1024), {}, 413, f"over {routes.MOST_BYTES} bytes"),
    ],
)
async def test_what_cannot_be_heard_is_said(
    api: httpx.AsyncClient, data: bytes, query: dict[str, object], status: int, says: str
) -> None:
    answer = await hear(api, data, **query)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


async def test_a_recogniser_of_phrases_wants_some(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.recogniser.free_speech = False
    refused = await hear(api, recording())
    assert (refused.status_code, "name what may be said" in refused.json()["detail"]) == (422, True)
    gateway.recogniser.failures.append(EngineUnavailable("the worker died"))
    assert (await hear(api, recording(), phrases="हाँ")).status_code == 502


async def test_what_there_is_to_try(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.recogniser.free_speech = False
    voices = (await api.get("/api/voice/voices", headers=READER)).json()
    assert voices["voices"] == [
        {"engine": "tone", "voices": {lang: ["high", "low"] for lang in ("hi", "mr", "en")}}
    ]
    assert "happy" in voices["emotions"]
    recognisers = (await api.get("/api/voice/recognisers", headers=READER)).json()
    assert recognisers["recognisers"] == [{"engine": "scripted", "languages": ["hi", "mr", "en"], "free": []}]


async def test_readers_of_engines_alone(api: httpx.AsyncClient) -> None:
    assert (await api.post(SPEAK, json=TEXT, headers=bearer("viewer"))).status_code == 403
    assert (await api.get("/api/voice/voices", headers=bearer("viewer"))).status_code == 403
