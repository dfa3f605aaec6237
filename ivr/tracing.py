"""Whether calls are told to a collector of traces; costs nothing where they are not."""

from __future__ import annotations

from typing import Protocol

from ivr.config import ConfigError
from ivr.config import Tracing as Settings
from ivr.waterfall import TurnTimes


class CallSpans(Protocol):
    """The trace of one call."""

    def turn(self, turn: TurnTimes) -> None:
        """A turn is complete."""

    def end(self, cause: str) -> None:
        """The call is over."""


class Tracing(Protocol):
    def call(self, call_id: str, direction: str, flow: str, now: float) -> CallSpans:
        """The trace of a call that begins now, by the loop's clock."""

    def close(self) -> None:
        """Sends what is left, within bounds; blocks meanwhile."""


class NoTracing:
    """Nobody wants to know."""

    def call(self, call_id: str, direction: str, flow: str, now: float) -> CallSpans:
        return _NOTHING

    def close(self) -> None: ...


class _NoSpans:
    def turn(self, turn: TurnTimes) -> None: ...

    def end(self, cause: str) -> None: ...


_NOTHING = _NoSpans()


def tracing_of(settings: Settings | None) -> Tracing:
    """As the configuration asks for it; raises `ConfigError` where the extra is not installed."""
    if settings is None:
        return NoTracing()
    try:
        from ivr.spans import open_tracing
    except ImportError as error:
        raise ConfigError(f"tracing: needs the extra: pip install 'ivr-server[tracing]' ({error})") from error
    return open_tracing(settings.endpoint, settings.headers, settings.service)
