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
import wave
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engines.contract import EngineError, Reason, Route, SpeechRequest, Synthesizer
from engines.tts.profiles import PREFIX
from engines.tts.router import Choice, Speech, SpeechRouter
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


OnRoute = Callable[[Route], None]


class NoVoice(EngineError):
    """No engine could speak the text."""


@dataclass(slots=True)
class Prompt:
    """One prompt on its way to the wire: `clip` can be played at once; `made` ends when it is whole or has
    failed."""

    clip: Clip
    made: asyncio.Future[None]
    urgent: bool = True
    """Somebody waits for it; what is made ahead has time."""
    speech: Speech | None = None
    route: Route | None = None
    """Who spoke it, and why that voice; None before its first sound, and of what nobody speaks."""
    stale_at: float = math.inf
    """Loop time from which it is made anew: another voice than the first choice spoke it."""
    audio_at: float = math.inf
    """Loop time of its first audio."""
    _awaited: list[OnRoute] = field(default_factory=list)

    @property
    def voice(self) -> str:
        """The engine that speaks it; empty where none had to."""
        return "" if self.route is None or self.route.reason is Reason.CACHED else self.route.engine

    def on_route(self, told: OnRoute) -> None:
        """Tells who speaks it, from the first sound on; again when that voice broke off and another one
        began."""
        self._awaited.append(told)
        if self.route is not None:
            told(self.route)

    def heard(self, route: Route | None) -> None:
        """The first audio is there, by this route."""
        self.route, self.audio_at = route, asyncio.get_running_loop().time()
        if route is not None:
            for told in self._awaited:
                told(route)

    def take(self, frames: list[bytes], route: Route | None = None) -> None:
        """All of it is there, and no engine had to speak it."""
        self.heard(route)
        self.clip.frames.extend(frames)

    def settle(self) -> None:
        """It is whole, or will never be: it outlives the calls that it was made for."""
        self.speech = None
        self._awaited.clear()

    def hurry(self) -> None:
        """From now on somebody waits for it."""
        self.urgent = True
        if self.speech is not None:
            self.speech.hurry()

    @property
    def failed(self) -> bool:
        """No voice could speak it to its end; what there is of it is playable."""
        return self.made.done() and not self.made.cancelled() and self.made.exception() is not None


class Prompts:
    """The prompt cache and the voices behind it."""

    def __init__(self, voices: SpeechRouter, folder: Path) -> None:
        """`folder` holds the files."""
        self._voices = voices
        self._folder = folder
        self._memory: OrderedDict[_Key, Prompt] = OrderedDict()
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, utterance: Utterance, codec: Codec) -> Prompt:
        """The prompt for an utterance, at once: from memory, or growing while it is read or synthesised."""
        prompt = self._get(utterance, codec, urgent=True)
        prompt.hurry()
        return prompt

    def prefetch(self, utterances: Iterable[Utterance], codec: Codec) -> None:
        """Makes what may be spoken next, before it is needed: the voice of first choice has its time."""
        for utterance in utterances:
            self._get(utterance, codec, urgent=False)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _get(self, utterance: Utterance, codec: Codec, *, urgent: bool) -> Prompt:
        key = (codec.name, utterance)
        prompt = self._memory.get(key)
        if prompt is not None and not prompt.failed:
            if asyncio.get_running_loop().time() < prompt.stale_at:
                self._memory.move_to_end(key)
                return prompt
            self._bytes -= _size(self._memory.pop(key).clip)
        return self._make(key, utterance, codec, urgent)

    def _make(self, key: _Key, utterance: Utterance, codec: Codec, urgent: bool) -> Prompt:
        made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made.add_done_callback(lambda future: future.cancelled() or future.exception())
        prompt = Prompt(Clip(codec), made, urgent)
        self._memory[key] = prompt
        task = asyncio.create_task(self._fill(key, prompt, utterance))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return prompt

    async def _fill(self, key: _Key, prompt: Prompt, utterance: Utterance) -> None:
        clip = prompt.clip
        try:
            if isinstance(utterance, Beep):
                prompt.heard(None)
                writer = ClipWriter(clip, clip.codec.sample_rate)
                writer.write(beep(clip.codec.sample_rate))
                writer.close()
            elif isinstance(utterance, AudioFile):
                await self._fill_from_file(prompt, utterance)
            else:
                await self._fill_from_text(prompt, utterance)
            prompt.made.set_result(None)
        except EngineError as error:
            log.error("a prompt cannot be spoken: %s", error)
            prompt.made.set_exception(error)
        except Exception as error:
            log.exception("making a prompt failed")
            prompt.made.set_exception(NoVoice(str(error)))
        finally:
            clip.finished = True
            prompt.settle()
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

    async def _fill_from_text(self, prompt: Prompt, text: Text) -> None:
        """Raises `EngineError` when no voice could speak it."""
        words = normalise(text.text, text.language)
        if not words.strip():
            return
        request = SpeechRequest(words, text.language, text.voice, text.rate, text.emotion, text.intensity)
        choices = self._voices.choices(request, text.purpose)
        for choice in choices:
            if not _kept(text, choice.request):
                break
            if await self._fill_from_disk(prompt, choice):
                break
            if self._voices.asks(choice):
                break  # it is up: what another voice once said is no good
        if prompt.route is None:
            await self._speak(prompt, text, self._voices.speak(request, text.purpose, urgent=prompt.urgent))
        if choices and prompt.route is not None and prompt.route.engine != choices[0].engine.name:
            prompt.stale_at = asyncio.get_running_loop().time() + SUBSTITUTE_S

    async def _fill_from_disk(self, prompt: Prompt, choice: Choice) -> bool:
        path = self._path(choice.engine, choice.request)
        try:
            frames = await asyncio.to_thread(_load, path, prompt.clip.codec)
        except (OSError, EOFError, wave.Error):
            return False
        prompt.take(frames, Route(choice.engine.name, Reason.CACHED))
        return True

    async def _speak(self, prompt: Prompt, text: Text, speech: Speech) -> None:
        """Streams the sound into the clip. Where an engine breaks off, the next one begins the text anew: to
        hear its beginning twice is better than a hole."""
        prompt.speech = speech
        writer: ClipWriter | None = None
        pcm = bytearray()
        async with contextlib.aclosing(speech.sound()) as stream:
            async for sound in stream:
                if sound.begins:
                    writer = ClipWriter(prompt.clip, sound.rate)
                    lead = LeadingSilence(sound.rate)
                    pcm.clear()
                    prompt.heard(speech.route)
                cut = lead.cut(sound.pcm)
                pcm += cut
                assert writer is not None
                writer.write(cut)
            choice = speech.winner
        if writer is not None:
            writer.close()
        if choice is not None and _kept(text, choice.request):
            path = self._path(choice.engine, choice.request)
            await asyncio.to_thread(_store, path, bytes(pcm), choice.engine.sample_rate)

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


def _kept(text: Text, request: SpeechRequest) -> bool:
    """Whether it may lie on disk: nothing of this call, and no person's cloned voice, since deleting its
    profile must leave nothing."""
    return not text.personal and not request.voice.startswith(PREFIX)


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
