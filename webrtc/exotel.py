"""The messages of Exotel's Voicebot applet (AgentStream, bidirectional): read tolerantly, written strictly.

Exotel's pages contradict one another, and what is sent has changed over the years. So numbers may be text,
names may be in camelCase, the raw encoding has several names, and ids may stand outside or within the part
they belong to. What we write has one form, that of the newest pages. Pure.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

RATES: Final = (8000, 16000, 24000)
"""What a stream may have, in Hz; 8000 where nothing is said."""

MAX_MESSAGE_CHARS: Final = 200_000
MAX_PAYLOAD_BYTES: Final = 100_000
"""Exotel's own limit of a chunk."""

MAX_PARAMETERS: Final = 16
MAX_VALUE_CHARS: Final = 256
"""Exotel allows three parameters of 256 characters in all: what has more is nothing of Exotel's."""

_RAW: Final = frozenset(
    (
        "",  # not named
        "audio/l16", "audio/pcm", "audio/x-l16", "audio/x-raw", "base64", "l16", "linear16", "pcm", "pcm16",
        "pcm_s16le", "raw", "raw/slin", "slin", "slin16", "x-raw",
    )
)  # fmt: skip
_KEYS: Final = frozenset("0123456789*#ABCD")
_NAMED_KEYS: Final = {"10": "*", "11": "#", "star": "*", "asterisk": "*", "hash": "#", "pound": "#"}


class Fault(Enum):
    """What may be wrong with a message; counted by this name."""

    NO_JSON = "no_json"
    TOO_LONG = "too_long"
    UNKNOWN = "unknown_event"
    BAD_START = "bad_start"
    BAD_BASE64 = "bad_base64"
    BAD_KEY = "bad_key"
    BAD_MARK = "bad_mark"


class ExotelError(ValueError):
    """A message that is none of Exotel's; `fault` says which kind of wrong, the text tells a person."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open; `Start` follows."""


@dataclass(frozen=True, slots=True)
class Start:
    """The call: whose it is, and how its audio goes both ways. `rate` is None where it is not told."""

    stream_sid: str
    call_sid: str = ""
    account_sid: str = ""
    caller: str = ""
    called: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """Mono 16-bit little-endian PCM of the caller. `chunk` counts messages of this kind, `timestamp_ms` the
    audio before this one; None where they are not told. `odd`: half a sample stood at the end, and was left
    out."""

    pcm: bytes
    chunk: int | None = None
    timestamp_ms: int | None = None
    odd: bool = False


@dataclass(frozen=True, slots=True)
class KeyPressed:
    key: str


@dataclass(frozen=True, slots=True)
class Marked:
    """All that was sent before this mark was played, or dropped by a `clear`."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The far end's last message; `reason` is its own word: `stopped` or `callended`."""

    reason: str


