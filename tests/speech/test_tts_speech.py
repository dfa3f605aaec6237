"""Texts become sound: the right words, by the right engine, in the right form, as long as it is wanted."""

from __future__ import annotations

import asyncio
import io

import httpx
import openai
import pytest

from engines.contract import EngineError, EngineTimeout, EngineUnavailable
from engines.service.audio import Raw, decode
from tests.fakes.engines import RATE
from tests.speech.conftest import Stage

SPEECH = "/v1/audio/speech"
HELLO = {"input": "Your order is ready.", "response_format": "pcm", "sample_rate": RATE}
HELLO_S = len("Your order is ready.") * 0.05


def seconds(response: httpx.Response, rate: int = RATE) -> float:
    assert response.status_code == 200, response.text
    return len(response.content) / 2 / rate


@pytest.mark.parametrize(
    ("form", "kind", "rate", "raw"),
    [
        ("wav", "audio/wav", 8000, None),
        ("mp3", "audio/mpeg", 8000, None),
        ("opus", "audio/ogg", 8000, None),
        ("flac", "audio/flac", 8000, None),
        ("pcm", "audio/pcm", 24000, "pcm"),
        ("mulaw", "audio/basic", 8000, "ulaw"),
        ("ulaw", "audio/basic", 8000, "ulaw"),
        ("alaw", "audio/x-alaw", 8000, "alaw"),
    ],
)
@pytest.mark.parametrize("path", [SPEECH, f"{SPEECH}/stream"])
async def test_every_form_holds_the_whole_speech(
    tts: httpx.AsyncClient, path: str, form: str, kind: str, rate: int, raw: str | None
) -> None:
    response = await tts.post(path, json={"input": HELLO["input"], "response_format": form})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == kind
    assert response.headers["x-sample-rate"] == str(rate)
    heard = decode(io.BytesIO(response.content), rate=8000, most_s=60, raw=Raw(raw, rate) if raw else None)
    assert heard.seconds == pytest.approx(HELLO_S, abs=0.2)
    assert any(heard.pcm)


async def test_a_rate_can_be_asked_for(tts: httpx.AsyncClient) -> None:
    for rate in (8000, 16000, 48000):
        response = await tts.post(SPEECH, json={**HELLO, "sample_rate": rate})
        assert seconds(response, rate) == pytest.approx(HELLO_S, abs=0.01)


async def test_an_engine_gets_words_sentence_by_sentence(stage: Stage, tts: httpx.AsyncClient) -> None:
    text = "Dr. Rao owes ₹1,250.50. [sigh] Call at 10:30 today!"
    await tts.post(SPEECH, json={**HELLO, "input": text, "speed": 4, "voice": "af_heart"})
    assert [request.text for request in stage.fast.requests] == [
        "Dr. Rao owes one thousand two hundred and fifty rupees and fifty paise.",
        "[sigh] Call at ten thirty in the morning today!",
    ]
    first = stage.fast.requests[0]
    assert (first.language, first.voice, first.speed) == ("en", "af_heart", 2.0)
    await tts.post(SPEECH, json={**HELLO, "input": "₹20 दें। 1 दबाएँ।", "model": "espeak"})
    assert [request.text for request in stage.embedded.requests] == ["बीस रुपये दें।", "एक दबाएँ।"]
    assert stage.embedded.requests[0].language == "hi"
    await tts.post(SPEECH, json={**HELLO, "input": "5 मिनिटे थांबा.", "language": "mr-IN"})
    assert stage.embedded.requests[-1].text == "पाच मिनिटे थांबा."


@pytest.mark.parametrize(
    ("body", "engine"),
    [
        ({}, "kokoro"),
        ({"language": "hi"}, "chatterbox-multilingual"),
        ({"language": "mr"}, "espeak"),
        ({"model": "tts-1", "voice": "alloy"}, "kokoro"),
        ({"model": "espeak", "voice": "low"}, "espeak"),
        ({"voice": "high"}, "espeak"),
        ({"input": "नमस्ते"}, "chatterbox-multilingual"),
    ],
)
async def test_which_engine_speaks(tts: httpx.AsyncClient, body: dict[str, str], engine: str) -> None:
    response = await tts.post(SPEECH, json={**HELLO, **body})
    assert response.status_code == 200, response.text
    assert response.headers["x-engine"] == engine
    assert response.headers["x-watermark"] == ("perth" if "chatterbox" in engine else "none")
    assert float(response.headers["x-first-audio-ms"]) >= 0


