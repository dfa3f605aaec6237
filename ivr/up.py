"""The four processes of one machine, started and stopped together: voices, recognisers, calls, dashboard.

For development, and for a machine without systemd or containers. When one of them ends by itself the others
are stopped too: who watches this one process knows how they all are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr.config import load

READY_S: Final = 120.0
"""How long one may take until it answers: a large model is loaded meanwhile."""

STOP_S: Final = 40.0
"""How long the others may take once there are no calls any more."""

_LINE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One of the processes, by the command that it is started with."""

    name: str
    command: str
    what: str
    announces: str = "api"
    """The name of its address in the file that it announces itself by."""


SPEECH: Final = (Part("tts", "tts", "voices"), Part("asr", "asr", "recognisers"))
CALLS: Final = (
    Part("gateway", "serve", "calls, API, phone"),
    Part("admin", "admin", "dashboard", announces="admin"),
)
PARTS: Final = (*SPEECH, *CALLS)


class NotUp(Exception):
    """One of them ended, or did not answer in time."""


class _Process:
    """One part as it runs; what it prints is printed with its name before it."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process, announced: Path) -> None:
        self.part = part
        self._process = process
        self._announced = announced
        self._printing = asyncio.create_task(self._print())
        self.ended = asyncio.create_task(process.wait(), name=part.name)

    @staticmethod
    async def start(part: Part, config: Path, folder: Path) -> _Process:
        announced = folder / f"{part.name}.json"
        arguments = (part.command, "--config", str(config), "--announce", str(announced))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ivr.cli", *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # a Ctrl-C comes to us alone, who say in which order they stop
            limit=_LINE_BYTES,
        )  # fmt: skip
        return _Process(part, process, announced)

    async def address(self) -> str:
        """Where it answers, once it does; raises `NotUp`."""
        try:
            async with asyncio.timeout(READY_S):
                while not self._announced.exists():
                    await asyncio.wait([self.ended], timeout=0.1)
                    if self.ended.done():
                        raise NotUp(f"{self.part.name} ended with status {self.ended.result()}")
        except TimeoutError:
            raise NotUp(f"{self.part.name} did not answer within {READY_S:.0f} s") from None
        announced: dict[str, str] = json.loads(self._announced.read_text())
        return announced[self.part.announces]

    def tell(self, number: signal.Signals) -> None:
        if not self.ended.done():
            self._process.send_signal(number)

    def kill(self) -> None:
        """With all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def printed(self) -> None:
        """Returns when all that it had to say is printed."""
        await asyncio.wait([self._printing], timeout=2.0)
        self._printing.cancel()

    async def _print(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:  # longer than the buffer
                continue
            if not line:
                return
            print(f"{self.part.name:<8}| {line.decode(errors='replace').rstrip()}", flush=True)


def main(config: Path) -> None:
    """Runs them until SIGTERM or SIGINT; raises `ConfigError` and `NotUp`."""
    load(config)  # a mistake is told once, not by four
    asyncio.run(_run(config))


async def _run(config: Path) -> None:
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    async with _started(config) as processes:
        asked = asyncio.create_task(signals.get())
        answering = asyncio.create_task(_all_answer(processes))
        try:
            waiting = {asked, answering, *(process.ended for process in processes)}
            while not asked.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if answering in done and not asked.done():
                    print(_welcome(processes, answering.result()), flush=True)
                elif gone := [process for process in processes if process.ended in done]:
                    raise NotUp(_gone(gone))
        finally:
            for task in (asked, answering):
                task.cancel()
            await asyncio.gather(asked, answering, return_exceptions=True)
        print("Stopping: live calls may finish. Once more to stop at once.", flush=True)
        await _stop(processes, signals)


async def _all_answer(processes: Sequence[_Process]) -> list[str]:
    return list(await asyncio.gather(*(process.address() for process in processes)))


@asynccontextmanager
async def _started(config: Path) -> AsyncIterator[list[_Process]]:
    """All four; however the block is left, none of them is there after it."""
    processes: list[_Process] = []
    with tempfile.TemporaryDirectory(prefix="ivr-up-") as folder:
        try:
            for part in PARTS:
                process = await _Process.start(part, config, Path(folder))
                processes.append(process)
            yield processes
        finally:
            for process in processes:
                process.tell(signal.SIGTERM)
            if running := [process.ended for process in processes if not process.ended.done()]:
                await asyncio.wait(running, timeout=STOP_S)
            for process in processes:
                process.kill()
                await process.printed()


async def _stop(processes: Sequence[_Process], signals: asyncio.Queue[signal.Signals]) -> None:
    """Calls come first: while the last of them live they need voices and recognisers."""
    first = [process for process in processes if process.part in CALLS]
    for process in first:
        process.tell(signal.SIGTERM)
    again = asyncio.create_task(signals.get())
    while running := [process.ended for process in first if not process.ended.done()]:
        await asyncio.wait([again, *running], return_when=asyncio.FIRST_COMPLETED)
        if again.done():
            for process in first:
                process.tell(signal.SIGTERM)  # a second one does not wait for calls
            await asyncio.wait([process.ended for process in first], timeout=STOP_S)
            return
    again.cancel()


def _gone(processes: Sequence[_Process]) -> str:
    told = [f"{process.part.name} ended with status {process.ended.result()}" for process in processes]
    return "; ".join(told) + ": the others were stopped"


def _welcome(processes: Sequence[_Process], addresses: Sequence[str]) -> str:
    lines = ["", "Everything is up:"]
    for process, address in zip(processes, addresses, strict=True):
        lines.append(f"  {process.part.what:<18} {address}")
    return "\n".join([*lines, ""])
