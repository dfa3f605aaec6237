"""Engines that may be another one tomorrow: as they are now, for as long as one text or utterance takes.

Most engines are what they are; a place whose model can be switched (`engines.switching.places`) has these two
methods of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

E = TypeVar("E")


def settled(engine: E) -> E:
    """The engine as it is now: name, version, rate and sound belong together, whatever takes its place."""
    now = getattr(engine, "now", None)
    return engine if now is None else now()


@contextmanager
def in_use(engine: object) -> Iterator[None]:
    """Keeps the model of a settled engine loaded, also while it has nothing to do, as between two sentences
    of a text."""
    use = getattr(engine, "in_use", None)
    if use is None:
        yield
        return
    with use():
        yield