async def test_the_next_engine_speaks_where_one_fails(stage: Stage, tts: httpx.AsyncClient) -> None:
    stage.fast.failures.append(EngineTimeout("too late"))
    stage.cloning.failures.append(EngineUnavailable("down"))
    response = await tts.post(SPEECH, json=HELLO)
    assert response.headers["x-engine"] == "espeak"
    assert seconds(response) == pytest.approx(HELLO_S, abs=0.01)
    figures = (await tts.get("/metrics")).text
    assert 'ivr_tts_requests_total{engine="kokoro",outcome="failed"} 1.0' in figures
    assert 'ivr_tts_requests_total{engine="espeak",outcome="done"} 1.0' in figures
    assert "ivr_tts_streams 0.0" in figures


async def test_one_that_fails_again_and_again_is_left_alone(
    stage: Stage, tts: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.routing.board.FIRST_S", 3600.0)
    stage.fast.failures.extend(EngineTimeout("too late") for _ in range(9))
    for _ in range(5):
        assert (await tts.post(SPEECH, json=HELLO)).headers["x-engine"] == "chatterbox-multilingual"
    assert len(stage.fast.requests) == 3
    assert (await tts.post(SPEECH, json={**HELLO, "model": "kokoro"})).status_code == 504, "asked by name"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (EngineUnavailable("kokoro is down"), 503, "engine_unavailable"),
        (EngineTimeout("no answer"), 504, "engine_timeout"),
        (EngineError("out of memory: CUDA"), 500, "engine_failed"),
    ],
)
@pytest.mark.parametrize("path", [SPEECH, f"{SPEECH}/stream"])
async def test_where_all_fail_it_is_told_before_any_sound(
    stage: Stage, tts: httpx.AsyncClient, path: str, failure: EngineError, status: int, code: str
) -> None:
    stage.fast.failures.append(failure)
    response = await tts.post(path, json={**HELLO, "model": "kokoro"})
    assert response.status_code == status
    assert response.json()["error"] == {
        "message": str(failure),
        "type": "server_error",
        "param": None,
        "code": code,
    }


async def test_a_stream_that_breaks_off_does_not_look_whole(stage: Stage) -> None:
    stage.fast.breaks_after = 2
    async with stage.running() as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(f"{SPEECH}/stream", json={**HELLO, "model": "kokoro"})
        assert (await client.post(SPEECH, json={**HELLO, "model": "kokoro"})).status_code == 503
        assert "ivr_tts_streams 0.0" in (await client.get("/metrics")).text


async def test_the_first_sound_comes_while_the_engine_still_works(stage: Stage) -> None:
    """The engine makes 100 ms of a sentence and waits; the client has heard them by then, and ends the speech
    by hanging up.
    """
    stage.fast.chunk_delay_s = 3600
    async with stage.running() as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        async with client.stream("POST", f"{SPEECH}/stream", json={**HELLO, "model": "kokoro"}) as response:
            assert response.status_code == 200
            first = await anext(response.aiter_raw())
            assert 0 < len(first) <= 2 * RATE * 100 // 1000
            assert stage.fast.cancelled == []
        async with asyncio.timeout(20):
            while not stage.fast.cancelled:
                await asyncio.sleep(0.01)
        assert "ivr_tts_streams 0.0" in (await client.get("/metrics")).text
        figures = (await client.get("/metrics")).text
        assert 'ivr_tts_requests_total{engine="kokoro",outcome="cancelled"} 1.0' in figures


