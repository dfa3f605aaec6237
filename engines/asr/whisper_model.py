"""faster-whisper, as the worker uses it: many clips in one pass of the model, and long recordings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer

from engines.asr.guards import Guard
from engines.asr.signal import MODEL_RATE, Samples
from engines.contract import Segment, Word

_TOKENS_PER_SECOND: Final = 40
"""Fast Hindi takes some 30 of Whisper's tokens a second; past this it turns in circles."""
_TOKENS_AT_LEAST: Final = 16
_PROMPT_TOKENS: Final = 200

_SAME_LANGUAGE: Final = {"jv": "jw", "fil": "tl", "nb": "no", "iw": "he", "in": "id"}
"""Codes that Whisper writes otherwise."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Up to 30 s of audio at 16 kHz. An empty `language` is to be found out."""

    samples: Samples
    language: str = ""
    prompt: str = ""
    phrases: tuple[str, ...] = ()
    words: bool = False

    @property
    def seconds(self) -> float:
        return len(self.samples) / MODEL_RATE


@dataclass(frozen=True, slots=True)
class Decoded:
    """`log_prob` is the average of a token; `words` are there where they were asked for."""

    text: str
    language: str
    log_prob: float
    no_speech: float
    words: tuple[Word, ...] = ()

    @property
    def confidence(self) -> float:
        return round(math.exp(min(0.0, self.log_prob)), 3) if self.text else 0.0


@dataclass(frozen=True, slots=True)
class Recording:
    """`segments` are decoded as they are taken."""

    language: str
    segments: Iterator[tuple[Segment, float]]
    """Each with its average log probability."""


def whisper_language(code: str) -> str:
    """ "hi-IN" as Whisper writes it."""
    base = code.partition("-")[0].lower()
    return _SAME_LANGUAGE.get(base, base)


