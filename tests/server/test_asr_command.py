"""`ivr asr` as a process: it hears yes and no with the embedded recogniser, and free speech with a tiny
Whisper of random weights; it stops when it is told to.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from engines.service.encoding import AudioFormat, encode
from ivr.bench.random_whisper import write_model
from ivr.config import ConfigError, load
from ivr.recognition import recognizer_engines
from tests.fakes.speech import frames, silence, spoken

YES_NO = ["हाँ", "जी हाँ", "नहीं"]


@contextmanager
def service(folder: Path, config: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address."""
    announce, path = folder / "announce.json", folder / "ivr.yaml"
    path.write_text(f"store: {{path: var}}\n{config}", encoding="utf-8")
    command = [sys.executable, "-m", "ivr.cli", "asr", "--config", str(path), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--announce", str(announce)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        deadline = time.monotonic() + 90
        while not announce.exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, json.loads(announce.read_text())["api"]
    finally:
        process.kill()
        process.communicate()


def transcribe(url: str, pcm: bytes, **fields: Any) -> httpx.Response:
    files = {"file": ("a.wav", encode(pcm, 8000, AudioFormat.WAV))}
    return httpx.post(f"{url}/v1/audio/transcriptions", files=files, data=fields, timeout=60, trust_env=False)


async def final(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            assert message["type"] != "error", message
            if message["type"] == "final":
                return message


async def test_yes_and_no_by_the_embedded_recogniser(tmp_path: Path) -> None:
    with service(tmp_path) as (process, url):
        yes = silence(3200) + spoken("हाँ", "hi") + silence(4000)
        assert transcribe(url, yes, language="hi", phrases=YES_NO).json() == {"text": "हाँ"}
        refused = transcribe(url, yes, language="hi")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "phrases_needed")
        address = f"ws{url.removeprefix('http')}/ws/stream"
        async with connect(address, proxy=None) as socket:
            start = {"type": "start", "language": "hi", "phrases": YES_NO, "end_silence_s": 0.4}
            await socket.send(json.dumps(start))
            for word in ("हाँ", "नहीं"):
                for frame in frames(silence(8000) + spoken(word, "hi") + silence(8000)):
                    await socket.send(frame)
                assert (await final(socket))["text"] == word
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_free_speech_by_whisper(tmp_path: Path) -> None:
    weights = write_model(tmp_path / "weights")
    options = "{threads: 1, no_speech: null, log_prob: null, compression: null}"
    config = (
        "engines:\n  asr: {hi: [faster-whisper]}\n  setup:\n    faster-whisper:\n"
        f"      {{weights: {weights}, device: cpu, options: {options}}}\n"
    )
    with service(tmp_path, config) as (_, url):
        pcm = spoken("मेरा ऑर्डर कहाँ है", "hi") + silence(1600)
        answer = transcribe(url, pcm, language="hi", response_format="verbose_json")
        assert answer.status_code == 200, answer.text
        assert answer.json()["language"] == "hi"
        models = httpx.get(f"{url}/v1/models", trust_env=False).json()["data"]
        assert [model["id"] for model in models] == ["faster-whisper", "pocketsphinx"]
        found = httpx.post(
            f"{url}/v1/audio/detect-language",
            files={"file": ("a.wav", encode(pcm, 8000, AudioFormat.WAV))},
            timeout=60,
            trust_env=False,
        )
        assert len(found.json()["languages"]) == 10


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("engines: {asr: {hi: [espeak]}}", "speaks, it does not hear"),
        ("engines: {asr: {hi: [faster-wisper]}}", "did you mean faster-whisper"),
        ("engines: {asr: {hi: [faster-whisper]}}", "ivr engines install faster-whisper"),
        ("services: {asr: {port: 70000}}", "services.asr.port"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, config: str, says: str) -> None:
    path = tmp_path / "ivr.yaml"
    path.write_text(f"store: {{path: {tmp_path}}}\n{config}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        recognizer_engines(load(path))


def test_a_command_that_cannot_start_ends(tmp_path: Path) -> None:
    path = tmp_path / "ivr.yaml"
    path.write_text("engines: {asr: {hi: [faster-whisper]}}\n", encoding="utf-8")
    command = [sys.executable, "-m", "ivr.cli", "asr", "--config", str(path), "--port", "0"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("ivr: engines.setup.faster-whisper: ")
    assert "Traceback" not in run.stderr
