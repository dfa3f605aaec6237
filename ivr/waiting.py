"""What a caller hears while somebody else is awaited: ringing, music, or nothing."""

from __future__ import annotations

import asyncio
import logging
import wave
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from ivr.config import ConfigError
from ivr.flow.protocol import WaitingSound
from media.clip import Clip, ClipWriter
from media.codecs import Codec
from media.leg import CallLeg
from media.music import hold_music
from media.tones import ringback

log = logging.getLogger(__name__)

WAITING: Final = "waiting"
"""Under which these sounds are played; no prompt has this mark."""


class Sound(Enum):
    RINGBACK = "ringback"
    MUSIC = "music"


@dataclass(frozen=True, slots=True)
class Ring:
    """An inbound number rings for `seconds` before it is answered. With `early_media` the ringing is ours,
    else the caller's network makes it."""

    seconds: float
    early_media: bool = False


class WaitingSounds:
    """The sounds of the server, made once for each codec and shared by all calls."""

    def __init__(self, music: Path | None = None) -> None:
        """`music` is a mono 16-bit WAV file of any rate, our own tune without one; raises `ConfigError`."""
        self._file = None if music is None else _read(music)
        self._clips: dict[tuple[Sound, str, str], Clip] = {}
        self._making: set[asyncio.Task[None]] = set()

    def clip(self, sound: Sound, codec: Codec, country_code: str) -> Clip:
        """A clip that loops; at its first use it is empty for a moment, until it is encoded."""
        key = (sound, codec.name, country_code if sound is Sound.RINGBACK else "")
        clip = self._clips.get(key)
        if clip is None:
            clip = self._clips[key] = Clip(codec, loops=True)
            task = asyncio.create_task(self._make(sound, clip, country_code))
            self._making.add(task)
            task.add_done_callback(self._making.discard)
        return clip

    async def _make(self, sound: Sound, clip: Clip, country_code: str) -> None:
        try:
            clip.frames.extend(await asyncio.to_thread(self._encoded, sound, clip.codec, country_code))
        except Exception:
            log.exception("what callers hear while they wait cannot be made")
        finally:
            clip.finished = True

    def _encoded(self, sound: Sound, codec: Codec, country_code: str) -> list[bytes]:
        rate = codec.sample_rate
        if sound is Sound.RINGBACK:
            pcm = ringback(rate, country_code)
        elif self._file is None:
            pcm = hold_music(rate)
        else:
            pcm, rate = self._file
        writer = ClipWriter(Clip(codec), rate)
        writer.write(pcm)
        writer.close()
        return writer.clip.frames


class Waiting:
    """What the far end of one leg hears while it waits."""

    def __init__(
        self,
        leg: CallLeg,
        sounds: WaitingSounds | None = None,
        country_code: str = "91",
        transfer: Sound | None = None,
    ) -> None:
        """`transfer` is what is heard until a transfer has succeeded or failed. Without `sounds` everything
        is silent."""
        self._leg = leg
        self._sounds = sounds
        self._country_code = country_code
        self._transfer = transfer
        self._plays = False

    def begin(self, sound: Sound | None) -> None:
        """To be called when nothing plays: what is queued behind a loop waits for `end`."""
        self.end()
        if sound is not None and self._sounds is not None:
            self._plays = True
            self._leg.play(self._sounds.clip(sound, self._leg.codec, self._country_code), WAITING)

    def begin_transfer(self, sound: WaitingSound | None = None) -> None:
        """Until `end` the far end hears this sound; None: what is usual here."""
        if sound is None:
            self.begin(self._transfer)
        else:
            self.begin(None if sound == "silence" else Sound(sound))

    def hold(self, on: bool) -> None:
        """Whoever the far end talks to has put it on hold, and it hears music; or has taken it back."""
        self.begin(Sound.MUSIC if on else None)

    def of(self, leg: CallLeg) -> Waiting:
        """The same for another leg."""
        return Waiting(leg, self._sounds, self._country_code, self._transfer)

    def end(self) -> None:
        """Whoever was awaited has come, or something is to be said."""
        if self._plays:
            self._plays = False
            self._leg.stop()


def _read(path: Path) -> tuple[bytes, int]:
    """The samples, and their rate."""
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise ConfigError(f"media.hold_music: {path}: must be mono, 16 bit")
            pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    except OSError as error:
        raise ConfigError(f"media.hold_music: {path}: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        raise ConfigError(f"media.hold_music: {path}: {error or 'is no WAV file'}") from error
    if not pcm:
        raise ConfigError(f"media.hold_music: {path}: there is nothing in it")
    return pcm, rate