class Whisper:
    """For one thread. Raises what faster-whisper does when the model cannot be loaded."""

    def __init__(self, path: str, *, device: str, compute_type: str, threads: int, beam: int) -> None:
        kind, _, index = device.partition(":")
        self._model = WhisperModel(
            path,
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            cpu_threads=threads,
            local_files_only=True,
        )
        self._beam = beam
        self._tokenizers: dict[str, Tokenizer] = {}

    @property
    def device(self) -> str:
        return str(self._model.model.device)

    @property
    def languages(self) -> list[str]:
        return list(self._model.supported_languages)

    def shape(self, clip: Clip) -> tuple[int, str]:
        """Clips of one shape may be decoded together: the model wants prompts of one length, and aligns
        words in one language at a time."""
        return len(self._prompt(clip, clip.language or "en")), clip.language if clip.words else ""

    def decode(self, clips: Sequence[Clip], *, careful: bool = False) -> list[Decoded]:
        """All in one pass; they must be of one shape. `careful` forbids repetition: for a text that turned
        in circles."""
        features = np.stack([pad_or_trim(self._model.feature_extractor(clip.samples)) for clip in clips])
        encoded = self._model.encode(features)
        languages = self._languages(clips, encoded)
        prompts = [self._prompt(clip, code) for clip, code in zip(clips, languages, strict=True)]
        most = max(_most_tokens(clip) for clip in clips)
        results = self._model.model.generate(
            encoded,
            prompts,
            beam_size=self._beam,
            # CTranslate2 takes half of it for the prompt.
            max_length=min(self._model.max_length, 2 * max(most, len(prompts[0]))),
            repetition_penalty=1.2 if careful else 1.0,
            no_repeat_ngram_size=3 if careful else 0,
            return_scores=True,
            return_no_speech_prob=True,
        )
        # What the longest clip may say is too much for the others.
        tokens = [
            result.sequences_ids[0][: _most_tokens(clip)] for clip, result in zip(clips, results, strict=True)
        ]
        words = self._align(clips, languages, encoded, tokens)
        return [
            self._decoded(said, result, code, found)
            for said, result, code, found in zip(tokens, results, languages, words, strict=True)
        ]

    def detect(self, samples: Samples) -> list[tuple[str, float]]:
        """Languages of the first 30 s with their probabilities, the likeliest first."""
        encoded = self._model.encode(pad_or_trim(self._model.feature_extractor(samples)))
        return [(token[2:-2], p) for token, p in self._model.model.detect_language(encoded)[0]]

    def transcribe(self, clip: Clip, guard: Guard) -> Recording:
        """A recording of any length, a window of 30 s after the other; silence is left out."""
        segments, info = self._model.transcribe(
            clip.samples,
            language=whisper_language(clip.language) if clip.language else None,
            beam_size=self._beam,
            initial_prompt=clip.prompt or None,
            hotwords=", ".join(clip.phrases) or None,
            word_timestamps=clip.words,
            vad_filter=True,
            condition_on_previous_text=False,
            no_speech_threshold=guard.no_speech,
            log_prob_threshold=guard.log_prob,
            compression_ratio_threshold=guard.compression,
        )
        return Recording(info.language, map(_segment, segments))

    def _languages(self, clips: Sequence[Clip], encoded: Any) -> list[str]:
        if all(clip.language for clip in clips):
            return [whisper_language(clip.language) for clip in clips]
        found = self._model.model.detect_language(encoded)
        return [
            whisper_language(clip.language) if clip.language else found[index][0][0][2:-2]
            for index, clip in enumerate(clips)
        ]

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer,
                self._model.model.is_multilingual,
                task="transcribe",
                language=language,
            )
        return self._tokenizers[language]

    def _prompt(self, clip: Clip, language: str) -> list[int]:
        tokenizer = self._tokenizer(whisper_language(language))
        before = tokenizer.encode(" " + clip.prompt.strip())[-_PROMPT_TOKENS:] if clip.prompt else []
        prompt = self._model.get_prompt(
            tokenizer, before, without_timestamps=True, hotwords=", ".join(clip.phrases) or None
        )
        # Prompt and phrases together may be too long for what is to be said after them.
        start = prompt.index(tokenizer.sot)
        if start > _PROMPT_TOKENS:
            prompt = [prompt[0], *prompt[start - _PROMPT_TOKENS + 1 :]]
        return cast(list[int], prompt)

    def _align(
        self, clips: Sequence[Clip], languages: Sequence[str], encoded: Any, tokens: list[list[int]]
    ) -> list[tuple[Word, ...]]:
        if not clips[0].words:
            return [()] * len(clips)
        tokenizer = self._tokenizer(languages[0])
        texts = [[token for token in each if token < tokenizer.eot] for each in tokens]
        if not any(texts):
            return [()] * len(clips)
        frames = [max(1, int(clip.seconds * self._model.frames_per_second)) for clip in clips]
        aligned = self._model.find_alignment(tokenizer, texts, encoded, frames)
        return [tuple(_word(found) for found in words if found["word"].strip()) for words in aligned]

    def _decoded(self, tokens: list[int], result: Any, language: str, words: tuple[Word, ...]) -> Decoded:
        text = self._tokenizer(language).decode(tokens).strip()
        # The score is divided by the length already (length_penalty 1); the end of the text counts, too.
        length = len(result.sequences_ids[0])
        log_prob = result.scores[0] * length / (length + 1)
        return Decoded(text, language, log_prob, result.no_speech_prob, words)


def _most_tokens(clip: Clip) -> int:
    return int(clip.seconds * _TOKENS_PER_SECOND) + _TOKENS_AT_LEAST


def _word(found: Any) -> Word:
    start, end = (round(float(found[edge]), 2) for edge in ("start", "end"))
    return Word(found["word"].strip(), start, max(start, end), round(float(found["probability"]), 3))


def _segment(found: Any) -> tuple[Segment, float]:
    words = tuple(
        Word(w.word.strip(), round(float(w.start), 2), round(float(w.end), 2), round(float(w.probability), 3))
        for w in found.words or ()
    )
    segment = Segment(found.text.strip(), round(float(found.start), 2), round(float(found.end), 2), words)
    return segment, float(found.avg_logprob)
