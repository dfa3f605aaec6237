"""Engines of known speed behind the contract, and a small benchmark of conversations, whole."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import httpx
import pytest

from engines.asr.client import ServiceRecognizer
from engines.catalogue import find
from engines.contract import RecognitionRequest, SpeechRequest, Transcript
from engines.service.serving import served
from engines.tts.remote import RemoteSynthesizer
from ivr.bench import talk
from ivr.bench.engines import HEARD, RATE, SPEECH_S, Delays, create_app
from ivr.bench.talk_flow import NAME, write_flow
from ivr.flow.loader import load_flow

DELAYS = Delays(0.05, 0.03, 0.04)


@pytest.mark.parametrize("agent", [True, False])
def test_the_flow_is_good(tmp_path: Path, agent: bool) -> None:
    write_flow(tmp_path, agent=agent)
    assert load_flow(tmp_path / f"{NAME}.yaml").name == NAME


async def test_the_engines_take_their_time_and_no_less() -> None:
    loop = asyncio.get_running_loop()
    async with served(create_app(DELAYS), "127.0.0.1", 0) as url:
        recogniser = ServiceRecognizer(find("faster-whisper"), url, None)
        voice = RemoteSynthesizer(find("kokoro"), url)
        await recogniser.start()
        await voice.start()
        try:
            partials: list[Transcript] = []
            stream = recogniser.open(RecognitionRequest("en", RATE), partials.append)
            for frame in [b"\x00\x20" * 160] * 30 + [bytes(320)] * 10:
                stream.write(frame)
            began = loop.time()
            transcript = await stream.finish(deadline_s=20)
            assert loop.time() - began >= DELAYS.transcript_s
            assert transcript.text == " ".join(HEARD)
            texts = [partial.text for partial in partials]
            assert texts == [*(" ".join(HEARD[:count]) for count in (1, 2, 3)), " ".join(HEARD)]

            began = loop.time()
            size = 0
            async for chunk in voice.synthesize(SpeechRequest("hello", "en"), deadline_s=20):
                assert size or loop.time() - began >= DELAYS.audio_s
                size += len(chunk)
            assert size == RATE * 2 * SPEECH_S
        finally:
            await recogniser.close()
            await voice.close()
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            began = loop.time()
            answer = await client.post("/v1/chat/completions", json={"stream": True})
            assert loop.time() - began >= DELAYS.token_s
        pieces = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
        said = "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces)
        assert said.endswith("it comes soon.")
        assert pieces[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(talk, "WARM_S", 0.1)
    plot = tmp_path / "talk.svg"
    assert talk.run(talk.Options((1,), 6.0, "fast", agent=False, plot=plot)) == 0
    report = json.loads(capfd.readouterr().out)
    (figures,) = report["levels"]
    assert (figures["conversations"], figures["failed"]) == (1, 0)
    assert figures["turns"] >= 1
    assert figures["stages_ms"]["first_packet"]["p50"] >= 100
    assert 15 < figures["rtp_spacing_ms"]["p50"] < 25
    assert report["bound_ms"] == report["floor_ms"] + 100
    ElementTree.fromstring(plot.read_text(encoding="utf-8"))
