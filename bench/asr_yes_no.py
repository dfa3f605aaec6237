"""Yes and no through the embedded recogniser: accuracy, false accepts, and time to the final transcript.

    python -m bench.asr_yes_no [--seed N]

Synthesised speech (espeak-ng: four voices, three rates, random pitch and level) goes through A-law at 8 kHz,
clean and with white noise, into the recogniser as a call would send it: frames of 20 ms with 400 ms before
and 700 ms after the word. "small" is a grammar of the words themselves, "shipped" adds the built-in phrases
for repeat and operator. Prints one JSON object. The speech is synthetic: real callers are harder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.contract import RecognitionRequest
from engines.tts.espeak_library import EspeakLibrary
from ivr.flow.intents import builtin_phrases
from media.codecs import PCMA

RATE = 8000
VOICES = {"hi": "hi", "mr": "mr", "en": "en-us"}
VARIANTS = ("", "m3", "f2", "f5")
RATES = (130, 165, 200)
YES = {"hi": ("हाँ", "जी हाँ", "ठीक है"), "mr": ("हो", "होय", "ठीक आहे"), "en": ("yes", "yeah", "okay")}
NO = {"hi": ("नहीं", "जी नहीं"), "mr": ("नाही", "नको"), "en": ("no", "no thanks")}
OTHER = {
    "hi": "कल आना,मुझे पता,पानी,सब्ज़ी,किताब,अभी,बारह,गाड़ी,दुकान,आलू,बाज़ार जाना है,सोमवार",
    "mr": "उद्या या,पाणी,भाजी,पुस्तक,आत्ता,गाडी,दुकान,बटाटा,बाजारात जायचे आहे,सोमवार",
    "en": "tomorrow,water,the kitchen,seven,maybe,hello,computer,monday,I am driving,potato",
}
NOISES_DB = (None, 20, 10)
PITCH = 3
"""espeak-ng's parameter, 0 to 99."""


@dataclass(frozen=True, slots=True)
class Sample:
    expected: str
    text: str
    pcm: bytes


def samples(language: str, noise_db: int | None, espeak: EspeakLibrary, seed: int) -> Iterator[Sample]:
    draw = random.Random(seed)
    noise = np.random.default_rng(seed)
    groups = (("yes", YES[language]), ("no", NO[language]), ("other", tuple(OTHER[language].split(","))))
    for variant in VARIANTS:
        for rate in RATES:
            for expected, texts in groups:
                for text in texts:
                    voice = VOICES[language]
                    espeak.set_voice(f"{voice}+{variant}" if variant else voice)
                    espeak.set_rate(rate)
                    espeak._library.espeak_SetParameter(PITCH, draw.randint(30, 70), 0)
                    level = 3000 * 10 ** (draw.uniform(-10, 5) / 20)
                    yield Sample(expected, text, line(speech(espeak, text), level, noise_db, noise))


def speech(espeak: EspeakLibrary, text: str) -> np.ndarray:
    chunks: list[bytes] = []

    def take(pcm: bytes) -> bool:
        chunks.append(pcm)
        return True

    espeak.speak(text, take)
    return soxr.resample(np.frombuffer(b"".join(chunks), "<i2").astype(np.float32), espeak.sample_rate, RATE)


