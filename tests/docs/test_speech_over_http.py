"""The README's lines for the speech services, run as they stand against services that run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.catalogue import ENGINES
from engines.service.audio import decode
from tests.fakes.speech import noise
from tests.service.asr.conftest import Scripted, ScriptedVad, service_of
from tests.speech.conftest import Stage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(sh|python) services([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WAIT_S = 60.0


def blocks(*, larger: bool) -> list[tuple[str, str]]:
    return [
        (kind, text) for kind, rest, text in BLOCK.findall(README) if (rest.strip() == "larger") == larger
    ]


class Reader:
    """Somebody who types what the page says, with the services at other ports."""

    def __init__(self, folder: Path, tts: str, asr: str) -> None:
        self.folder = folder
        self._places = {"127.0.0.1:7002": tts.split("//")[1], "127.0.0.1:7001": asr.split("//")[1]}
        (folder / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
        self._environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}

    def command(self, kind: str, text: str) -> list[str]:
        for place, real in self._places.items():
            text = text.replace(place, real)
        return ["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text]

    def run(self, kind: str, text: str) -> str:
        done = subprocess.run(
            self.command(kind, text), cwd=self.folder, env=self._environment, capture_output=True, text=True,
            encoding="utf-8", timeout=WAIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def seconds(self, name: str) -> float:
        with (self.folder / name).open("rb") as file:
            return decode(file, rate=8000, most_s=60).seconds


@pytest.fixture
def services(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Both as they are started by hand, with the embedded engines."""
    running = {
        name: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ivr.cli",
                name,
                "--port",
                "0",
                "--announce",
                str(tmp_path / f"{name}.json"),
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in ("tts", "asr")
    }
    try:
        deadline = time.monotonic() + WAIT_S
        while not all((tmp_path / f"{name}.json").exists() for name in running):
            assert all(process.poll() is None for process in running.values())
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield {name: json.loads((tmp_path / f"{name}.json").read_text())["api"] for name in running}
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def test_the_lines_for_the_embedded_engines(services: dict[str, str], tmp_path: Path) -> None:
    reader = Reader(tmp_path, services["tts"], services["asr"])
    (_, curl), (_, stream), (_, client) = blocks(larger=False)
    told = reader.run("sh", curl)
    assert '"id":"f2"' in told
    assert '{"text":"हाँ"}' in told
    assert "00:00:00,000 --> " in told
    assert "WEBVTT" in told
    assert '"task":"transcribe"' in told
    for name, least_s in (("yes.wav", 0.2), ("order.mp3", 1.5), ("sorry.mp3", 0.5)):
        assert reader.seconds(name) > least_s, name
    assert (tmp_path / "order.ul").stat().st_size > 8000
    assert "x-dropped-tags: sigh" in (tmp_path / "headers.txt").read_text()

    messages = [json.loads(line) for line in reader.run("python", stream).splitlines()]
    assert [message["type"] for message in messages][-2:] == ["ended", "final"]
    assert messages[-1]["text"] == "हाँ"

    assert reader.run("python", client) == "हाँ\n"
    assert reader.seconds("ready.mp3") > 0.8


async def test_the_lines_for_engines_that_clone_and_find_out_languages(tmp_path: Path) -> None:
    """With engines of the tests behind the real services."""
    stage = Stage(tmp_path / "voices")
    with wave.open(str(tmp_path / "asha.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(noise(24000 * 10, 3000))
    ((kind, text),) = blocks(larger=True)
    async with stage.running() as tts, service_of(ScriptedVad(), {}, Scripted()) as asr:
        reader = Reader(tmp_path, tts, asr)
        told = await asyncio.to_thread(reader.run, kind, text)
    assert '"language":"hi"' in told
    assert reader.seconds("hello.mp3") > 0
    assert reader.seconds("thanks.mp3") > 0
    assert len(stage.cloning.references) == 2
    assert [path for path in (tmp_path / "voices").rglob("*") if path.is_file()] == [], (
        "nothing of it is left"
    )


def test_every_engine_is_told_once_with_how_it_was_exercised() -> None:
    section = README[README.index("| exercised by | engines |") :].split("\n\n")[0]
    named = re.findall(r"`([\w-]+)`", section)
    assert sorted(named) == sorted(entry.name for entry in ENGINES)
