"""Prompts ready for the wire: made once, shared by every call that speaks them, kept on disk where they are
not personal.

In memory a prompt is a `Clip` (20 ms payloads of one codec); on disk it is a WAV file at the engine's own
rate, keyed by text, language, voice and the engine with its version, so that a new voice never speaks with an
old file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import os
import time
import wave
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.contract import EngineError, SpeechRequest, Synthesizer
from engines.tts.profiles import PREFIX
from ivr.flow.protocol import AudioFile, Beep, Text, Utterance
from ivr.flow.sayas import normalise
from media.clip import Clip, ClipWriter
from media.codecs import Codec
from media.tones import beep
from media.trim import LeadingSilence

log = logging.getLogger(__name__)

MEMORY_BYTES: Final = 64 * 1024 * 1024
DISK_BYTES: Final = 512 * 1024 * 1024
SUBSTITUTE_S: Final = 30.0
"""How long a prompt is kept that another voice than the first choice spoke: it may be back by then."""

_Key = tuple[str, Utterance]
"""Codec and words; the voices do not change while the server runs."""

FirstAudio = Callable[[str, float], None]
"""Told the engine's name and how long its first audio took, in seconds."""


class NoVoice(EngineError):
    """No engine could speak the text."""


@dataclass(slots=True)
class Prompt:
    """One prompt on its way to the wire: `clip` can be played at once; `made` ends when it is whole or has
    failed."""

    clip: Clip
    made: asyncio.Future[None]
    stale_at: float = math.inf
    """Loop time from which it is made anew: another voice than the first choice spoke it."""
    voice: str = ""
    """The engine that speaks it; empty where none had to."""
    audio_at: float = math.inf
    """Loop time of its first audio."""

    def heard(self, voice: str) -> None:
        """The first audio is there, of this engine."""
        self.voice, self.audio_at = voice, asyncio.get_running_loop().time()

    def take(self, frames: list[bytes]) -> None:
        """All of it is there, and no engine had to speak it."""
        self.heard("")
        self.clip.frames.extend(frames)

    @property
    def failed(self) -> bool:
        """No voice could speak it to its end; what there is of it is playable."""
        return self.made.done() and not self.made.cancelled() and self.made.exception() is not None


