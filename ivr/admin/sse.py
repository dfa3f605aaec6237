"""Server-sent events (WHATWG HTML, 9.2), read line by line. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """`id` is what a reader that comes again says it has seen last."""

    kind: str
    data: str
    id: str | None = None


class SseReader:
    """Takes lines without their ends; gives an event at the empty line behind it."""

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.retry_s: float | None = None
        self._kind = ""
        self._data: list[str] = []

    def begin(self) -> None:
        """The stream is opened anew: what had come of an event is no event."""
        self._kind, self._data = "", []

    def take(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        if line.startswith(":"):
            return None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value or None
            case "retry" if value.isascii() and value.isdigit():
                self.retry_s = int(value) / 1000
        return None

    def _dispatch(self) -> ServerEvent | None:
        kind, data = self._kind or "message", self._data
        self._kind, self._data = "", []
        return ServerEvent(kind, "\n".join(data), self.last_id) if data else None
