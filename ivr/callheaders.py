"""X-headers of calls: into a flow's parameters, and into the record. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.flow.types import Value

_COUNT: Final = 32
_LENGTH: Final = 256
_WHOLE: Final = frozenset({"count", "minutes"})
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")


def x_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The X-headers among those of a leg: 32 at most, cut to 256 characters, as text that can be stored."""
    found = [(name, value) for name, value in headers.items() if name.lower().startswith("x-")]
    return {name[:_LENGTH]: _clean(value) for name, value in found[:_COUNT]}


def bind(
    flow: Flow, params: Mapping[str, Any], from_headers: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Value]]:
    """The parameters of an inbound call, raw and as the flow's values.

    `from_headers` names the header of a parameter. One that is missing, or does not fit the parameter's type,
    leaves the value that `params` has; where that has none either, `ParamError` is raised.
    """
    there = {name.lower(): value for name, value in x_headers(headers).items()}
    taken = {
        param: _typed(flow, param, there[header.lower()])
        for param, header in from_headers.items()
        if header.lower() in there
    }
    raw = {**params, **taken}
    try:
        return raw, flow.bind(raw)
    except ParamError as error:
        unfit = [name for name in error.fields if name in taken]
        for name in unfit:
            del raw[name]
            if name in params:
                raw[name] = params[name]
        return raw, flow.bind(raw)


def context_headers(context: Mapping[str, Any]) -> dict[str, str]:
    """The values that go with a transfer, as X-headers of the call to the agent: `order` is `X-Order`.

    What is not text stands as JSON; absent values are left out.
    """
    found: dict[str, str] = {}
    for name, value in list(context.items())[:_COUNT]:
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found["X-" + name.replace("_", "-").title()] = _clean(text)
    return found


def _typed(flow: Flow, param: str, text: str) -> str | int:
    """A header is text, and so are the numbers in it: those types that take no text get a number."""
    whole = flow.params[param].kind in _WHOLE and _NUMBER.fullmatch(text)
    return int(text) if whole else text


def _clean(value: str) -> str:
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char for char in text[:_LENGTH] if char.isprintable())
