"""`ivr trunk doctor NAME` and `ivr trunk list`: the commands around the examination."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TextIO

from ivr.config import Config, ConfigError, load
from ivr.doctor import report
from ivr.doctor.examination import examine
from ivr.doctor.facts import ServerSeen
from ivr.doctor.findings import Examination
from ivr.doctor.probe_system import held, server
from ivr.doctor.trial import place
from ivr.trunks import trunks_of
from sip.trunks import TrunkTable

Format = Literal["text", "json"]
USAGE: Final = 2
_CLEAR: Final = "\r\x1b[K"


def doctor(
    path: Path, name: str, format: Format = "text", call: str | None = None, out: TextIO | None = None
) -> int:
    """Examines a trunk and prints what was found; gives the exit status: 0 where all is well or may be
    (warnings), 1 where something must be mended, 2 where there is nothing to examine.

    `call` is a number that is called once besides.
    """
    out = out or sys.stdout
    config = _config(path)
    if config is None:
        return USAGE
    if name not in config.trunks:
        known = ", ".join(config.trunks) or "none"
        print(f"ivr: {path}: there is no trunk {name!r}; there are: {known}", file=sys.stderr)
        return USAGE
    logging.disable(logging.ERROR)  # what goes wrong is said in the findings
    found = asyncio.run(_examination(config, name, call))
    if sys.stderr.isatty():
        sys.stderr.write(_CLEAR)
    colours = out.isatty() and "NO_COLOR" not in os.environ
    out.write(report.as_json(found) if format == "json" else report.as_text(found, colours=colours))
    return report.status(found)


async def _examination(config: Config, name: str, call: str | None) -> Examination:
    found = await examine(config, name, progress=_progress)
    if call is None:
        return found
    _progress("a call")
    loop = asyncio.get_running_loop()
    began = loop.time()
    trial = await place(config, name, call)
    return replace(found, findings=(*found.findings, *trial), took_s=found.took_s + loop.time() - began)


def list_trunks(path: Path, out: TextIO | None = None) -> int:
    """One line for each trunk: its proxy, and how it stands in the running server."""
    out = out or sys.stdout
    config = _config(path)
    if config is None:
        return USAGE
    states = asyncio.run(_states(config))
    width = max(map(len, config.trunks), default=0)
    for name, trunk in config.trunks.items():
        out.write(f"{name:<{width}}  {_standing(states[name]):<12}  {trunk.proxy or 'no proxy'}\n")
    if not config.trunks:
        out.write("no trunks\n")
    return 0


def _config(path: Path) -> Config | None:
    try:
        config = load(path)
        TrunkTable(trunks_of(config))
    except (ConfigError, ValueError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return None
    return config


async def _states(config: Config) -> dict[str, ServerSeen]:
    at = await asyncio.to_thread(held, config)
    seen = await asyncio.gather(*(server(config, name, at) for name in config.trunks))
    return dict(zip(config.trunks, seen, strict=True))


def _standing(seen: ServerSeen) -> str:
    if not seen.answers:
        return "not running"
    return {True: "up", False: "down", None: "unknown"}[seen.up]


def _progress(words: str) -> None:
    """On a terminal, one line that is written over; nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{_CLEAR}looking at {words} …")
        sys.stderr.flush()
