"""Files over HTTP: every form of the answer, and every way in which a request can be wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import openai
import pytest

from engines.contract import EngineTimeout, EngineUnavailable, Segment, Transcript
from engines.service.asr.formats import srt, vtt
from engines.service.encoding import AudioFormat, encode
from tests.fakes.speech import silence
from tests.service.asr.conftest import KEY, Scripted

URL = "/v1/audio/transcriptions"
WAV = encode(silence(16000), 8000, AudioFormat.WAV)


async def post(
    client: httpx.AsyncClient, data: bytes = WAV, name: str = "a.wav", **fields: Any
) -> httpx.Response:
    return await client.post(URL, files={"file": (name, data)}, data=fields)


async def test_the_openai_client(url: str, engine: Scripted) -> None:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0) as client:
        plain = await client.audio.transcriptions.create(file=("a.wav", WAV), model="whisper-1")
        assert plain.text == "मेरा ऑर्डर"
        full = await client.audio.transcriptions.create(
            file=("a.wav", WAV),
            model="scripted",
            language="hi",
            prompt="ऑर्डर",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
        assert (full.text, full.language, full.duration) == ("मेरा ऑर्डर", "hi", 2.0)
        assert full.words is not None
        assert [(w.word, w.start, w.end) for w in full.words] == [("मेरा", 0.25, 0.75), ("ऑर्डर", 0.75, 1.5)]
        assert full.segments is not None
        assert (full.segments[0].start, full.segments[0].end) == (0.25, 1.5)
        asked = engine.requests[-1]
        assert (asked.language, asked.prompt, asked.words, asked.rate) == ("hi", "ऑर्डर", True, 16000)
        await client.audio.transcriptions.create(
            file=("a.wav", WAV), model="scripted", extra_body={"phrases": ["हाँ", "नहीं"]}
        )
        assert engine.requests[-1].phrases == ("हाँ", "नहीं")
        text = await client.audio.transcriptions.create(
            file=("a.wav", WAV), model="second", response_format="text"
        )
        assert str(text).strip() == "second"
        assert [model.id async for model in client.models.list()] == ["scripted", "second"]
        with pytest.raises(openai.NotFoundError, match="there is no model 'x'; there are scripted, second"):
            await client.audio.transcriptions.create(file=("a.wav", WAV), model="x")
        with pytest.raises(openai.BadRequestError, match="empty"):
            await client.audio.transcriptions.create(file=("a.wav", b""), model="scripted")
    async with openai.AsyncOpenAI(api_key="wrong", base_url=f"{url}/v1", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.audio.transcriptions.create(file=("a.wav", WAV), model="scripted")


async def test_subtitles(client: httpx.AsyncClient) -> None:
    answer = await post(client, response_format="srt")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "1\n00:00:00,250 --> 00:00:01,500\nमेरा ऑर्डर\n"
    answer = await post(client, response_format="vtt")
    assert answer.text == "WEBVTT\n\n00:00:00.250 --> 00:00:01.500\nमेरा ऑर्डर\n"


def test_subtitles_of_an_engine_without_times() -> None:
    assert srt(Transcript("hello", "en", 1.0), 2.5) == "1\n00:00:00,000 --> 00:00:02,500\nhello\n"
    assert vtt(Transcript("", "en", 0.0), 2.5) == "WEBVTT\n"
    long = Transcript("a\n\nb --> c", "en", 1.0, segments=(Segment("a\n\nb --> c", 3599.9996, 3661.5),))
    assert srt(long, 4000) == "1\n01:00:00,000 --> 01:01:01,500\na b → c\n"


@pytest.mark.parametrize("form", [AudioFormat.MP3, AudioFormat.OPUS, AudioFormat.FLAC])
async def test_other_files(client: httpx.AsyncClient, engine: Scripted, form: AudioFormat) -> None:
    assert (await post(client, encode(silence(16000), 8000, form), f"a.{form}")).status_code == 200
    assert len(engine.audio[-1]) / 32000 == pytest.approx(2.0, abs=0.2)


async def test_audio_without_a_header(client: httpx.AsyncClient, engine: Scripted) -> None:
    answer = await post(client, b"\xff" * 8000, "a", input_format="ulaw")
    assert answer.status_code == 200
    assert len(engine.audio[-1]) == 32000
    assert (await post(client, b"\xff" * 8000, "a", input_format="mulaw")).status_code == 200
    assert engine.audio[-1] == engine.audio[-2]
    answer = await post(client, b"\0" * 24000, "a.pcm", sample_rate=24000)
    assert len(engine.audio[-1]) == 16000


async def test_phrases(client: httpx.AsyncClient, engine: Scripted) -> None:
    await post(client, phrases=["हाँ\nजी हाँ", "नहीं"])
    assert engine.requests[-1].phrases == ("हाँ", "जी हाँ", "नहीं")


@pytest.mark.parametrize(
    ("fields", "status", "param", "says"),
    [
        ({"model": "gpt-9"}, 404, "model", "there are scripted, second"),
        ({"language": "mr"}, 400, "language", "does not understand 'mr'"),
        (
            {"language": "hindi"},
            400,
            "language",
            "language should be a code, as hi, mr or en-IN, not 'hindi'",
        ),
        ({"model": "faster-whisper"}, 404, "model", "`ivr engines install faster-whisper` adds it"),
        ({"model": "deepgram"}, 404, "model", "It can be added in `engines.asr`"),
        ({"response_format": "docx"}, 400, "response_format", "'json', 'text', 'srt'"),
        ({"temperature": "7"}, 400, "temperature", "less than or equal to 1"),
        ({"stream": "true"}, 400, "stream", "/ws/stream"),
        ({"sample_rate": "x"}, 400, "sample_rate", "integer"),
        ({"phrases": ["x" * 201]}, 400, "phrases", "over 200 characters"),
        ({"phrases": ["\n".join(["a"] * 501)]}, 400, "phrases", "over 500"),
        ({"prompt": "x" * 2001}, 400, "prompt", "2000"),
    ],
)
async def test_what_is_wrong_is_said(
    client: httpx.AsyncClient, fields: dict[str, Any], status: int, param: str, says: str
) -> None:
    answer = await post(client, **fields)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["param"] == param
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"


async def test_wrong_audio(client: httpx.AsyncClient) -> None:
    empty = await post(client, b"")
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "empty_audio")
    picture = await post(client, b"\x89PNG....")
    assert "a PNG picture" in picture.json()["error"]["message"]
    hours = await post(client, encode(bytes(8000 * 2 * 90), 8000, AudioFormat.OPUS))
    assert (hours.status_code, hours.json()["error"]["code"]) == (413, "audio_too_long")
    large = await post(client, bytes(5_000_000))
    assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
    missing = await client.post(URL, data={"model": "scripted"})
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "file")


async def test_an_engine_that_fails(client: httpx.AsyncClient, engine: Scripted) -> None:
    engine.failure = EngineUnavailable("scripted is down")
    answer = await post(client, model="scripted")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    engine.failure = EngineTimeout("too late")
    assert (await post(client, model="scripted")).status_code == 504
    figures = (await client.get("/metrics")).text
    assert 'ivr_asr_requests_total{engine="scripted",outcome="failed"} 2.0' in figures
    assert (await post(client, model="second")).status_code == 200


async def test_without_a_name_the_next_engine_hears_it_and_one_that_fails_is_left_alone(
    client: httpx.AsyncClient, engine: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.routing.board.FIRST_S", 3600.0)
    engine.failure = EngineTimeout("too late")
    for _ in range(4):
        assert (await post(client, model="auto")).json() == {"text": "second"}
    figures = (await client.get("/metrics")).text
    assert 'ivr_asr_requests_total{engine="scripted",outcome="failed"} 3.0' in figures
    assert 'ivr_asr_requests_total{engine="second",outcome="done"} 4.0' in figures


async def test_a_client_that_leaves_frees_the_engine(client: httpx.AsyncClient, engine: Scripted) -> None:
    engine.held = asyncio.Event()
    with pytest.raises(httpx.ReadTimeout):
        await client.post(URL, files={"file": ("a.wav", WAV)}, timeout=httpx.Timeout(20, read=0.5))
    async with asyncio.timeout(20):
        while not engine.cancelled:
            await asyncio.sleep(0.02)


async def test_languages(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/audio/detect-language", files={"file": ("a.wav", WAV)})
    assert answer.json() == {
        "language": "hi",
        "confidence": 0.9,
        "languages": [{"language": "hi", "probability": 0.9}, {"language": "mr", "probability": 0.1}],
    }


async def test_ready_while_one_engine_is_up(client: httpx.AsyncClient, engine: Scripted) -> None:
    engine.up = False
    assert (await client.get("/health/ready")).status_code == 200
    assert 'ivr_asr_engine_up{engine="scripted"} 0.0' in (await client.get("/metrics")).text
