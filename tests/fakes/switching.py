"""A switcher without places, for servers whose engines are none."""

from __future__ import annotations

from engines.switching.switcher import Candidate, Order, Place, Switcher, SwitchRefused


def refuse(place: Place, order: Order) -> Candidate:
    raise SwitchRefused("there are no engines here", "cannot_be_used")


async def ready(engine: object) -> None:
    """It is warm already."""


def no_switcher() -> Switcher:
    return Switcher({}, refuse, ready)
