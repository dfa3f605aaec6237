"""A request that cannot be granted, as the response that says so. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final


class Refused(Exception):
    """Answer the request with this status and these header fields; the text says why."""

    def __init__(self, text: str, status: int, fields: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(text)
        self.status: Final = status
        self.fields: Final = tuple(fields)
