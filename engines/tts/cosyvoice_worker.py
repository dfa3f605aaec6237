"""CosyVoice3-0.5B by the code of its repository: streaming at 24 kHz, cloned from a few seconds of speech.

The model has no voice of its own: the folder `voices` beside the weights holds prompts (`prompt_voices`).
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from engines.contract import VoiceReference
from engines.tts.generation import (
    Cancelled,
    Derived,
    Sentence,
    Sound,
    VoiceEngine,
    prompt_voices,
    weights_of,
)
from engines.worker.engine import JobError
from engines.worker.settings import settings

LANGUAGES: Final = ("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru")

_SYSTEM: Final = "You are a helpful assistant."
_END_OF_PROMPT: Final = "<|endofprompt|>"
"""The model wants both before a transcript or an instruction, or it reads them out."""


class CosyVoice:
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cuda without (the model takes a GPU where there is one);
        `voices`, a folder, else `voices` in the weights' one.
        """
        folder = weights_of(told)
        _find_matcha()
        from cosyvoice.cli.cosyvoice import AutoModel

        gpu = str(told.get("device", "cuda")).startswith("cuda")
        self._model: Any = AutoModel(model_dir=str(folder), fp16=gpu)
        self._own = prompt_voices(Path(str(told.get("voices", folder / "voices"))))
        self._known: Derived[bool] = Derived(self._learn)
        self._guard = _Guard(self._model.model)
        self.sample_rate = int(self._model.sample_rate)
        self.version = "Fun-CosyVoice3-0.5B-2512"
        self.warm_up = Sentence("Hello.", "en")

    def voices(self) -> Mapping[str, list[str]]:
        return {language: list(self._own) for language in LANGUAGES}

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        reference = sentence.reference or self._named(sentence.voice)
        if reference is None:
            raise JobError("no voice is installed: see `ivr engines voices cosyvoice3`")
        with self._guard.watching(cancelled):
            for output in self._outputs(sentence, reference):
                yield output["tts_speech"]

    def forget(self, key: str) -> None:
        self._known.forget(key)
        self._model.frontend.spk2info.pop(key, None)

    def _outputs(self, sentence: Sentence, reference: VoiceReference) -> Any:
        model, speed = self._model, sentence.speed
        if tone := sentence.style.get("tone", ""):
            instruction = f"{_SYSTEM} Please say it in a {tone} tone.{_END_OF_PROMPT}"
            return model.inference_instruct2(
                sentence.text, instruction, reference.path, stream=True, speed=speed, text_frontend=False
            )
        if not reference.transcript:
            return model.inference_cross_lingual(
                f"{_SYSTEM}{_END_OF_PROMPT}{sentence.text}",
                reference.path,
                stream=True,
                speed=speed,
                text_frontend=False,
            )
        self._known.of(reference)
        return model.inference_zero_shot(
            sentence.text,
            "",
            "",
            zero_shot_spk_id=reference.key,
            stream=True,
            speed=speed,
            text_frontend=False,
        )

    def _learn(self, reference: VoiceReference) -> bool:
        prompt = f"{_SYSTEM}{_END_OF_PROMPT}{reference.transcript}"
        learnt: bool = self._model.add_zero_shot_spk(prompt, reference.path, reference.key)
        return learnt

    def _named(self, name: str) -> VoiceReference | None:
        return self._own.get(name) if name else next(iter(self._own.values()), None)


def _find_matcha() -> None:
    """The code imports a submodule of its checkout by a path that its users are told to add."""
    spec = importlib.util.find_spec("cosyvoice")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        sys.path.append(str(Path(folder).parent / "third_party" / "Matcha-TTS"))


class _Guard:
    """What the package lacks around its language model, which runs in a thread: closing the generator does
    not stop it, its failure leaves the generator waiting for ever, and both leave its session's entries.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._job = model.llm_job
        self._failure: BaseException | None = None
        self._stopped: Callable[[], bool] = lambda: False
        self._idle = threading.Event()
        self._idle.set()
        model.llm_job = self._guarded
        model.llm.llm.model.register_forward_pre_hook(self._leave_when_stopped)

    @contextmanager
    def watching(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """One generation; afterwards its thread is over. Raises what went wrong in the thread."""
        closed = threading.Event()
        self._failure = None
        self._stopped = lambda: closed.is_set() or cancelled()
        try:
            yield
        except Exception:
            # Without tokens the rest of the package fails in its own way: the cause is told instead.
            if self._failure is None:
                raise
        finally:
            closed.set()
            self._idle.wait()
            self._clean()
        if self._failure is not None:
            raise self._failure

    def _guarded(self, *arguments: Any) -> None:
        session = arguments[-1]
        self._idle.clear()
        try:
            self._job(*arguments)
        except BaseException as error:
            self._failure = error
            self._model.llm_end_dict[session] = True
        finally:
            self._idle.set()

    def _leave_when_stopped(self, _module: Any, _inputs: Any) -> None:
        if self._stopped():
            raise Cancelled

    def _clean(self) -> None:
        with self._model.lock:
            for kept in (
                self._model.tts_speech_token_dict,
                self._model.llm_end_dict,
                self._model.hift_cache_dict,
            ):
                kept.clear()  # one generation at a time: nothing of another is in there


def CosyVoiceEngine() -> VoiceEngine:
    return VoiceEngine(CosyVoice(settings()))
