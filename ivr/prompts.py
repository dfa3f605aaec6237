"""Prompts ready for the wire: made once, shared by every call that speaks them, kept on disk where they are
not personal.

In memory a prompt is a `Clip` (20 ms payloads of one codec), on disk the same payloads (`ivr.prompt_cache`).
Texts with values of a call are in memory only, and not for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import wave
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.contract import EngineError, Reason, Route, SpeechRequest
from engines.tts.profiles import PREFIX
from engines.tts.router import Choice, Speech, SpeechRouter
from ivr.flow.protocol import AudioFile, Beep, Text, Utterance
from ivr.flow.sayas import normalise
from ivr.prompt_cache.files import PromptFiles
from ivr.prompt_cache.key import PromptKey, may_be_filed
from ivr.prompt_cache.memory import PromptMemory
from ivr.prompt_cache.prompt import Prompt
from media.clip import Clip, ClipWriter
from media.codecs import Codec
from media.tones import beep
from media.trim import LeadingSilence

__all__ = ["Lookups", "NoVoice", "Prompt", "PromptLimits", "Prompts", "in_frames", "request_of"]

log = logging.getLogger(__name__)

SUBSTITUTE_S: Final = 30.0
"""How long a prompt is kept that another voice than the first choice spoke: it may be back by then."""
_MB: Final = 1024 * 1024
_FRAME_BYTES: Final = 48
"""What a frame takes in memory besides its payload."""
_TOUCH_S: Final = 3600.0
"""A file whose prompt is spoken from memory counts as used, told so often."""

_Key = tuple[str, Utterance]
"""Codec and words."""


class NoVoice(EngineError):
    """No engine could speak the text."""


@dataclass(slots=True)
class Lookups:
    """What became of wishes to speak now: in memory already, read from disk, or to be made by a voice."""

    memory: int = 0
    disk: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """What is kept: bytes in memory and on disk, and for how many seconds after its last use a prompt with
    values of a call."""

    memory_bytes: int = 64 * _MB
    disk_bytes: int = 512 * _MB
    personal_s: float = 600.0
    ahead: int = 16
    """How many prompts are made ahead of one call, at most, while it is in one step."""


USUAL: Final = PromptLimits()


class Prompts:
    """The prompt cache and the voices behind it."""

    def __init__(
        self,
        voices: SpeechRouter,
        folder: Path,
        *,
        limits: PromptLimits = USUAL,
        codecs: Iterable[Codec] = (),
    ) -> None:
        """`folder` holds the files. What is filed in one codec is filed in all `codecs`, for calls to
        come."""
        self._voices = voices
        self._codecs = tuple(codecs)
        self.memory: PromptMemory[_Key, Prompt] = PromptMemory(limits.memory_bytes, limits.personal_s)
        self.files = PromptFiles(folder, limits.disk_bytes)
        self.lookups = Lookups()
        self.limits = limits
        self._sweep_s = limits.personal_s / 4
        self._sweeping: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, utterance: Utterance, codec: Codec, *, after: Prompt | None = None) -> Prompt:
        """The prompt for an utterance that is to be heard: from memory, or growing while it is read or
        synthesised. With `after`, once that one is over: it is made after it, and `Prompt.hurry` tells when
        it is due."""
        prompt = self._held(utterance, codec)
        if prompt is None:
            prompt = self._make(utterance, codec, None if after is None else after.made)
        else:
            self.lookups.memory += 1
        prompt.claims += 1
        if after is None:
            prompt.hurry()
        return prompt

    def ahead(self, utterance: Utterance, codec: Codec) -> Prompt:
        """As `get`, for what may be heard, or may not: a voice may take its time to the first sound, until
        somebody is in a hurry."""
        prompt = self._held(utterance, codec)
        if prompt is None:
            prompt = self._make(utterance, codec)
            prompt.counted = True  # nobody missed it
        prompt.claims += 1
        return prompt

    def release(self, prompt: Prompt) -> None:
        """Whoever had it of `get` or `ahead` wants it no more. When nobody does, its voice stops: save in the
        middle of what many calls say, which is nearly there."""
        prompt.claims -= 1
        if prompt.claims or prompt.task is None or prompt.made.done():
            return
        if prompt.personal or not prompt.clip.frames:
            prompt.task.cancel()

    @contextmanager
    def making(
        self, utterances: Iterable[Utterance], codec: Codec, *, now: bool = False
    ) -> Iterator[list[Prompt]]:
        """What is wanted while the block runs, `now` or later."""
        find = self.get if now else self.ahead
        prompts = [find(utterance, codec) for utterance in utterances]
        try:
            yield prompts
        finally:
            for prompt in prompts:
                self.release(prompt)

    def forget_personal(self) -> None:
        """Nothing with values of a call is kept from here on, but what is being spoken."""
        self.memory.forget_personal()

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _held(self, utterance: Utterance, codec: Codec) -> Prompt | None:
        loop = asyncio.get_running_loop()
        prompt = self.memory.get((codec.name, utterance), loop.time())
        if prompt is None or not prompt.is_current(loop.time()):
            return None
        if prompt.filed is not None and loop.time() - prompt.touched_at > _TOUCH_S:
            prompt.touched_at = loop.time()
            loop.run_in_executor(None, self.files.touch, prompt.filed)
        return prompt

    def _make(self, utterance: Utterance, codec: Codec, after: asyncio.Future[None] | None = None) -> Prompt:
        loop = asyncio.get_running_loop()
        key = (codec.name, utterance)
        made: asyncio.Future[None] = loop.create_future()
        made.add_done_callback(lambda future: future.cancelled() or future.exception())
        prompt = Prompt(Clip(codec), made, loop.create_future(), _is_personal(utterance))
        self.memory.put(key, prompt, personal=prompt.personal, now=loop.time())
        if prompt.personal:
            self._sweep_later()
        prompt.task = asyncio.create_task(self._fill(key, prompt, utterance, after))
        self._tasks.add(prompt.task)
        prompt.task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never comes to its end.
        prompt.task.add_done_callback(lambda _task: self._ended(key, prompt))
        return prompt

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._sweep_s, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        self.memory.expire(asyncio.get_running_loop().time())
        if self.memory.holds_personal:
            self._sweep_later()

    async def _fill(
        self, key: _Key, prompt: Prompt, utterance: Utterance, after: asyncio.Future[None] | None
    ) -> None:
        clip = prompt.clip
        try:
            if after is not None:
                await asyncio.wait((after, prompt.awaited), return_when=asyncio.FIRST_COMPLETED)
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
            self._ended(key, prompt)

    def _ended(self, key: _Key, prompt: Prompt) -> None:
        """However it ended; told again, it changes nothing."""
        clip = prompt.clip
        clip.finished = True
        prompt.settle()
        prompt.made.cancel()
        if prompt.made.cancelled() or prompt.failed:
            self.memory.drop(key, prompt)
        else:
            self.memory.weigh(key, prompt, sum(map(len, clip.frames)) + len(clip.frames) * _FRAME_BYTES)

    async def _fill_from_file(self, prompt: Prompt, file: AudioFile) -> None:
        try:
            prompt.take(await asyncio.to_thread(_read, Path(file.path), prompt.clip.codec))
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
        request = request_of(text, words)
        choices = self._voices.choices(request, text.purpose)
        for choice in choices:
            if prompt.personal or not may_be_filed(choice.request):
                break
            if await self._fill_from_disk(prompt, choice):
                break
            if self._voices.asks(choice):
                break  # it is up: what another voice once said is no good
        self._count(prompt, there=prompt.route is not None)
        if prompt.route is None:
            speech = self._voices.speak(request, text.purpose, urgent=prompt.urgent)
            # Those that are asked: while files were read an engine may have come, or gone.
            choices = speech.choices
            versions = {choice.key: choice.engine.version for choice in choices}
            await self._speak(prompt, speech, versions)
        if choices and prompt.route is not None and prompt.route.engine != choices[0].engine.name:
            prompt.stale_at = asyncio.get_running_loop().time() + SUBSTITUTE_S

    async def _fill_from_disk(self, prompt: Prompt, choice: Choice) -> bool:
        key = PromptKey.of(choice.engine, choice.request, prompt.clip.codec)
        frames = await asyncio.to_thread(self.files.load, key)
        if frames is None:
            return False
        prompt.take(frames, Route(choice.engine.name, Reason.CACHED))
        prompt.spoken_by = (choice.place, key.version)
        self._is_filed(prompt, key)
        return True

    def _count(self, prompt: Prompt, *, there: bool) -> None:
        if prompt.counted:
            return
        prompt.counted = True
        if there:
            self.lookups.disk += 1
        else:
            self.lookups.missed += 1

    async def _speak(self, prompt: Prompt, speech: Speech, versions: Mapping[str, str]) -> None:
        """Streams the sound into the clip. Where an engine breaks off, the next one begins the text anew: to
        hear its beginning twice is better than a hole. `versions` are those of the engines before any was
        asked."""
        prompt.speech = speech
        writer: ClipWriter | None = None
        began_at = 0
        pcm = bytearray()
        async with contextlib.aclosing(speech.sound()) as stream:
            async for sound in stream:
                if sound.begins:
                    writer = ClipWriter(prompt.clip, sound.rate)
                    began_at = len(prompt.clip.frames)
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
        if choice is None:
            return
        version = versions[choice.key]
        prompt.spoken_by = (choice.place, version)
        # Of a model that came up anew while it spoke nobody knows which one was heard.
        if not prompt.personal and may_be_filed(choice.request) and choice.engine.version == version:
            await self._file(prompt, choice, prompt.clip.frames[began_at:], bytes(pcm))

    async def _file(self, prompt: Prompt, choice: Choice, frames: list[bytes], pcm: bytes) -> None:
        """One synthesis serves the calls of every codec."""
        key = PromptKey.of(choice.engine, choice.request, prompt.clip.codec)
        await asyncio.to_thread(self.files.keep, key, frames)
        self._is_filed(prompt, key)
        for codec in self._codecs:
            if codec is not prompt.clip.codec:
                other = PromptKey.of(choice.engine, choice.request, codec)
                rate = choice.engine.sample_rate
                await asyncio.to_thread(self._encode_and_keep, other, pcm, rate, codec)

    def _encode_and_keep(self, key: PromptKey, pcm: bytes, rate: int, codec: Codec) -> None:
        self.files.keep(key, in_frames(pcm, rate, codec))

    def _is_filed(self, prompt: Prompt, key: PromptKey) -> None:
        prompt.filed = key
        prompt.touched_at = asyncio.get_running_loop().time()


def _is_personal(utterance: Utterance) -> bool:
    """Whether it holds values of a call, or a person's own voice."""
    match utterance:
        case Text():
            return utterance.personal or utterance.voice.startswith(PREFIX)
        case AudioFile():
            return utterance.instead is not None and _is_personal(utterance.instead)
        case Beep():
            return False


def request_of(text: Text, words: str) -> SpeechRequest:
    """`words` are those of the text, normalised."""
    return SpeechRequest(words, text.language, text.voice, text.rate, text.emotion, text.intensity)


def in_frames(pcm: bytes, rate: int, codec: Codec) -> list[bytes]:
    """Mono 16-bit PCM at `rate` Hz as payloads; 2.4 ms per second of speech, so do it in a thread."""
    writer = ClipWriter(Clip(codec), rate)
    writer.write(pcm)
    writer.close()
    return writer.clip.frames


def _read(path: Path, codec: Codec) -> list[bytes]:
    """A WAV file as payloads."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise wave.Error("must be mono 16-bit PCM")
        return in_frames(file.readframes(file.getnframes()), file.getframerate(), codec)
