"""`ivr trace CALL_ID`: where a call comes from, and in which form its turns are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import httpx

from ivr.config import ConfigError, load
from ivr.store import StoreError, database_url
from ivr.store.tracing import read_call
from ivr.trace.model import TURN, CallTrace, trace_of
from ivr.trace.page import page
from ivr.trace.picture import picture
from ivr.trace.text import text

Format = Literal["text", "json", "html", "svg", "png"]

LAST: Final = "last"
"""Names the newest call."""

_TIMEOUT_S: Final = 10.0
_SCALE: Final = 2
"""Pixels of the PNG for each of the picture."""


class NoTrace(Exception):
    """There is nothing to show; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """The call is read from the store of `config`, or from the API of `server`. Without an `out` text and
    JSON are printed, and a picture is written to the current folder."""

    call_id: str
    config: Path
    server: str | None = None
    key: str | None = None
    format: Format = "text"
    out: Path | None = None


def run(options: Options, out: TextIO | None = None) -> int:
    """0, or 1 with the reason on stderr."""
    out = out or sys.stdout
    try:
        trace = trace_of(_report(options))
        if not trace.turns:
            raise NoTrace(f"call {trace.call_id} has no turn: nothing was said or pressed in it")
        drawn = _FORMS[options.format](trace)
        if options.out is None and isinstance(drawn, str) and options.format in ("text", "json"):
            out.write(drawn)
            return 0
        file = options.out or Path(f"trace-{trace.call_id}.{options.format}")
        file.write_bytes(drawn.encode() if isinstance(drawn, str) else drawn)
        out.write(f"{file}: {trace.summary}\n")
    except (NoTrace, ConfigError, StoreError, ValueError, OSError, httpx.HTTPError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    return 0


def _report(options: Options) -> dict[str, Any]:
    call_id = None if options.call_id == LAST else options.call_id
    if options.server is not None:
        return _asked(options.server, options.key, call_id)
    store = load(options.config).store
    return read_call(database_url(store.path, store.database), call_id, TURN)


def _asked(server: str, key: str | None, call_id: str | None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=server, headers=headers, timeout=_TIMEOUT_S, trust_env=False) as client:
        if call_id is None:
            newest = _json(client.get("/api/voice/calls", params={"limit": 1}))["calls"]
            if not newest:
                raise NoTrace("there is no call yet")
            call_id = newest[0]["id"]
        return _json(client.get(f"/api/voice/calls/{call_id}"))


def _json(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        try:
            detail = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = answer.reason_phrase
        raise NoTrace(f"{answer.url.host}: {answer.status_code}: {detail}")
    found: dict[str, Any] = answer.json()
    return found


def _png(trace: CallTrace) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise NoTrace(
            "a PNG needs the extra: pip install 'ivr-server[trace]' (or use --format html)"
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=picture(trace), zoom=_SCALE))


_FORMS: Final[dict[Format, Callable[[CallTrace], str | bytes]]] = {
    "text": text,
    "json": lambda trace: json.dumps(trace.figures, indent=2, ensure_ascii=False) + "\n",
    "html": page,
    "svg": picture,
    "png": _png,
}
