"""`/ws/voice`: what a client may send over its socket, and what each of it means. Pure.

    {"type": "start", "rate": 16000, "encoding": "pcm", "token": "…"}    first; the token if no header has it
    {"type": "key", "key": "5"}
    {"type": "mute", "on": true}          what is sent is not heard, until it is again
    {"type": "ping", "t": 1234}           answered by {"type": "pong", "t": 1234}
    {"type": "hangup"}

and binary messages: mono 16-bit little-endian PCM at that rate in pieces of any length up to a second, or one
Opus packet of 20 ms each.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Literal

from webrtc.channel import KEYS, MESSAGES_PER_S, pong
from webrtc.credit import Credit

Encoding = Literal["pcm", "opus"]

RATES: Final = (8000, 16000, 24000, 48000)
MAX_TEXT: Final = 2048
"""Characters."""
MAX_OPUS_BYTES: Final = 1275
"""Of one frame (RFC 6716 section 3.2.1)."""
MAX_PIECE_S: Final = 1.0
MAX_FAULTS: Final = 50

_TOKEN_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Start:
    rate: int
    encoding: Encoding
    token: str | None


@dataclass(frozen=True, slots=True)
class Key:
    key: str


@dataclass(frozen=True, slots=True)
class HangUp:
    pass


@dataclass(frozen=True, slots=True)
class Answer:
    """To be sent back at once."""

    text: str


@dataclass(frozen=True, slots=True)
class Audio:
    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """What was wrong, for a program (`code`) and for who writes one. With `final` the socket is closed."""

    code: str
    detail: str
    final: bool = False

    @property
    def text(self) -> str:
        return json.dumps({"type": "error", "code": self.code, "detail": self.detail})


Said = Start | Key | HangUp | Answer | Audio | Fault


class VoiceSocket:
    """The receiving half of one socket."""

    def __init__(self, now: float) -> None:
        self.start: Start | None = None
        self.counts: Counter[str] = Counter()
        self._faults = 0
        self._muted = False
        self._audio = Credit(now)
        self._messages = Credit(now)

    def receive(self, message: str | bytes, now: float) -> Said | None:
        """None where there is nothing to be done."""
        said = self._text(message, now) if isinstance(message, str) else self._binary(message, now)
        if not isinstance(said, Fault):
            return said
        self.counts[said.code] += 1
        self._faults += 1
        return Fault(said.code, said.detail, final=said.final or self._faults > MAX_FAULTS)

    def _binary(self, data: bytes, now: float) -> Said | None:
        start = self.start
        if start is None:
            return Fault("wrong_order", "audio follows the start: send it first")
        if start.encoding == "opus":
            most, seconds = MAX_OPUS_BYTES, 0.02
        else:
            most, seconds = int(start.rate * 2 * MAX_PIECE_S), len(data) / (start.rate * 2)
        if len(data) > most:
            return Fault("too_long", f"a piece of audio has {most} bytes at most, not {len(data)}")
        if not data or self._muted:
            return None
        if not self._audio.take(seconds, now):
            return Fault("too_fast", "audio comes faster than real time, by more than two seconds")
        return Audio(data)

    def _text(self, text: str, now: float) -> Said | None:
        if len(text) > MAX_TEXT:
            return Fault("too_long", f"a message has {MAX_TEXT} characters at most")
        if not self._messages.take(1 / MESSAGES_PER_S, now):
            return Fault("too_many", "more than 20 messages a second")
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return Fault("no_json", "a text is one JSON object")
        kind = message.get("type")
        if kind == "start":
            return self._started(message)
        if kind == "ping":
            return Answer(pong(message))
        if kind not in ("key", "mute", "hangup"):
            return Fault("unknown_type", "the type is one of start, key, mute, ping and hangup")
        if self.start is None:
            return Fault("wrong_order", "the first message is the start")
        if kind == "key":
            key = message.get("key")
            if not isinstance(key, str) or key not in KEYS:
                return Fault("bad_key", "a key is one of 0-9, *, # and A-D")
            return Key(key)
        if kind == "mute":
            self._muted = message.get("on") is not False
            return None
        return HangUp()

    def _started(self, message: dict[str, Any]) -> Start | Fault:
        if self.start is not None:
            return Fault("wrong_order", "the call was started already")
        rate, encoding, token = (
            message.get("rate", 16000),
            message.get("encoding", "pcm"),
            message.get("token"),
        )
        if encoding not in ("pcm", "opus"):
            return Fault("bad_start", "the encoding is pcm or opus")
        if encoding == "pcm" and rate not in RATES:
            return Fault("bad_start", "the rate is 8000, 16000, 24000 or 48000")
        if token is not None and (not isinstance(token, str) or len(token) > _TOKEN_CHARS):
            return Fault("bad_start", "the token is the text that was given for the session")
        self.start = Start(int(rate) if encoding == "pcm" else 48000, encoding, token)
        return self.start
