"""The audio files of a flow: whether each can be played, how long it lasts, and what tells its content."""

from __future__ import annotations

import hashlib
import io
import wave
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

MAX_BYTES: Final = 64 * 1024 * 1024
"""Largest audio file: half an hour at 16 kHz."""

LOWEST_HZ: Final = 8_000
HIGHEST_HZ: Final = 192_000
_CONVERT: Final = "convert it: ffmpeg -i FILE -ac 1 -c:a pcm_s16le NEW.wav"


@dataclass(frozen=True, slots=True)
class Recording:
    """One audio file. `digest` (SHA-256) is empty when it could not be read; `fault` says why it cannot be
    played, and `hint` what to do, or both are empty."""

    digest: str = ""
    seconds: float = 0.0
    fault: str = ""
    hint: str = ""


NO_RECORDING: Final = Recording()


class Recordings:
    """The audio files in a flow's folder, each looked at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, Recording] = {}

    def look(self, name: str) -> Recording:
        """What there is under a name, relative to the folder; nothing outside of it is read."""
        found = self._seen.get(name)
        if found is None:
            found = self._seen[name] = self._look(name)
        return found

    @property
    def digests(self) -> dict[str, str]:
        """Of all that were looked at, by name."""
        return {name: recording.digest for name, recording in sorted(self._seen.items())}

    def _look(self, name: str) -> Recording:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            fault = f'the audio file "{name}" lies outside the folder of the flow'
            return Recording(fault=fault, hint="put it beside the flow, such as audio/name.wav")
        try:
            with (self._folder / path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError:
            fault = f'there is no audio file "{name}"'
            return Recording(fault=fault, hint="paths are relative to the flow's folder")
        digest = hashlib.sha256(data).hexdigest()
        try:
            return Recording(digest, _seconds(data))
        except _Unplayable as error:
            return Recording(digest, 0.0, f'the audio file "{name}" {error}', error.hint)


class _Unplayable(Exception):
    def __init__(self, message: str, hint: str = _CONVERT) -> None:
        super().__init__(message)
        self.hint = hint


def _seconds(data: bytes) -> float:
    """How long a WAV file lasts; raises `_Unplayable`."""
    if len(data) > MAX_BYTES:
        raise _Unplayable(f"is larger than {MAX_BYTES // 1024 // 1024} MiB", "cut it into shorter ones")
    if data.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")):
        raise _Unplayable("is MP3, and only WAV is played")
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            pcm_bytes: int = len(file.readframes(file.getnframes()))
    except (wave.Error, EOFError) as error:
        raise _Unplayable(f"is no WAV file of PCM ({str(error) or 'it is cut short'})") from None
    if channels != 1:
        raise _Unplayable(f"has {channels} channels, and a call has one")
    if width != 2:
        raise _Unplayable(f"has {8 * width}-bit samples, and only 16-bit ones are played")
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise _Unplayable(f"has a rate of {rate} Hz; from {LOWEST_HZ} to {HIGHEST_HZ} can be played")
    if not pcm_bytes:
        raise _Unplayable("is empty", "record it again, or take it out")
    seconds: float = pcm_bytes / 2 / rate
    return seconds
