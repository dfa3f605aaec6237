"""Which flow a call of Exotel's goes to, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from ivr.callheaders import bind
from ivr.config import Config, InboundNumber
from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.web.book import FlowCall
from ivr.web.exotel_calls import normalised, spellings
from ivr.web.exotel_config import ExotelStream

ANY_NUMBER: Final = "*"

RESERVED: Final = frozenset(("token", "as", "when", "sample-rate", "sample_rate"))
"""What an address says to us is no parameter of a flow."""


class NoFlow(Exception):
    """No flow answers, or it cannot; the text says why."""


class Library(Protocol):
    def get(self, name: str) -> Flow | None: ...


class ExotelRouting:
    """The streams and numbers of a configuration, and the flows that there are."""

    def __init__(self, config: Config, library: Library) -> None:
        self._numbers = config.numbers
        self._library = library

    def call(
        self, stream: ExotelStream | None, called: str, caller: str, given: Mapping[str, str]
    ) -> FlowCall:
        """The stream's own flow, or that of the called number. What is `given` is for the parameters of the
        same names; the rest of it, and what does not fit, is passed over. Raises `NoFlow`."""
        name, params = self._target(stream, called)
        flow = self._library.get(name)
        if flow is None:
            raise NoFlow(f"there is no flow {name}")
        names = flow.params.keys() & given.keys() - RESERVED
        taken = {param: f"X-{param}" for param in names}
        try:
            raw, _ = bind(flow, params, taken, {f"X-{param}": given[param] for param in taken})
        except ParamError as error:
            raise NoFlow(f"the parameters of {name}: {error}") from error
        return FlowCall(name, raw, None if stream is None else stream.language, normalised(caller))

    def _target(self, stream: ExotelStream | None, called: str) -> tuple[str, Mapping[str, object]]:
        params = {} if stream is None else stream.params
        if stream is not None and stream.flow is not None:
            return stream.flow, params
        number = self._number(called)
        if number is None:
            raise NoFlow("no flow answers this number")
        return number.flow, {**number.params, **params}

    def _number(self, called: str) -> InboundNumber | None:
        names = (*spellings(called), ANY_NUMBER)
        return next((self._numbers[name] for name in names if name in self._numbers), None)
