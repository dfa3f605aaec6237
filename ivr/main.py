"""The process around a server: event loop, signals, and what an operator reads at the start."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

import uvloop

from engines.service.serving import announced
from ivr.config import Config, load
from ivr.server import Server, running

DRAIN_S: Final = 300.0
"""How long live calls may go on after SIGTERM; a second signal ends them at once."""


def main(config_path: Path, announce: Path | None) -> None:
    """Runs a server until SIGTERM or SIGINT; raises what `ivr.server.running` does, and `ConfigError`."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for talkative in ("httpx", "aioice"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    config = load(config_path)
    # A thread (store, recorder) that computes gives way to the media in half a millisecond, not five.
    sys.setswitchinterval(0.0005)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, announce))


async def _serve(config: Config, announce: Path | None) -> None:
    signals: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    loop.add_signal_handler(signal.SIGHUP, int)  # nothing to read anew yet
    reloads: set[asyncio.Task[None]] = set()
    async with running(config) as server:
        loop.add_signal_handler(signal.SIGHUP, _hung_up, server, reloads, signals)
        if announce is not None:
            announced(announce, sip=server.sip, api=server.api)
        print(_welcome(server), flush=True)
        await signals.get()
        print("No new calls from here on; live calls may finish. Once more to stop at once.", flush=True)
        draining = asyncio.create_task(server.drain(DRAIN_S))
        again = asyncio.create_task(signals.get())
        await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
        draining.cancel()
        again.cancel()


def _hung_up(server: Server, reloads: set[asyncio.Task[None]], signals: asyncio.Queue[None]) -> None:
    """SIGHUP: an operator wants the flows read anew, or the terminal that we run in was closed."""
    if _terminal_is_gone():
        signals.put_nowait(None)
        return
    task = asyncio.create_task(server.flows.reload())
    reloads.add(task)
    task.add_done_callback(reloads.discard)


def _terminal_is_gone() -> bool:
    try:
        os.tcgetpgrp(0)
    except OSError as error:
        return error.errno == errno.EIO  # of one that never was: ENOTTY
    return False


def _welcome(server: Server) -> str:
    lines = ["", "Taking calls."]
    lines += [f"  SIP        {address}" for address in server.sip]
    host, _, port = server.sip[0].split(":", 1)[1].rpartition(":")
    for number, inbound in server.config.numbers.items():
        user = "anything" if number == "*" else number
        lines.append(f"  call       sip:{user}@{host}:{port}   -> flow {inbound.flow}")
    if server.config.web.phone.access != "off":
        lines.append(f"  phone      {server.api}/")
    lines.append(f"  API        {server.api}/api/voice/calls")
    lines.append(f"  its pages  {server.api}/docs")
    if server.config.numbers:
        number = next(iter(server.config.numbers))
        lines.append(f"  try        {_command()} phone sip:{number}@{host}:{port}")
    return "\n".join([*lines, ""])


def _command() -> str:
    """As somebody types us. `ivr up` starts us as a module, whose file is no command."""
    typed = Path(sys.argv[0])
    return str(Path(sys.executable).with_name("ivr")) if typed.suffix == ".py" else str(typed)
