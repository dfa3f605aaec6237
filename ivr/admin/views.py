"""Which page of the dashboard a step of the owner's flow means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

FLOW: Final = "admin-voice"
ORDERS: Final = "vendor-order"
"""The flow whose calls are orders."""

_T = TypeVar("_T")


def page_of(step: str, now: datetime) -> str | None:
    """The address that the step leads to; None for a step that shows nothing. `now` is the owner's time."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    match step:
        case "show_today":
            return f"/calls?flow={ORDERS}&since={quote(today)}"
        case "show_waiting":
            return f"/calls?flow={ORDERS}&state=answered"
        case "show_sales":
            return f"/flows/{ORDERS}"
        case "show_calls":
            return "/live"
        case _:
            return None


class Turned(NamedTuple):
    """A page with what its path and query say."""

    path: str
    params: Mapping[str, str]


def find(url: str, paths: Iterable[str]) -> Turned | None:
    """The page at an address of ours, of those with such paths; one may have parameters (`/flows/{name}`)."""
    parts = urlsplit(url)
    wanted = parts.path.split("/")
    for path in paths:
        named = path.split("/")
        if len(named) != len(wanted):
            continue
        params = dict(parse_qsl(parts.query))
        for name, given in zip(named, wanted, strict=True):
            if name.startswith("{") and given:
                params[name[1:-1]] = unquote(given)
            elif name != given:
                break
        else:
            return Turned(path, params)
    return None
