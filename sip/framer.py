"""SIP over a stream: bytes in, messages out (RFC 3261 18.3, keep-alives of RFC 5626 4.4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sip.message import MAX_MESSAGE, Message, ParseError, Request, end_of_head, parse_head


@dataclass(frozen=True, slots=True)
class Keepalive:
    """A double CRLF between messages (RFC 5626 4.4.1); the answer is a single CRLF."""


class Framer:
    """Cuts a byte stream into messages by Content-Length (RFC 3261 18.3).

    `lost` says why the stream can be followed no further (the end of a message cannot be known, or it is too
    long): then close the connection. Where the message can be answered, it stands last in the list.
    """

    __slots__ = ("_buffer", "_ends", "_scanned", "lost")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._ends: tuple[int, int, int] | None = None
        """Where the head ends, the body begins and the message ends, while we wait for the rest of it."""
        self.lost: ParseError | None = None

    def feed(self, data: bytes) -> list[Message | Keepalive | ParseError]:
        """Takes the next bytes and gives the messages that are complete.

        A message that is bad, but whose end is known, stands in the list as its `ParseError`.
        """
        if self.lost is not None:
            return []
        self._buffer += data
        found: list[Message | Keepalive | ParseError] = []
        while self._buffer:
            if self._buffer[0] in b"\r\n":
                if not self._skip_line_ends(found):
                    break
                continue
            try:
                item = self._next()
            except ParseError as error:
                self.lost = error
                self._buffer.clear()
                if error.request is not None:
                    found.append(error)
                break
            if item is None:
                break
            found.append(item)
        return found

    def take_pong(self) -> bool:
        """Takes a single CRLF that nothing follows: for who has pinged, the answer (RFC 5626 4.4.1)."""
        if self._buffer != b"\r\n":
            return False
        self._buffer.clear()
        return True

    def _skip_line_ends(self, found: list[Message | Keepalive | ParseError]) -> bool:
        """Drops line ends before a message; False when a second CRLF may still follow the first."""
        if self._buffer.startswith(b"\r\n\r\n"):
            found.append(Keepalive())
            del self._buffer[:4]
        elif b"\r\n\r\n".startswith(self._buffer):
            return False
        else:
            del self._buffer[: 2 if self._buffer.startswith(b"\r\n") else 1]
        return True

    def _next(self) -> Message | ParseError | None:
        if self._ends is None:
            self._ends = self._found()
        if self._ends is None or len(self._buffer) < self._ends[2]:
            return None
        head_end, body_start, total = self._ends
        head, body = bytes(self._buffer[:head_end]), bytes(self._buffer[body_start:total])
        del self._buffer[:total]
        self._ends = None
        self._scanned = 0
        try:
            return parse_head(head, body)
        except ParseError as error:
            return error

    def _found(self) -> tuple[int, int, int] | None:
        """Looks for the end of the head, and reads there where the message ends."""
        end = end_of_head(self._buffer, self._scanned)
        if end is None:
            if len(self._buffer) > MAX_MESSAGE:
                raise ParseError(f"the header section is longer than {MAX_MESSAGE} bytes", 513)
            self._scanned = max(0, len(self._buffer) - 2)
            return None
        head_end, body_start = end
        head = bytes(self._buffer[:head_end])
        try:
            total = body_start + _announced(head)
            if total > MAX_MESSAGE:
                raise ParseError(f"the message is longer than {MAX_MESSAGE} bytes", 513)
        except ParseError as error:
            raise ParseError(str(error), error.status, _answerable(head)) from error
        return head_end, body_start, total


def _answerable(head: bytes) -> Request | None:
    """The request of which nothing but the head can be read, where it can be answered."""
    try:
        message = parse_head(head, b"")
    except ParseError as error:
        return error.request
    return message if isinstance(message, Request) and message.method != "ACK" else None


_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:\s*([^\r\n]*)", re.IGNORECASE)


def _announced(head: bytes) -> int:
    """The body's length as the stream announces it, 0 when it does not; raises ParseError for nonsense."""
    values = {value.strip() for value in _LENGTH.findall(head)}
    if not values:
        return 0
    value = values.pop()
    if values or not re.fullmatch(rb"[0-9]{1,10}", value):
        raise ParseError("the Content-Length makes no sense")
    return int(value)
