"""What one call may have to speak next, made while nothing waits for it.

Bounded, the nearest first, one after the other, and after what the call says now: a slow voice with one
stream must not be busy with what may never be heard. What a step would have led to is dropped when the call
goes another way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice

from ivr.flow.protocol import Utterance, pieces_of
from ivr.prompts import Prompt, Prompts
from media.codecs import Codec


class Ahead:
    """The lookahead of one call; `close` it with the call."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._wanted: dict[Utterance, Prompt] = {}
        self._waiting: deque[tuple[Utterance, Codec]] = deque()
        self._after: Prompt | None = None
        """Nothing is begun before it is made."""

    def want(self, coming: Iterable[Utterance], codec: Codec, after: Prompt | None = None) -> None:
        """What may be spoken next, nearest first; it takes the place of what was wanted before. What is not
        begun yet waits until `after` is made."""
        pieces = dict.fromkeys(piece for utterance in coming for piece in pieces_of(utterance))
        wanted = list(islice(pieces, self._prompts.limits.ahead))
        for utterance in [u for u in self._wanted if u not in pieces or self._wanted[u].clip.codec != codec]:
            self._prompts.release(self._wanted.pop(utterance))
        self._waiting = deque((utterance, codec) for utterance in wanted if utterance not in self._wanted)
        self._after = after
        if after is not None and not after.made.done():
            after.made.add_done_callback(self._made)
        self._begin()

    def close(self) -> None:
        self._waiting.clear()
        for prompt in self._wanted.values():
            self._prompts.release(prompt)
        self._wanted.clear()

    def _begin(self) -> None:
        if self._after is not None and not self._after.made.done():
            return
        while self._waiting and all(prompt.made.done() for prompt in self._wanted.values()):
            utterance, codec = self._waiting.popleft()
            prompt = self._wanted[utterance] = self._prompts.ahead(utterance, codec)
            if not prompt.made.done():
                prompt.made.add_done_callback(self._made)

    def _made(self, _made: asyncio.Future[None]) -> None:
        self._begin()