def line(samples: np.ndarray, level: float, noise_db: int | None, noise: np.random.Generator) -> bytes:
    """At a level, with silence around it, in noise, through A-law."""
    scaled = samples * (level / np.sqrt((samples**2).mean()))
    padded = np.concatenate([np.zeros(RATE * 4 // 10), scaled, np.zeros(RATE * 7 // 10)])
    if noise_db is not None:
        padded = padded + noise.normal(0, level * 10 ** (-noise_db / 20), len(padded))
    return PCMA.new_decoder()(PCMA.new_encoder()(np.clip(padded, -32768, 32767).astype("<i2").tobytes()))


async def hear(
    recognizer: PocketsphinxRecognizer, language: str, phrases: tuple[str, ...], pcm: bytes, pause_s: float
) -> tuple[str, float, float]:
    """Text, confidence, and milliseconds from `finish` to the transcript; `pause_s` passes before
    `finish`.
    """
    stream = recognizer.open(RecognitionRequest(language, RATE, phrases))
    for at in range(0, len(pcm), 320):
        stream.write(pcm[at : at + 320])
    await asyncio.sleep(pause_s)
    began = time.perf_counter()
    transcript = await stream.finish(deadline_s=5)
    return transcript.text, transcript.confidence, (time.perf_counter() - began) * 1000


def grammar(language: str, kind: str) -> tuple[str, ...]:
    words = [*YES[language], *NO[language]]
    if kind == "shipped":
        words += [p for i in ("affirm", "deny", "repeat", "operator") for p in builtin_phrases(i, language)]
    return tuple(dict.fromkeys(words))


def meaning(text: str, language: str) -> str:
    if text in (*YES[language], *builtin_phrases("affirm", language)):
        return "yes"
    if text in (*NO[language], *builtin_phrases("deny", language)):
        return "no"
    return "other" if text else "nothing"


async def measure(seed: int) -> dict[str, object]:
    espeak = EspeakLibrary()
    recognizer = PocketsphinxRecognizer()
    await recognizer.start()
    rows: list[dict[str, object]] = []
    try:
        for language in VOICES:
            for noise_db in NOISES_DB:
                spoken = list(samples(language, noise_db, espeak, seed))
                rows.append(await _row(recognizer, language, noise_db, "small", spoken))
                if noise_db is None:
                    rows.append(await _row(recognizer, language, noise_db, "shipped", spoken))
        noise = np.random.default_rng(seed)
        hiss = [noise.normal(0, 300, RATE).astype("<i2").tobytes() for _ in range(100)]
        taken = [await hear(recognizer, "hi", grammar("hi", "small"), pcm, 0) for pcm in hiss]
        noise_accepts = sum(bool(text) for text, _, _ in taken) / len(taken)
        hindi = list(samples("hi", None, espeak, seed))[:60]
        finals = {
            "after_a_pause": await _finals(recognizer, hindi, 0.4),
            "at_once": await _finals(recognizer, hindi, 0.0),
        }
    finally:
        await recognizer.close()
    return {"rows": rows, "noise_accepts": noise_accepts, "final_ms": finals}


async def _finals(
    recognizer: PocketsphinxRecognizer, spoken: list[Sample], pause_s: float
) -> dict[str, float]:
    phrases = grammar("hi", "shipped")
    times = [(await hear(recognizer, "hi", phrases, sample.pcm, pause_s))[2] for sample in spoken]
    p50, p95, most = np.percentile(times, [50, 95, 100])
    return {"p50": round(p50, 1), "p95": round(p95, 1), "max": round(most, 1)}


async def _row(
    recognizer: PocketsphinxRecognizer, language: str, noise_db: int | None, kind: str, spoken: list[Sample]
) -> dict[str, object]:
    phrases = grammar(language, kind)
    right = wrong = missed = answers = accepted = others = 0
    for sample in spoken:
        text, _, _ = await hear(recognizer, language, phrases, sample.pcm, 0)
        got = meaning(text, language)
        if sample.expected == "other":
            others += 1
            accepted += got in ("yes", "no")
        else:
            answers += 1
            right += got == sample.expected
            wrong += got in ("yes", "no") and got != sample.expected
            missed += got in ("nothing", "other")
    return {
        "language": language,
        "noise_db": noise_db,
        "grammar": kind,
        "phrases": len(phrases),
        "right": round(right / answers, 3),
        "opposite": round(wrong / answers, 3),
        "missed": round(missed / answers, 3),
        "false_accepts": round(accepted / others, 3),
        "answers": answers,
        "others": others,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the embedded recogniser on yes and no.")
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(asyncio.run(measure(parser.parse_args().seed)), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
