"""Runs a model's own blocking `generate` in a thread, and hands its sound on while it still works.

For models that push sound into a streamer instead of giving an iterator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from engines.tts.generation import Cancelled, Sound


def streamed(
    generate: Callable[[], Any], streamer: Iterable[Any], end: Callable[[], None], stop: Callable[[], None]
) -> Iterator[Sound]:
    """The streamer's sound while `generate` runs in a thread of its own.

    `end` ends the streamer when the generation failed; `stop` asks the generation to end. However this is
    left, the thread is over afterwards, so that no two generations ever share the model. Raises what
    `generate` raised.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            generate()
        except Cancelled:
            end()
        except BaseException as error:
            failures.append(error)
            end()

    thread = threading.Thread(target=run, name="generate", daemon=True)
    thread.start()
    try:
        yield from streamer
    finally:
        stop()
        thread.join()
    if failures:
        raise failures[0]
