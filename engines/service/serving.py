"""The process around a service: its socket, its signals, and an end that lets work under way finish."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import uvicorn
import uvloop
from fastapi import FastAPI

from engines.service.socket_log import keep_out_secrets

DRAIN_S: Final = 30
"""How long work under way may take after SIGTERM; a second signal ends it at once."""

_WS_MESSAGE_BYTES: Final = 1024 * 1024

Opened = AbstractAsyncContextManager[FastAPI]


class HttpServer(uvicorn.Server):
    """uvicorn inside our loop: the process's signals are ours."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        keep_out_secrets()
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(app: FastAPI, host: str, port: int, drain_s: int = DRAIN_S) -> AsyncGenerator[str]:
    """Serves `app` and yields its URL; port 0 takes any free one. At the end no new work is taken, and what
    is under way has `drain_s` seconds. Raises OSError that names the address.
    """
    listener = _listener(host, port)
    settings = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=drain_s,
        ws_max_size=_WS_MESSAGE_BYTES,
        # Audio does not shrink, and each connection's window would cost memory and time.
        ws_per_message_deflate=False,
    )
    api = HttpServer(settings)
    task = asyncio.create_task(api.serve(sockets=[listener]), name="http")
    await asyncio.wait([task, asyncio.ensure_future(api.ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{listener.getsockname()[1]}"
    finally:
        api.should_exit = True
        await asyncio.wait([task], timeout=drain_s + 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def run(open_service: Callable[[], Opened], host: str, port: int, announce: Path | None, name: str) -> None:
    """Runs the service until SIGTERM or SIGINT. `open_service` starts its engines and gives its application.

    With `announce`, the address is written to that file, as JSON, once requests are answered.
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(open_service, host, port, announce, name))


async def _run(
    open_service: Callable[[], Opened], host: str, port: int, announce: Path | None, name: str
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_service() as app, served(app, host, port) as url:
        app.openapi()  # the framework makes its routes' models when they are first needed: now
        # What is there now stays: looking through all of it for garbage stops the loop for 40 ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 50, 50)  # less often: what a request makes is mostly freed by counting
        if announce is not None:
            announced(announce, api=url)
        print(f"\n{name} at {url}\n  its pages  {url}/docs\n", flush=True)
        await stop.wait()
        print(
            "No new work from here on; what is under way may finish. Once more to stop at once.", flush=True
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, os._exit, 1)


def announced(path: Path, **addresses: str | list[str]) -> None:
    """Writes where the process really is to be found, as JSON. Written beside and renamed, so that who waits
    for the file never reads half of it."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    beside.write_text(json.dumps({**addresses, "pid": os.getpid()}))
    beside.replace(path)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"{host}:{port}: {error.strerror}") from error
    return listener
