"""The tutorial, done as it is written: its files are written, its commands run, and they say what it says."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND_S = 60.0


@dataclass(frozen=True)
class Block:
    kind: str
    rest: str
    text: str


def blocks() -> list[Block]:
    return [Block(*found) for found in FENCE.findall(PAGE.read_text(encoding="utf-8"))]


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Reader:
    """Somebody who does what the page says, in a home of his own and at ports that nobody else has."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "table"
        self._sip = free_port(socket.SOCK_DGRAM)
        self._api = free_port(socket.SOCK_STREAM)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "HOME": str(home), "PATH": path, "COLUMNS": "200"}
        self._server: subprocess.Popen[bytes] | None = None
        self.said = ""

    def write(self, name: str, text: str) -> None:
        if name == "ivr.yaml":
            settings = yaml.safe_load(text)
            settings["sip"] = {"listen": [f"udp:127.0.0.1:{self._sip}"]}
            settings["media"] = {"ports": [0, 0]}
            settings["api"]["port"] = self._api
            settings["limits"] = {"loop_lag_ms": 10_000}
            text = yaml.safe_dump(settings, allow_unicode=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, commands: str, typed: str = "") -> str:
        """What the commands say, together. They must succeed, unless the page shows what is wrong."""
        commands = commands.replace(":5060", f":{self._sip}").replace(":8080", f":{self._api}")
        where = self.folder if self.folder.exists() else ROOT
        done = subprocess.run(
            ["bash", "-c", commands], input=typed, capture_output=True, text=True, encoding="utf-8",
            cwd=where, env=self._environment, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or "problem" in done.stdout, done.stdout + done.stderr
        return done.stdout

    def serve(self, command: str) -> None:
        log = (self.folder / "serve.log").open("wb")
        announced = self.folder / "announced.json"
        words = [*shlex.split(command), "--announce", str(announced)]
        self._server = subprocess.Popen(words, cwd=self.folder, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + COMMAND_S
        while not announced.exists():
            alive = self._server.poll() is None and time.monotonic() < deadline
            assert alive, (self.folder / "serve.log").read_text(encoding="utf-8")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(COMMAND_S)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


@pytest.mark.timeout(300)
def test_everything_in_the_tutorial_comes_true(reader: Reader) -> None:
    kinds = [block.kind for block in blocks()]
    assert kinds.count("console") >= 5
    for block in blocks():
        if block.kind == "yaml":
            reader.write(block.rest.strip().removeprefix("title="), block.text)
        elif block.kind == "console":
            for command, typed, shown in transcripts(block.text):
                assert reader.run(command, typed) == shown, command
        elif block.kind == "sh" and "terminal=2" in block.rest:
            reader.serve(block.text.strip())
        elif block.kind == "sh":
            reader.said = reader.run(block.text)
        else:
            assert block.kind == "text"
            assert_shown(reader.said, block.text)


def transcripts(text: str) -> Iterator[tuple[str, str, str]]:
    """Each `$ command` with what is typed after `> `, and what it says: what is typed is not echoed."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        typed = "".join(f"{line.strip()}\n" for line in re.findall(r"^>(.*)$", shown, re.MULTILINE))
        yield command, typed, re.sub(r"^>.*\n", "> ", shown, flags=re.MULTILINE)


def assert_shown(said: str, shown: str) -> None:
    """`...` stands for any lines before."""
    if shown.startswith("...\n"):
        assert said.endswith(shown.removeprefix("...\n"))
    else:
        assert said == shown
