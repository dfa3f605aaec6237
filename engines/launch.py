"""Starts the process of a worker and ends it for certain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engines.contract import EngineTimeout, EngineUnavailable
from engines.link import WorkerLink
from engines.wire import Fields
from engines.worker.settings import packed

_log = logging.getLogger(__name__)

_CLOSE_WAIT_S: Final = 1.0
_LAST_WORDS: Final = 5
_LONGEST_LINE: Final = 1000
_PACKAGE_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """Which engine runs, in which interpreter, found by which module.

    `engine` is a built-in name or `module:callable`. An engine with a virtual environment of its own names
    that interpreter; this project's packages are put on its path. `settings` are read by the engine with
    `engines.worker.settings`.
    """

    engine: str
    interpreter: str = sys.executable
    module: str = "engines.worker"
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


class WorkerProcess:
    """A running worker: its process, its link, and what it last said on its standard error."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, link: WorkerLink) -> None:
        self._name = name
        self._process = process
        self.link = link
        self.facts: Fields = {}
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._reader = asyncio.create_task(self._read_errors(), name=f"{name} stderr")

    @property
    def pid(self) -> int:
        return self._process.pid

    async def end(self) -> str:
        """Closes the link, waits shortly, kills what is left; returns how the process ended, in words."""
        self.link.close()
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:  # also when this wait itself is cancelled
            self.kill()
            await self._process.wait()
        await asyncio.wait({self._reader}, timeout=_CLOSE_WAIT_S)
        self._reader.cancel()
        code = self._process.returncode
        how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return f"{how}: {self._last_words[-1]}" if self._last_words else how

    def kill(self) -> None:
        """At once, for a worker that does not answer."""
        # Not Process.kill: it looks for the exit status first, and may take it away from the event loop.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _read_errors(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        rest = b""
        while chunk := await stream.read(4096):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_LONGEST_LINE:]
            for line in lines:
                self._say(line)
        self._say(rest)

    def _say(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode(errors="replace").rstrip()
        if text:
            self._last_words.append(text)
            _log.warning("%s (pid %d): %s", self._name, self.pid, text)


async def launch(name: str, command: WorkerCommand, wait_s: float) -> WorkerProcess:
    """Starts a worker and waits until its engine is loaded.

    Raises `EngineUnavailable` with the worker's own last words when it ends instead, `EngineTimeout` after
    `wait_s`; in both cases nothing is left running.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    link = WorkerLink(loop)
    try:
        process = await asyncio.create_subprocess_exec(
            command.interpreter,
            "-m",
            command.module,
            command.engine,
            f"--socket={theirs.fileno()}",
            f"--parent={os.getpid()}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            env=_environment(command),
        )
    except OSError as error:
        ours.close()
        raise EngineUnavailable(f"{name}: cannot start {command.interpreter}: {error}") from error
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    worker = WorkerProcess(name, process, link)
    try:
        ours.setblocking(False)
        await loop.create_unix_connection(lambda: link, sock=ours)
        async with asyncio.timeout(wait_s):
            worker.facts = await link.ready
    except TimeoutError:
        worker.kill()
        await worker.end()
        raise EngineTimeout(f"{name}: not ready after {wait_s:g} s") from None
    except EngineUnavailable:
        raise EngineUnavailable(f"{name}: did not start: {await worker.end()}") from None
    except BaseException:
        worker.kill()
        await worker.end()
        raise
    return worker


def _environment(command: WorkerCommand) -> dict[str, str]:
    environment = dict(os.environ)
    paths = [str(_PACKAGE_ROOT)]
    if inherited := environment.get("PYTHONPATH"):
        paths.append(inherited)
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment.update(packed(command.settings))
    environment.update(command.environment)
    return environment
