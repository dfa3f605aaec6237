"""What `ivr campaign` does, over the API of the running server, with a key of its configuration."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote

import httpx

from ivr.config import Config, ConfigError, Scope, load

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
UPLOAD_S: Final = 120.0

_API: Final = "/api/voice/campaigns"

Act = Callable[[httpx.AsyncClient], Awaitable[int]]


def run(path: Path, scope: Scope, act: Act) -> int:
    """Gives the exit code: 0, 1 (the server refused it), 2 (it could not be asked)."""
    try:
        config = load(path)
        key = _key(config, scope)
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return USAGE
    host = f"[{config.api.host}]" if ":" in config.api.host else config.api.host
    url = f"http://{host}:{config.api.port}"

    async def ask() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False) as client:
            return await act(client)

    try:
        return asyncio.run(ask())
    except httpx.HTTPError as error:
        print(f"ivr: the server at {url} cannot be asked: {error or type(error).__name__}", file=sys.stderr)
    except OSError as error:
        print(f"ivr: {error}", file=sys.stderr)
    return USAGE


def _key(config: Config, scope: Scope) -> str:
    """The first key that has the scope; raises `ConfigError`."""
    key = next((one.key for one in config.api.keys.values() if scope in one.scopes), None)
    if key is None:
        raise ConfigError(f"no key of api.keys has the scope {scope}")
    return key


async def show(client: httpx.AsyncClient, out: TextIO | None = None) -> int:
    """A line for each campaign."""
    answer = await client.get(_API)
    if answer.is_error:
        return _refused(answer)
    rows = [_line(each) for each in answer.json()["campaigns"]]
    return _write(out, rows or ["no campaigns"])


def _line(campaign: Mapping[str, Any]) -> str:
    figures = campaign["figures"]
    told = f"{figures['answered']} answered, {figures['waiting']} waiting of {figures['contacts']}"
    return f"{campaign['id']}  {campaign['state']:<9}  {told}  {campaign['name']}"


async def press(client: httpx.AsyncClient, campaign: str, action: str, out: TextIO | None = None) -> int:
    """Starts, pauses or cancels."""
    answer = await client.post(f"{_API}/{quote(campaign, safe='')}/{action}")
    return _refused(answer) if answer.is_error else _write(out, [_line(answer.json())])


async def import_contacts(
    client: httpx.AsyncClient, campaign: str, file: Path, skip_bad: bool, out: TextIO | None = None
) -> int:
    """Raises OSError for a file that cannot be read."""
    answer = await client.post(
        f"{_API}/{quote(campaign, safe='')}/contacts",
        content=await asyncio.to_thread(file.read_bytes),
        headers={"Content-Type": "text/csv"},
        params={"skip_bad": skip_bad},
        timeout=UPLOAD_S,
    )
    told = answer.json()
    for each in told.get("errors", ()):
        column = f"{each['column']}: " if each["column"] else ""
        print(f"{file}:{each['line']}: {column}{each['message']}", file=sys.stderr)
    if answer.is_error:
        return _refused(answer)
    left = f", {told['count']} rows left out" if told["count"] else ""
    return _write(out, [f"{told['added']} added, {told['suppressed']} suppressed{left}"])


def _write(out: TextIO | None, lines: Iterable[str]) -> int:
    print(*lines, sep="\n", file=out or sys.stdout)
    return DONE


def _refused(answer: httpx.Response) -> int:
    problem = answer.json()
    print(f"ivr: {problem.get('title')}: {problem.get('detail')}", file=sys.stderr)
    return REFUSED