Part = Connected | Start | Media | KeyPressed | Marked | Stop


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its place among all of them, where it is told."""

    part: Part
    sequence: int | None


def read(text: str | bytes) -> Message:
    """Raises `ExotelError`."""
    if len(text) > MAX_MESSAGE_CHARS:
        raise ExotelError(Fault.TOO_LONG, f"a message has {MAX_MESSAGE_CHARS} characters at most")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExotelError(Fault.NO_JSON, "a message is a JSON object") from error
    if not isinstance(told, dict):
        raise ExotelError(Fault.NO_JSON, "a message is a JSON object")
    event = told.get("event")
    name = event.lower() if isinstance(event, str) else ""
    if name == "media":
        part: Part = _media(_within(told, "media"))
    elif name == "mark":
        part = _mark(_within(told, "mark"), told)
    elif name == "dtmf":
        part = _key(_within(told, "dtmf"), told)
    elif name == "start":
        part = _start(_within(told, "start"), told)
    elif name == "connected":
        part = Connected()
    elif name == "stop":
        part = Stop(_text(_within(told, "stop"), "reason"))
    else:
        raise ExotelError(Fault.UNKNOWN, "the event is none of connected, start, media, dtmf, mark and stop")
    return Message(part, _whole(told.get("sequence_number", told.get("sequenceNumber"))))


class Writer:
    """The messages to one stream, as text."""

    def __init__(self, stream_sid: str) -> None:
        sid = json.dumps(stream_sid)
        self._media = f'{{"event":"media","stream_sid":{sid},"media":{{"payload":"'
        self._mark = f'{{"event":"mark","stream_sid":{sid},"mark":{{"name":"'
        self.clear: Final = f'{{"event":"clear","stream_sid":{sid}}}'
        """Drops what was sent and not played."""

    def media(self, pcm: bytes) -> str:
        """A chunk of mono 16-bit little-endian PCM; Exotel wants a multiple of 320 bytes."""
        return f'{self._media}{binascii.b2a_base64(pcm, newline=False).decode("ascii")}"}}}}'

    def mark(self, name: str) -> str:
        """Comes back when all that was sent before was played; `name` is of letters, digits and hyphens."""
        return f'{self._mark}{name}"}}}}'


def rate_of(text: str | None) -> int | None:
    """The rate that an address asks for; None where it asks for none. Raises `ExotelError`."""
    if text is None:
        return None
    rate = _whole(text)
    if rate not in RATES:
        raise ExotelError(Fault.BAD_START, _of_rates(text))
    return rate


def _media(media: Mapping[str, Any]) -> Media:
    payload = media.get("payload")
    try:
        pcm = binascii.a2b_base64(payload, strict_mode=True) if isinstance(payload, str) else b""
    except ValueError as error:  # also of characters that are not ASCII
        raise ExotelError(Fault.BAD_BASE64, "the payload is not base64") from error
    if not isinstance(payload, str):
        raise ExotelError(Fault.BAD_BASE64, "a media message has a payload")
    if len(pcm) > MAX_PAYLOAD_BYTES:
        raise ExotelError(Fault.TOO_LONG, f"a chunk has {MAX_PAYLOAD_BYTES} bytes at most")
    odd = len(pcm) % 2 == 1
    return Media(pcm[:-1] if odd else pcm, _whole(media.get("chunk")), _whole(media.get("timestamp")), odd)


def _mark(mark: Mapping[str, Any], told: Mapping[str, Any]) -> Marked:
    name = _text(mark, "name") or _text(told, "name")
    if not name:
        raise ExotelError(Fault.BAD_MARK, "a mark has a name")
    return Marked(name)


def _key(dtmf: Mapping[str, Any], told: Mapping[str, Any]) -> KeyPressed:
    text = (_text(dtmf, "digit") or _text(told, "digit")).strip().strip('"')
    key = _NAMED_KEYS.get(text.lower(), text.upper())
    if key not in _KEYS:
        raise ExotelError(Fault.BAD_KEY, "a key is one of 0-9, *, # and A-D")
    return KeyPressed(key)


def _start(start: Mapping[str, Any], told: Mapping[str, Any]) -> Start:
    def of(name: str, camel: str) -> str:
        return next((text for part in (start, told) for n in (name, camel) if (text := _text(part, n))), "")

    stream_sid = of("stream_sid", "streamSid")
    if not stream_sid:
        raise ExotelError(Fault.BAD_START, "a start names its stream (stream_sid)")
    form = _within(start, "media_format", "mediaFormat")
    encoding = _text(form, "encoding").lower()
    if encoding.partition(";")[0].strip() not in _RAW:
        raise ExotelError(Fault.BAD_START, f"{_quoted(encoding)} is not spoken here, only 16-bit PCM (raw)")
    bits = _whole(form.get("bit_depth", form.get("bits")))
    if bits not in (None, 16):
        raise ExotelError(Fault.BAD_START, "samples have 16 bits")
    said = form.get("sample_rate", form.get("sampleRate"))
    rate = None if said in (None, "") else _whole(said)
    if said not in (None, "") and rate not in RATES:
        raise ExotelError(Fault.BAD_START, _of_rates(said))
    return Start(
        stream_sid,
        of("call_sid", "callSid"),
        of("account_sid", "accountSid"),
        of("from", "From"),
        of("to", "To"),
        _parameters(_within(start, "custom_parameters", "customParameters")),
        rate,
    )


def _parameters(told: Mapping[str, Any]) -> dict[str, str]:
    if len(told) > MAX_PARAMETERS:
        raise ExotelError(Fault.BAD_START, f"there are {MAX_PARAMETERS} custom parameters at most")
    found = {}
    for name, value in told.items():
        text = _text(told, name)
        if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
            raise ExotelError(Fault.BAD_START, f"a custom parameter has {MAX_VALUE_CHARS} characters at most")
        if text and name:
            found[name] = text
    return found


def _within(told: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The part under one of these names; an empty one where there is none."""
    for name in names:
        part = told.get(name)
        if isinstance(part, dict):
            return part
    return {}


def _text(told: Mapping[str, Any], name: str) -> str:
    """A text that can be stored, or a number as one; empty for anything else."""
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return "".join(char for char in str(value)[:MAX_VALUE_CHARS] if char.isprintable())


def _whole(value: object) -> int | None:
    """A whole number that is not negative, or text that is one; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isdecimal() and len(text) <= 18 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _of_rates(said: object) -> str:
    return f"the sample rate is 8000, 16000 or 24000 Hz, not {_quoted(said)}"


def _quoted(said: object) -> str:
    return json.dumps(str(said)[:40])
