"""Measures the in-band key receiver: what a frame costs, and what it takes speech for.

    python -m bench.inband_dtmf --minutes 60

The speech is the embedded espeak-ng's, voices of men and women at several speeds and pitches, through A-law;
the text is what the shipped flows say, in Hindi, Marathi and English. Prints one JSON object: microseconds of
each kind of frame (the best of several runs, decoding included), and the keys heard in speech, of which
there should be none.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.tts.espeak_library import EspeakLibrary
from media import g711
from media.inband import InbandReceiver
from media.resample import resample_clip
from media.tones import key_tone

RATE = 8000
FRAME = 160
RUNS = 9
VOICES = ("", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+croak")
SPEEDS = (110, 140, 170, 210)
PITCHES = (20, 50, 80)
LANGUAGES = {"hi": "hi", "mr": "mr", "en": "en-us"}
PITCH = 3
"""espeak-ng's parameter, 0 to 99."""
FLOWS = Path(__file__).parents[1] / "flows"


def texts() -> dict[str, str]:
    """What the shipped flows say, by language."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FLOWS.glob("*.yaml")))
    found = {language: re.findall(rf'\b{language}: "([^"]*)"', source) for language in ("hi", "mr", "en")}
    return {language: re.sub(r"\{\{.*?\}\}", " 4 7 1 ", " ".join(said)) for language, said in found.items()}


def speech() -> Iterator[tuple[str, bytes]]:
    """Name and A-law payload of one speaker after the other, without end."""
    espeak = EspeakLibrary()
    for turn in itertools.count():
        manners = list(itertools.product(texts().items(), VOICES, SPEEDS, PITCHES))
        random.Random(turn).shuffle(manners)
        for (language, text), voice, speed, pitch in manners:
            espeak.set_voice(f"{LANGUAGES[language]}{voice}")
            espeak.set_rate(speed)
            espeak._library.espeak_SetParameter(PITCH, pitch, 0)
            pcm = resample_clip(spoken(espeak, text), espeak.sample_rate, RATE)
            yield f"{language}{voice} {speed} {pitch}", g711.encode_alaw(pcm)


def spoken(espeak: EspeakLibrary, text: str) -> bytes:
    pieces: list[bytes] = []

    def take(pcm: bytes) -> bool:
        pieces.append(pcm)
        return True

    espeak.speak(text, take)
    return b"".join(pieces)


def payloads(pcm: bytes) -> list[bytes]:
    coded = g711.encode_alaw(pcm)
    return [coded[at : at + FRAME] for at in range(0, len(coded) - FRAME + 1, FRAME)]


def microseconds(frames: list[bytes]) -> float:
    """Of one frame, decoding included."""
    best = float("inf")
    for _ in range(RUNS):
        receiver = InbandReceiver(RATE)
        began = time.perf_counter()
        for frame in frames:
            receiver.take(g711.decode_alaw(frame))
        best = min(best, time.perf_counter() - began)
    return round(best / len(frames) * 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="how much speech to listen to")
    options = parser.parse_args()
    speakers = speech()
    sample = g711.decode_alaw(next(speakers)[1][: 60 * RATE])
    noise = np.random.default_rng(1).normal(0, 2000, 20 * RATE).astype("<i2").tobytes()
    keys = b"".join(key_tone(key, RATE) for key in "1234567890" * 10)
    costs = {
        name: microseconds(payloads(pcm))
        for name, pcm in (("speech", sample), ("noise", noise), ("keys", keys), ("silence", bytes(320_000)))
    }
    heard_s = 0.0
    hits: list[str] = []
    for name, coded in speakers:
        if heard_s >= options.minutes * 60:
            break
        receiver = InbandReceiver(RATE)
        pcm = g711.decode_alaw(coded)
        hits += [
            f"{key}: {name}, {at / 2 / RATE:.1f} s"
            for at in range(0, len(pcm) - 2 * FRAME + 1, 2 * FRAME)
            if (key := receiver.take(pcm[at : at + 2 * FRAME]))
        ]
        heard_s += len(coded) / RATE
    report = {
        "frame_microseconds": costs,
        "speech_minutes": round(heard_s / 60),
        "false_keys": len(hits),
        "false": hits[:20],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
