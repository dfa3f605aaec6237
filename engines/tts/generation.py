"""What every neural voice is inside its worker: a sentence goes in, pieces of sound come out.

An adapter is a `Voice`; `VoiceEngine` makes it an engine of the worker. This module runs in environments of
other projects: the standard library and numpy are all it may need.
"""

from __future__ import annotations

import gc
import logging
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.contract import VoiceReference
from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want
from engines.worker.settings import settings

_log = logging.getLogger(__name__)

_MOST_JOBS: Final = 128

PIECE_MS: Final = 60
"""The longest piece that is sent: who hears the first one need not wait for the rest of a sentence."""

Sound = NDArray[np.float32]
T = TypeVar("T")


class Cancelled(Exception):
    """Raised inside a model's own loop, to leave it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is to be said: one sentence, tags and style already in the engine's own terms."""

    text: str
    language: str
    voice: str = ""
    speed: float = 1.0
    style: Mapping[str, Any] = field(default_factory=dict)
    reference: VoiceReference | None = None


class Voice(Protocol):
    """One model, loaded when it is made."""

    sample_rate: int
    version: str
    warm_up: Sentence
    """Said once before anybody waits: the first sentence compiles and allocates."""

    def voices(self) -> Mapping[str, list[str]]:
        """Names of voices by language; the first is that of ""."""

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        """Sound within ±1, as it is made. The generation ends when the iterator is closed, and soon after
        `cancelled` turns true. Raises `JobError` for what this model cannot say.
        """

    def forget(self, key: str) -> None:
        """Drops all that was derived from a voice profile."""


class VoiceEngine:
    """Makes a `Voice` the engine of a worker. Of the settings it takes `streams` (how many sentences are made
    at once) and `queue` (how many more may wait)."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        given = settings()
        streams = int(given.get("streams", 1))
        self.bounds = Bounds(jobs=streams + int(given.get("queue", _MOST_JOBS)), slots=streams)
        try:
            for _ in voice.speak(voice.warm_up, lambda: False):
                pass
        except JobError as error:  # it clones, and has no voice of its own
            _log.warning("not warmed up: %s", error)

    def describe(self) -> Fields:
        voice = self._voice
        return {"sample_rate": voice.sample_rate, "version": voice.version, "voices": dict(voice.voices())}

    def open(self, request: Fields, reply: Reply) -> SentenceJob | ForgetJob:
        if "forget" in request:
            return ForgetJob(self._voice, str(request["forget"]))
        first = Priority.REST if request.get("more") else Priority.FIRST_AUDIO
        given = request.get("reference")
        sentence = Sentence(
            text=str(request["text"]),
            language=str(request["language"]),
            voice=str(request.get("voice", "")),
            speed=float(request.get("speed", 1.0)),
            style=request.get("style", {}),
            reference=VoiceReference(**given) if given else None,
        )
        return SentenceJob(self._voice, sentence, reply, first)


class SentenceJob:
    """Each step waits for one piece of the model's and sends it; somebody waits for the `first` one."""

    def __init__(self, voice: Voice, sentence: Sentence, reply: Reply, first: Priority) -> None:
        self._reply = reply
        self._want = Want(first)
        self._text = sentence.text
        self._bytes = 2 * (voice.sample_rate * PIECE_MS // 1000)
        self._sounds = voice.speak(sentence, lambda: reply.cancelled)

    def feed(self, data: bytes) -> None:
        raise JobError("a text to be spoken takes no input")

    def finish(self) -> None:
        pass

    def want(self) -> Want:
        return self._want

    def step(self) -> Progress:
        self._want = Want(Priority.REST)
        try:
            sound = next(self._sounds, None)
        except Cancelled:
            return Progress.DONE
        except JobError:
            raise
        except Exception as error:
            # Texts are personal, and some packages quote them: the log gets the place alone.
            said = str(error).replace(self._text, "[the text]") or type(error).__name__
            if _out_of_memory(error):
                _free_memory()
                raise JobError(f"out of memory: {said}") from None
            _log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            raise JobError(said) from None
        if sound is None:
            return Progress.DONE
        pcm = pcm_of(sound)
        for at in range(0, len(pcm), self._bytes):
            if self._reply.cancelled:
                return Progress.DONE
            self._reply.send(pcm[at : at + self._bytes])
        return Progress.MORE

    def close(self) -> None:
        close = getattr(self._sounds, "close", None)
        if close:
            close()


class ForgetJob:
    """Nothing of a voice profile is left in this process afterwards."""

    def __init__(self, voice: Voice, key: str) -> None:
        self._voice = voice
        self._key = key

    def feed(self, data: bytes) -> None:
        pass

    def finish(self) -> None:
        pass

    def want(self) -> Want:
        return Want(Priority.FINAL)

    def step(self) -> Progress:
        self._voice.forget(self._key)
        _free_memory()
        return Progress.DONE

    def close(self) -> None:
        pass


class Derived(Generic[T]):
    """What a model made of the references used last (embeddings, prompts), by the key of their profile."""

    def __init__(self, make: Callable[[VoiceReference], T], most: int = 16) -> None:
        self._make = make
        self._most = most
        self._kept: OrderedDict[str, T] = OrderedDict()

    def of(self, reference: VoiceReference) -> T:
        """Raises `JobError` when the reference cannot be read."""
        found = self._kept.get(reference.key)
        if found is None:
            if not Path(reference.path).is_file():
                raise JobError("the voice's reference audio is gone")
            found = self._kept[reference.key] = self._make(reference)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(reference.key)
        return found

    def forget(self, key: str) -> T | None:
        return self._kept.pop(key, None)


def pcm_of(sound: Any) -> bytes:
    """Float samples within ±1, of any shape, as mono 16-bit PCM; a torch tensor is taken as well."""
    if hasattr(sound, "detach"):
        sound = sound.detach().cpu().float().numpy()
    samples = np.clip(np.ravel(np.asarray(sound, np.float32)), -1.0, 1.0)
    pcm: NDArray[np.int16] = np.rint(samples * np.float32(32767)).astype("<i2")
    return pcm.tobytes()


def prompt_voices(folder: Path) -> dict[str, VoiceReference]:
    """Voices of a model that has none of its own: each `NAME.wav` of a folder, its words in `NAME.txt`."""
    found: dict[str, VoiceReference] = {}
    for path in sorted(folder.glob("*.wav")):
        words = path.with_suffix(".txt")
        text = words.read_text(encoding="utf-8").strip() if words.is_file() else ""
        found[path.stem] = VoiceReference(f"own:{path.stem}", str(path), text)
    return found


def weights_of(settings: Mapping[str, Any]) -> Path:
    """The folder of the weights; raises `FileNotFoundError` with what to do."""
    folder = Path(str(settings.get("weights", "")))
    if "weights" not in settings or not folder.is_dir():
        raise FileNotFoundError(f"the weights are missing ({folder}): run `ivr engines install`")
    return folder


def _out_of_memory(error: Exception) -> bool:
    """torch's OutOfMemoryError, CUDA's own, and Python's; the worker lives on and says so."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