@pytest.mark.parametrize("delays", [(3600.0, 0.0), (0.0, 3600.0)], ids=["before sound", "after sound"])
async def test_who_hangs_up_before_the_whole_is_made_ends_it(
    stage: Stage, delays: tuple[float, float]
) -> None:
    stage.deadline_s = 3600
    stage.fast.delay_s, stage.fast.chunk_delay_s = delays
    async with stage.running() as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(SPEECH, json={**HELLO, "model": "kokoro"}, timeout=0.3)
        async with asyncio.timeout(20):
            while not stage.fast.cancelled:
                await asyncio.sleep(0.01)
        assert "ivr_tts_streams 0.0" in (await client.get("/metrics")).text


async def test_no_more_streams_than_allowed(stage: Stage) -> None:
    stage.streams = 2
    stage.fast.chunk_delay_s = 3600
    async with stage.running() as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        body = {**HELLO, "model": "kokoro"}
        async with (
            client.stream("POST", f"{SPEECH}/stream", json=body) as one,
            client.stream("POST", f"{SPEECH}/stream", json=body) as two,
        ):
            assert (one.status_code, two.status_code) == (200, 200)
            refused = await client.post(SPEECH, json=body)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "overloaded"
            assert refused.headers["retry-after"] == "1"
        stage.fast.chunk_delay_s = 0
        async with asyncio.timeout(20):
            while (await client.post(SPEECH, json=body)).status_code != 200:
                await asyncio.sleep(0.01)


async def test_many_at_once_hear_their_own(stage: Stage) -> None:
    texts = [f"{'a' * (3 + n)} {'b' * n}" for n in range(40)]
    async with stage.running() as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        bodies = [{**HELLO, "input": text, "model": "espeak", "language": "en"} for text in texts]
        got = await asyncio.gather(*(client.post(f"{SPEECH}/stream", json=body) for body in bodies))
    for text, response in zip(texts, got, strict=True):
        assert seconds(response) == pytest.approx(len(text.strip()) * 0.05, abs=0.01)


async def test_emotions_are_passed_on_or_told(stage: Stage, tts: httpx.AsyncClient) -> None:
    path = f"{SPEECH}/with-emotion"
    body = {**HELLO, "input": "[laugh] Oh [breath] yes.", "emotion": "happy", "intensity": 0.9}
    felt = await tts.post(path, json={**body, "model": "chatterbox-multilingual"})
    assert felt.headers["x-dropped-tags"] == "laugh, breath"
    assert "x-dropped-emotion" not in felt.headers
    request = stage.cloning.requests[-1]
    assert (request.emotion, request.intensity) == ("happy", 0.9)
    plain = await tts.post(path, json={**body, "model": "kokoro", "instructions": "be nice"})
    assert plain.headers["x-dropped-emotion"] == "happy"
    assert plain.headers["x-dropped-instructions"] == "use emotion"
    missing = await tts.post(path, json=HELLO)
    assert missing.json()["error"]["param"] == "emotion"


BAD = [
    (
        {"input": "x" * 100_000},
        400,
        "invalid_value",
        "input",
        "input has 100000 characters, and may have at most 5000",
    ),
    ({"input": ""}, 400, "invalid_value", "input", "there is nothing to say"),
    ({"input": " \n "}, 400, "invalid_value", "input", "there is nothing to say"),
    ({"input": "…"}, 400, "nothing_to_say", "input", "the text has no words"),
    ({"input": None}, 400, "invalid_value", "input", "valid string"),
    ({"input": "[lauhg] yes"}, 400, "unknown_tag", "input", 'did you mean "[laugh]"?'),
    ({"language": "klingon"}, 400, "invalid_value", "language", "should be a code, as hi, mr or en-IN"),
    ({"language": "ta"}, 400, "unsupported_language", "language", "cannot speak 'ta'; what can be spoken: "),
    (
        {"model": "indic-parler"},
        404,
        "model_not_found",
        "model",
        "`ivr engines install indic-parler` adds it",
    ),
    ({"model": "whisper-1"}, 404, "model_not_found", "model", "there are espeak, chatterbox-multilingual"),
    ({"voice": "nobody"}, 404, "voice_not_found", "voice", "/v1/voices lists them"),
    ({"voice": "voice_123"}, 404, "voice_not_found", "voice", "no voice profile 'voice_123'"),
    ({"response_format": "midi"}, 400, "invalid_value", "response_format", "'wav', 'mp3'"),
    ({"sample_rate": 7000}, 400, "invalid_value", "sample_rate", "8000"),
    ({"speed": 9}, 400, "invalid_value", "speed", "less than or equal to 4"),
    ({"emotion": "hungry"}, 400, "invalid_value", "emotion", "'happy'"),
    ({"stream_format": "sse"}, 400, "invalid_value", "stream_format", "'audio'"),
    ({"colour": "red"}, 400, "invalid_value", "colour", "there is no field 'colour'"),
]


