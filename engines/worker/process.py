"""The life of the worker process: it loads one engine, works for its parent, and never outlives it."""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Final, cast

from engines.wire import Kind
from engines.worker.connection import Connection
from engines.worker.engine import Engine
from engines.worker.schedule import Schedule

BUILT_IN: Final = {
    "espeak": "engines.tts.espeak_worker:EspeakEngine",
    "pocketsphinx": "engines.asr.pocketsphinx_worker:PocketsphinxEngine",
}
"""Engines by name. Any other is named as `module:callable`, the callable giving an `Engine`."""

_PR_SET_PDEATHSIG: Final = 1
_SWITCH_INTERVAL_S: Final = 0.0005
_NICENESS: Final = 5
"""A full machine serves the packets of live calls first."""


def load(name: str) -> Engine:
    """Imports and makes the engine; raises what its import or its making raises, `ValueError` for a wrong
    name.
    """
    target = BUILT_IN.get(name, name)
    module, colon, attribute = target.partition(":")
    if not colon:
        raise ValueError(f"no engine is called {name!r}; there are {', '.join(BUILT_IN)}, or module:callable")
    factory = cast(Callable[[], Engine], getattr(importlib.import_module(module), attribute))
    return factory()


def serve(name: str, descriptor: int, parent: int) -> None:
    """Runs the engine for the parent at the other end of the socket `descriptor`; ends with the process."""
    _die_with(parent)
    os.nice(_NICENESS)
    # An interrupt typed at a terminal goes to the whole group; only the parent decides when a worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    connection = Connection(socket.socket(fileno=descriptor))
    engine = load(name)
    schedule = Schedule(engine, connection)
    # The listening thread must get the interpreter soon while the other one computes.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    threading.Thread(target=_until_closed, args=(schedule.listen,), name="listen", daemon=True).start()
    connection.send(Kind.READY, fields=engine.describe())
    try:
        schedule.run()
    except OSError:
        os._exit(0)


def _until_closed(listen: Callable[[], None]) -> None:
    """The parent closed, or is gone: nothing here is worth keeping, so the process ends in the middle of its
    work.
    """
    try:
        listen()
    except OSError:
        pass
    finally:
        os._exit(0)


def _die_with(parent: int) -> None:
    """Asks the kernel for a SIGKILL when the parent dies; the end of the socket says the same a little
    later.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(0)