class Prompts:
    """The prompt cache and the chain of voices behind it."""

    def __init__(
        self,
        voices: tuple[Synthesizer, ...],
        folder: Path,
        deadline_s: float,
        on_first_audio: FirstAudio = lambda _name, _seconds: None,
        on_failure: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """`voices`: first choice first. `folder` holds the files; `deadline_s` is each voice's time to first
        audio."""
        self._voices = voices
        self._folder = folder
        self._deadline_s = deadline_s
        self._on_first_audio = on_first_audio
        self._on_failure = on_failure
        self._memory: OrderedDict[_Key, Prompt] = OrderedDict()
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, utterance: Utterance, codec: Codec) -> Prompt:
        """The prompt for an utterance, at once: from memory, or growing while it is read or synthesised."""
        key = (codec.name, utterance)
        prompt = self._memory.get(key)
        if prompt is not None and not prompt.failed:
            if asyncio.get_running_loop().time() < prompt.stale_at:
                self._memory.move_to_end(key)
                return prompt
            self._bytes -= _size(self._memory.pop(key).clip)
        return self._make(key, utterance, codec)

    def prefetch(self, utterances: Iterable[Utterance], codec: Codec) -> None:
        """Makes what may be spoken next, before it is needed."""
        for utterance in utterances:
            self.get(utterance, codec)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _make(self, key: _Key, utterance: Utterance, codec: Codec) -> Prompt:
        made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made.add_done_callback(lambda future: future.cancelled() or future.exception())
        prompt = Prompt(Clip(codec), made)
        self._memory[key] = prompt
        task = asyncio.create_task(self._fill(key, prompt, utterance))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return prompt

    async def _fill(self, key: _Key, prompt: Prompt, utterance: Utterance) -> None:
        clip = prompt.clip
        try:
            if isinstance(utterance, Beep):
                prompt.heard("")
                writer = ClipWriter(clip, clip.codec.sample_rate)
                writer.write(beep(clip.codec.sample_rate))
                writer.close()
            elif isinstance(utterance, AudioFile):
                await self._fill_from_file(prompt, utterance)
            elif not await self._fill_from_text(prompt, utterance):
                prompt.stale_at = asyncio.get_running_loop().time() + SUBSTITUTE_S
            prompt.made.set_result(None)
        except EngineError as error:
            log.error("a prompt cannot be spoken: %s", error)
            prompt.made.set_exception(error)
        except Exception as error:
            log.exception("making a prompt failed")
            prompt.made.set_exception(NoVoice(str(error)))
        finally:
            clip.finished = True
            if not prompt.made.done():
                prompt.made.cancel()
        self._account(key, prompt)

    def _account(self, key: _Key, prompt: Prompt) -> None:
        if prompt.failed:
            if self._memory.get(key) is prompt:
                del self._memory[key]
            return
        self._bytes += _size(prompt.clip)
        while self._bytes > MEMORY_BYTES:
            oldest = next((k for k, p in self._memory.items() if p.clip.finished), None)
            if oldest is None:
                break
            self._bytes -= _size(self._memory.pop(oldest).clip)

    async def _fill_from_file(self, prompt: Prompt, file: AudioFile) -> None:
        try:
            prompt.take(await asyncio.to_thread(_load, Path(file.path), prompt.clip.codec))
        except (OSError, EOFError, wave.Error) as error:
            if file.instead is None:
                raise NoVoice(f"audio file {file.path}: {error}") from error
            log.error("audio file %s: %s; the text is spoken instead", file.path, error)
            await self._fill_from_text(prompt, file.instead)

    async def _fill_from_text(self, prompt: Prompt, text: Text) -> bool:
        """Whether the voice of first choice spoke; raises `NoVoice` when none did."""
        words = normalise(text.text, text.language)
        if not words.strip():
            return True
        failures: list[str] = []
        for voice in self._voices:
            if not voice.supports(text.language):
                continue
            # An engine that steps in for another speaks as itself: better than not at all.
            named = text.voice if text.voice in voice.voices(text.language) else ""
            request = SpeechRequest(words, text.language, named, text.rate)
            path = self._path(voice, request)
            # A person's cloned voice is no file of ours: deleting its profile must leave nothing.
            kept = not text.personal and not named.startswith(PREFIX)
            if kept and await self._fill_from_disk(prompt, path):
                return not failures
            try:
                pcm = await self._speak(voice, request, prompt)
            except EngineError as error:
                self._on_failure(voice.name)
                failures.append(f"{voice.name}: {error or type(error).__name__}")
                continue
            if kept:
                await asyncio.to_thread(_store, path, pcm, voice.sample_rate)
            return not failures
        raise NoVoice("; ".join(failures) or f"no engine speaks {text.language!r}")

    async def _fill_from_disk(self, prompt: Prompt, path: Path) -> bool:
        try:
            prompt.take(await asyncio.to_thread(_load, path, prompt.clip.codec))
        except (OSError, EOFError, wave.Error):
            return False
        return True

    async def _speak(self, voice: Synthesizer, request: SpeechRequest, prompt: Prompt) -> bytes:
        """Streams one engine's audio into the clip. Where it breaks off, the next voice starts the sentence
        anew: to hear its beginning twice is better than a hole."""
        began = time.perf_counter()
        writer = ClipWriter(prompt.clip, voice.sample_rate)
        lead = LeadingSilence(voice.sample_rate)
        pcm = bytearray()
        spoke = False
        async with contextlib.aclosing(voice.synthesize(request, deadline_s=self._deadline_s)) as stream:
            async for chunk in stream:
                if not spoke:
                    self._on_first_audio(voice.name, time.perf_counter() - began)
                    prompt.heard(voice.name)
                    spoke = True
                sound = lead.cut(chunk)
                pcm += sound
                writer.write(sound)
        writer.close()
        if not spoke:
            raise NoVoice("the engine gave no audio")
        return bytes(pcm)

    def _path(self, voice: Synthesizer, request: SpeechRequest) -> Path:
        digest = _digest(
            voice.name, voice.version, request.voice, request.language, str(request.speed), request.text
        )
        return self._folder / digest[:2] / f"{digest}.wav"


def prune(folder: Path, limit_bytes: int = DISK_BYTES) -> None:
    """Deletes the prompts least recently used until the folder fits; meant for start-up, in a thread."""
    files = sorted((p for p in folder.glob("*/*.wav")), key=lambda p: p.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > limit_bytes:
            path.unlink(missing_ok=True)


def _size(clip: Clip) -> int:
    return len(clip.frames) * (clip.codec.frame_bytes + 48)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _load(path: Path, codec: Codec) -> list[bytes]:
    """A WAV file as payloads; read, resampled and encoded off the loop (2.4 ms per second of speech)."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise wave.Error("must be mono 16-bit PCM")
        pcm = file.readframes(file.getnframes())
        rate = file.getframerate()
    with contextlib.suppress(OSError):
        os.utime(path)
    writer = ClipWriter(Clip(codec), rate)
    writer.write(pcm)
    writer.close()
    return writer.clip.frames


def _store(path: Path, pcm: bytes, rate: int) -> None:
    """Writes beside and renames, so that no reader ever sees half a prompt; a full disk costs the cache, not
    the call."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(beside), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(pcm)
        beside.replace(path)
    except OSError as error:
        log.warning("the prompt cache cannot be written: %s", error)
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