@pytest.mark.parametrize(("change", "status", "code", "param", "said"), BAD, ids=lambda x: str(x)[:40])
async def test_bad_input_is_told(
    stage: Stage,
    tts: httpx.AsyncClient,
    change: dict[str, object],
    status: int,
    code: str,
    param: str,
    said: str,
) -> None:
    for path in (SPEECH, f"{SPEECH}/stream"):
        response = await tts.post(path, json={**HELLO, **change})
        assert response.status_code == status
        error = response.json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
        assert said in error["message"]
    if code != "nothing_to_say":
        assert not any(engine.requests for engine in stage.engines)


async def test_what_is_no_json_is_told(tts: httpx.AsyncClient) -> None:
    for content in (b"", b"{", b"[]", b"\xff"):
        response = await tts.post(SPEECH, content=content, headers={"content-type": "application/json"})
        assert response.status_code == 400
        assert response.json()["error"]["type"] == "invalid_request_error"


async def test_the_openai_client(stage: Stage) -> None:
    stage.keys = {"shop": "shop-key-0123456789"}
    async with (
        stage.running() as url,
        openai.AsyncOpenAI(api_key="shop-key-0123456789", base_url=f"{url}/v1", max_retries=0) as client,
    ):
        whole = await client.audio.speech.create(
            model="tts-1", voice="alloy", input="Your order is ready.", response_format="wav"
        )
        assert decode(io.BytesIO(whole.content), rate=8000, most_s=60).seconds == pytest.approx(
            HELLO_S, abs=0.05
        )
        async with client.audio.speech.with_streaming_response.create(
            model="espeak", voice="low", input="नमस्ते", response_format="pcm", extra_body={"language": "mr"}
        ) as streamed:
            assert b"".join([chunk async for chunk in streamed.iter_bytes()])
            assert streamed.headers["x-engine"] == "espeak"
        models = await client.models.list()
        assert [model.id for model in models.data] == ["espeak", "chatterbox-multilingual", "kokoro"]
        assert (await client.models.retrieve("kokoro")).id == "kokoro"
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.audio.speech.create(model="espeak", voice="nobody", input="Hello")
        assert (unknown.value.code, unknown.value.param) == ("voice_not_found", "voice")
        stranger = client.with_options(api_key="another-key-0123456789")
        with pytest.raises(openai.AuthenticationError):
            await stranger.audio.speech.create(model="tts-1", voice="alloy", input="Hello")


async def test_models_tell_what_they_can(tts: httpx.AsyncClient) -> None:
    models = {model["id"]: model for model in (await tts.get("/v1/models")).json()["data"]}
    assert models["espeak"]["languages"] == ["hi", "mr", "en"]
    assert models["espeak"]["emotions"] == ["neutral"]
    assert models["chatterbox-multilingual"]["cloning"]
    assert "happy" in models["chatterbox-multilingual"]["emotions"]
    assert (await tts.get("/v1/models/none")).status_code == 404


async def test_health_and_pages(stage: Stage, tts: httpx.AsyncClient) -> None:
    assert (await tts.get("/health/live")).json() == {"status": "live"}
    assert (await tts.get("/health/ready")).json() == {"status": "ready", "reasons": []}
    page = await tts.get("/docs")
    assert "/docs/assets/swagger-ui-bundle.js" in page.text
    assert (await tts.get("/docs/assets/swagger-ui.css")).status_code == 200
