"""What uvicorn says of WebSockets, as it may stand in a log."""

from __future__ import annotations

import logging
from typing import Final

_OPENED: Final = '%s - "WebSocket %s"'
_REFUSED: Final = "ASGI callable returned without completing handshake."


class SocketLines(logging.Filter):
    """Takes the query out of the lines about an address: tokens stand in it, and what is told of a caller.
    Passes over the error that uvicorn reports behind a socket that was refused with an answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == _REFUSED:
            return False
        if isinstance(record.msg, str) and record.msg.startswith(_OPENED) and isinstance(record.args, tuple):
            client, address, *rest = record.args
            record.args = (client, str(address).partition("?")[0], *rest)
        return True


_LINES: Final = SocketLines()


def keep_out_secrets() -> None:
    """Of all servers of this process; more than once is as once."""
    logging.getLogger("uvicorn.error").addFilter(_LINES)
