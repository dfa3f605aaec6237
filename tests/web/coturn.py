"""coturn of the tests' own, on loopback ports, with a secret that it shares with the server."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECRET: Final = "a-secret-of-turn-for-tests"
WAIT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Coturn:
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"turn:127.0.0.1:{self.port}?transport=udp"

    def relayed(self) -> bool:
        """Whether it has given somebody a way."""
        return "ALLOCATE processed, success" in self.log.read_text(errors="replace")


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[Coturn]:
    """coturn denies peers on loopback unless it is told otherwise."""
    binary = shutil.which("turnserver")
    assert binary is not None, "turnserver is missing: scripts/setup test installs coturn"
    port, log = _free_port(), folder / "turn.log"
    arguments = [
        "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}",
        "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=ivr.test", "--allow-loopback-peers",
        "--no-tls", "--no-dtls", "--no-cli", f"--log-file={log}", "--simple-log", "--verbose",
        f"--pidfile={folder / 'turn.pid'}", f"--userdb={folder / 'turn.db'}",
        "--min-port=40000", "--max-port=49999",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        binary, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _until_up(port, process)
        yield Coturn(port, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until_up(port: int, process: asyncio.subprocess.Process) -> None:
    """It listens on TCP, too, at the same port."""
    async with asyncio.timeout(WAIT_S):
        while True:
            assert process.returncode is None, "coturn did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


def _free_port() -> int:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port
