"""`ivr tts` as a process: it speaks with the embedded voice, and stops when it is told to."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from engines.service.audio import decode
from tests.fakes.kokoro import write_kokoro


@contextmanager
def service(folder: Path, config: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address."""
    announce, path = folder / "announce.json", folder / "ivr.yaml"
    path.write_text(f"store: {{path: var}}\n{config}", encoding="utf-8")
    process = subprocess.Popen(
        [*IVR, "--config", str(path), "--port", "0", "--announce", str(announce)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not announce.exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, json.loads(announce.read_text())["api"]
    finally:
        process.kill()
        process.communicate()


IVR = [sys.executable, "-m", "ivr.cli", "tts"]


def seconds(response: httpx.Response) -> float:
    assert response.status_code == 200, response.text
    return decode(io.BytesIO(response.content), rate=8000, most_s=60).seconds


def test_it_speaks_three_languages_and_stops_in_order(tmp_path: Path) -> None:
    with service(tmp_path) as (process, url), httpx.Client(base_url=url, timeout=30) as client:
        for text in ("आपका ऑर्डर तैयार है।", "तुमची ऑर्डर तयार आहे.", "Your order is ready."):
            language = "mr" if "तयार आहे" in text else None
            body = {"input": text, "language": language, "response_format": "wav"}
            assert 0.8 < seconds(client.post("/v1/audio/speech", json=body)) < 4
        with client.stream(
            "POST", "/v1/audio/speech/stream", json={"input": "One. Two. Three.", "response_format": "mulaw"}
        ) as response:
            assert response.headers["x-engine"] == "espeak"
            os.kill(process.pid, signal.SIGTERM)
            assert len(response.read()) > 8000  # what had begun is finished
        assert process.wait(30) == 0
        assert (tmp_path / "var" / "voices").is_dir()


def test_an_engine_of_the_configuration_speaks_first(tmp_path: Path) -> None:
    write_kokoro(tmp_path / "weights")
    config = """
engines:
  tts: {en: [kokoro]}
  setup: {kokoro: {weights: weights, device: cpu}}
"""
    with service(tmp_path, config) as (_, url), httpx.Client(base_url=url, timeout=30) as client:
        for language, engine in (("en", "kokoro"), ("mr", "espeak")):
            answer = client.post("/v1/audio/speech", json={"input": "12", "language": language})
            assert answer.headers["x-engine"] == engine


def test_what_is_not_set_up_is_told(tmp_path: Path) -> None:
    def refusal(config: str) -> str:
        path = tmp_path / "ivr.yaml"
        path.write_text(config, encoding="utf-8")
        done = subprocess.run(
            [*IVR, "--config", str(path), "--port", "0"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr.splitlines()[-1]
        return done.stderr.splitlines()[-1]

    assert "engines.setup.kokoro: kokoro has no weights: run `ivr engines install kokoro`" in refusal(
        "engines: {tts: {en: [kokoro]}}"
    )
    assert "may not be used to earn money" in refusal("engines: {tts: {hi: [xtts-v2]}}")
    assert "elevenlabs needs" in refusal("engines: {tts: {hi: [elevenlabs]}}")
    assert "did you mean kokoro?" in refusal("engines: {tts: {en: [kokoroo]}}")
    assert "faster-whisper hears, it does not speak" in refusal("engines: {tts: {en: [faster-whisper]}}")
    (tmp_path / "weights").mkdir()
    assert "kokoro: did not start" in refusal(
        "engines: {tts: {en: [kokoro]}, setup: {kokoro: {weights: weights, device: cpu}}}"
    )
