"""`ivr up`: the four processes as a user has them, started and stopped together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

ROOT = Path(__file__).parents[2]
KEY = "a-key-for-tests-only"
WAIT_S = 90


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def written(folder: Path, **changes: Any) -> Path:
    api, admin = free_ports(2)
    settings = {
        "sip": {"listen": ["udp:127.0.0.1:0"]},
        "media": {"ports": [0, 0]},
        "api": {"port": api, "keys": {"dashboard": {"key": KEY, "scopes": ["calls:read"]}}},
        "admin": {"port": admin, "gateway": f"http://127.0.0.1:{api}", "key": KEY, "users": "admin.db"},
        "services": {"asr": {"port": 0}, "tts": {"port": 0}},
        "flows": "flows",
        "store": {"path": "var"},
        **changes,
    }
    (folder / "flows").mkdir()
    path = folder / "ivr.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


class Up:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, pattern: str) -> re.Match[str]:
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if match := re.search(pattern, line):
                    return match
        raise AssertionError(f"it ended without {pattern}: " + "".join(self.lines))

    async def ended(self) -> tuple[int, str]:
        """Its status, and all that it printed."""
        async with asyncio.timeout(WAIT_S):
            out, _ = await self.process.communicate()
        self.lines.append(out.decode())
        assert self.process.returncode is not None
        return self.process.returncode, "".join(self.lines)


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Up]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr.cli", "up", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    children: list[psutil.Process] = []
    try:
        yield Up(process)
    finally:
        if process.returncode is None:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            await process.wait()
        for child in children:
            child.kill()


async def test_the_four_come_up_answer_and_go_together(tmp_path: Path):
    flow = "flow: f\nlanguages: [en]\nlimits: {call: 1m, visits: 2}\nstart: a\nsteps: {a: {end: normal}}\n"
    config = written(tmp_path, numbers={"1001": {"flow": "f"}})
    (tmp_path / "flows" / "f.yaml").write_text(flow)
    async with running(config) as up:
        told = await up.until(r"  try        (\S+) phone sip:1001@127\.0\.0\.1:\d+$")
        assert told[1] == str(Path(sys.executable).with_name("ivr"))
        await up.until("Everything is up")
        addresses = [(await up.until(r"^  .* (http://\S+)"))[1] for _ in range(4)]
        async with httpx.AsyncClient() as client:
            for address in addresses:
                assert (await client.get(f"{address}/health/live")).status_code == 200
        children = psutil.Process(up.process.pid).children()
        assert len(children) == 4
        up.process.send_signal(signal.SIGINT)
        status, printed = await up.ended()
        assert status == 0, printed
        for name in ("gateway", "admin", "asr", "tts"):
            assert f"{name:<8}| " in printed
        assert not any(child.is_running() for child in children)


async def test_when_one_cannot_run_the_others_are_stopped_and_it_says_which(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with running(written(tmp_path, services={"tts": {"port": port}, "asr": {"port": 0}})) as up:
            status, printed = await up.ended()
    assert status == 1
    assert "tts ended with status 1" in printed
    assert f"{port}: Address already in use" in printed


async def test_a_mistake_in_the_configuration_is_told_once(tmp_path: Path):
    path = written(tmp_path)
    path.write_text("apis: {}\n")
    async with running(path) as up:
        status, printed = await up.ended()
    assert (status, printed.count("apis")) == (1, 1)
