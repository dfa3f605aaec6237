"""A caller who presses keys: hears a prompt, cuts it off by a key, and measures when the next one began."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import Final

from ivr.bench import sip
from ivr.bench.flow import KEY, MOST_KEYS, SIGNATURE_OFFSET, signature
from ivr.bench.line import SECOND, Line
from ivr.bench.srtp import Cipher
from ivr.bench.stats import Samples

PROMPT_WITHIN: Final = 2 * SECOND
PAUSE: Final = (SECOND, 2 * SECOND)
"""Between the beginning of a prompt and the key that cuts it off."""

_NOISE: Final = random.Random(1).randbytes(160)
"""What the caller's line carries: not silence, so that nothing is saved on it."""


class Caller(Line):
    def __init__(
        self,
        offer: sip.Offer,
        rtp: socket.socket,
        send_sip: Callable[[bytes], None],
        samples: Samples,
        seed: int,
        *,
        most_keys: int = MOST_KEYS,
        pause: tuple[int, int] = PAUSE,
        cipher: Cipher | None = None,
    ) -> None:
        super().__init__(offer, rtp, send_sip, samples, seed, cipher)
        self._most_keys = most_keys
        self._pause = pause
        self._signatures = (signature("a"), signature("b"))
        self._keys = 0
        self._press = 0  # when the next key is due; 0: not yet known
        self._key_at: int | None = None  # when the key was sent whose prompt is awaited
        self._awaited: int | None = None

    def talks(self, now: int) -> None:
        self._awaited = self._signatures[0]
        self._began = now

    def speak(self, now: int) -> bytes:
        if self._press and now >= self._press:
            self._begin_key(now)
        elif self._awaited is not None and now - self._began > PROMPT_WITHIN:
            self.fail("no prompt came")
        return _NOISE

    def hears(self, payload: bytes, now: int, at: int) -> None:
        if payload[SIGNATURE_OFFSET] == self._awaited:
            self._prompt_began(now, at)

    def _prompt_began(self, now: int, at: int) -> None:
        if self._key_at is not None:
            self._samples.key_to_prompt.append(at - self._key_at)
            self._key_at = None
        self._awaited = None
        self._press = now + self._random.randint(*self._pause) if self._keys < self._most_keys else 0

    def _begin_key(self, now: int) -> None:
        self._press = 0
        self._keys += 1
        self._began = now
        self._awaited = self._signatures[self._keys % 2]
        self._key_at = self.press(int(KEY))
