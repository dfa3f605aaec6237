"""A phone in a process of its own, spoken to in lines of JSON: a library that aborts or hangs takes no test
with it.

The phone's program (`pjsua2_phone.py`, `pyvoip_phone.py`) gets its folder as its first argument, reads
commands as `{"do": "call", "uri": ...}` and writes events as `{"event": "established"}`; `{"event":
"heard", "seconds": ...}` tells how much sound there was so far.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tests.interop.sounds import write_tone

WAIT_S = 20.0
ROOT = Path(__file__).parents[2]


class PhoneProcess:
    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._seen: list[str] = []
        self.heard_s = 0.0
        assert process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def do(self, command: str, **values: Any) -> None:
        self.say(json.dumps({"do": command, **values}))

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait_for(self, event: str, within_s: float = WAIT_S) -> dict[str, Any]:
        """The next event of that name; others before it are dropped."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                found = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                log = (self._folder / "phone.log").read_text(errors="replace")
                raise AssertionError(f"no {event}, but {self._seen}\n{log[-4000:]}") from None
            self._seen.append(found["event"])
            if found["event"] == event:
                return found

    def wait_for_sound(self, seconds: float, within_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + within_s
        while self.heard_s < seconds:
            assert time.monotonic() < deadline, f"heard only {self.heard_s:.2f} s of sound"
            time.sleep(0.1)

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["event"] == "heard":
                self.heard_s = event["seconds"]
            else:
                self._events.put(event)


@contextlib.contextmanager
def phone_process(program: str, folder: Path, *arguments: str) -> Iterator[PhoneProcess]:
    """Runs `tests/interop/PROGRAM.py`; it ends with the block."""
    folder.mkdir()
    write_tone(folder / "tone.wav")
    with (folder / "phone.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.interop.{program}", str(folder), *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
        )
    try:
        yield PhoneProcess(process, folder)
    finally:
        with contextlib.suppress(OSError, ValueError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
