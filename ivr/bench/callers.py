"""Callers made of synthetic voices, and what else is to be heard of them: coughs, knocks, keys, music, and
our own voice out of a loudspeaker. 16-bit PCM at 8 kHz, the same each time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.contract import SpeechRequest
from engines.tts.espeak import EspeakSynthesizer
from media.music import hold_music
from media.resample import resample_clip

RATE: Final = 8000

Wave = NDArray[np.float64]

VOICES: Final = ("f1", "m1", "f3", "m3", "f5", "m7")
_SPEAK_S: Final = 20.0

PROMPTS: Final = {
    "hi": "नमस्ते, शर्मा स्टोर से बोल रहा हूँ। आपका ऑर्डर कल शाम को तैयार होगा, और राइडर उसे सात बजे तक ले जाएगा।",
    "mr": "नमस्कार, शर्मा स्टोअर मधून बोलत आहे. तुमची ऑर्डर उद्या तयार होईल, आणि रायडर ती सात वाजता घेऊन जाईल.",
    "en": "Good evening, Sharma store here. Your order will be ready tomorrow, a rider takes it at seven.",
}

INTERRUPTIONS: Final = {
    "hi": ("मुझे एक आदमी से बात करनी है", "रुको", "नहीं, कल नहीं", "मेरा ऑर्डर कहाँ है", "हाँ लेकिन पता बदल गया है"),
    "mr": ("मला माणसाशी बोलायचे आहे", "थांबा", "नको, उद्या नको", "माझी ऑर्डर कुठे आहे", "हो पण पत्ता बदलला आहे"),
    "en": (
        "I want to talk to a person",
        "stop",
        "no, not tomorrow",
        "where is my order",
        "yes but the address has changed",
    ),
}

LISTENING: Final = {
    "hi": ("हाँ", "जी", "अच्छा", "जी हाँ", "हम्म", "ठीक है"),
    "mr": ("हो", "बरं", "हं", "अच्छा", "होय"),
    "en": ("yeah", "okay", "hmm", "right", "yes"),
}


@dataclass(frozen=True, slots=True)
class Sound:
    """What a caller lets be heard: `words` are those that a recogniser makes of it."""

    name: str
    pcm: bytes
    words: str = ""


class Speaker:
    """Synthetic voices in turn."""

    def __init__(self, engine: EspeakSynthesizer) -> None:
        self._engine = engine
        self._voices = cycle(VOICES)

    async def say(self, text: str, language: str, voice: str | None = None) -> bytes:
        chosen = next(self._voices) if voice is None else voice
        request = SpeechRequest(text, language, chosen)
        chunks = [c async for c in self._engine.synthesize(request, deadline_s=_SPEAK_S)]
        return resample_clip(b"".join(chunks), self._engine.sample_rate, RATE)


@asynccontextmanager
async def speaker() -> AsyncIterator[Speaker]:
    engine = EspeakSynthesizer()
    await engine.start()
    try:
        yield Speaker(engine)
    finally:
        await engine.close()


def to_pcm(wave: Wave) -> bytes:
    return bytes(np.clip(np.rint(wave), -32768, 32767).astype("<i2").tobytes())


def to_wave(pcm: bytes) -> Wave:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def noises(seeds: int) -> Iterator[Sound]:
    """So many of each kind that no caller means anything by."""
    for seed in range(seeds):
        for name, make in _NOISES.items():
            yield Sound(f"{name} {seed}", to_pcm(make(np.random.default_rng(seed))))


def whispered(pcm: bytes, seed: int) -> bytes:
    """The same words without a voice: the spectrum as it was, the phases at random, and far softer."""
    wave, chance = to_wave(pcm), np.random.default_rng(seed)
    size = 256
    window = np.hanning(size)
    whole = np.zeros(len(wave) + size)
    for at in range(0, len(wave) - size, size // 2):
        shape = np.abs(np.fft.rfft(wave[at : at + size] * window))
        shape = np.convolve(shape, np.ones(9) / 9, "same")
        phases = np.exp(2j * np.pi * chance.random(len(shape)))
        whole[at : at + size] += np.fft.irfft(shape * phases) * window
    return to_pcm(0.1 * whole)


@dataclass(frozen=True, slots=True)
class Speakerphone:
    """A loudspeaker near a microphone: how late and by how many dB softer what is played comes back, and how
    long the room rings on."""

    delay_s: float
    db: float
    room_s: float

    def filter(self, seed: int) -> Wave:
        """The way from the loudspeaker to the microphone, its delay included."""
        chance = np.random.default_rng(seed)
        size = int(RATE * self.room_s)
        room = chance.normal(0.0, 1.0, size) * np.exp(-4.0 * np.arange(size) / size)
        room[0] += 2.0
        room *= 10 ** (self.db / 20) / np.sqrt(np.dot(room, room))
        return np.concatenate((np.zeros(int(RATE * self.delay_s)), np.convolve(room, (0.25, 0.5, 0.25))))


def _shaped(wave: Wave, attack_s: float, decay_s: float) -> Wave:
    time = np.arange(len(wave)) / RATE
    return wave * np.minimum(1.0, time / attack_s) * np.exp(-time / decay_s)


def _cough(chance: np.random.Generator) -> Wave:
    """Two or three bursts of breath."""
    bursts = []
    for _ in range(int(chance.integers(2, 4))):
        breath = np.convolve(
            chance.normal(0.0, 9000.0, int(RATE * chance.uniform(0.15, 0.35))), np.ones(4) / 4
        )
        bursts += [_shaped(breath, 0.01, chance.uniform(0.04, 0.09)), np.zeros(int(RATE * 0.12))]
    return np.concatenate(bursts)


def _knock(chance: np.random.Generator) -> Wave:
    knocks = []
    for _ in range(3):
        time = np.arange(int(RATE * 0.2)) / RATE
        wave = 12000.0 * np.sin(2 * np.pi * chance.uniform(150, 350) * time)
        knocks.append(_shaped(wave, 0.002, 0.025))
    return np.concatenate(knocks)


def _typing(chance: np.random.Generator) -> Wave:
    wave = np.zeros(int(RATE * 2.0))
    for _ in range(14):
        at = int(chance.integers(0, len(wave) - 400))
        wave[at : at + 400] += _shaped(chance.normal(0.0, 4000.0, 400), 0.001, 0.006)
    return wave


def _music(chance: np.random.Generator) -> Wave:
    whole = to_wave(hold_music(RATE))
    at = int(chance.integers(0, len(whole) - 4 * RATE))
    return 3.0 * whole[at : at + 4 * RATE]


def _street(chance: np.random.Generator) -> Wave:
    """Noise with more of the low sounds, that comes and goes."""
    wave = np.convolve(chance.normal(0.0, 4000.0, RATE * 3), np.ones(12) / 12, "same")
    return wave * (0.6 + 0.4 * np.sin(2 * np.pi * chance.uniform(0.3, 1.0) * np.arange(len(wave)) / RATE))


def _hiss(chance: np.random.Generator) -> Wave:
    return chance.normal(0.0, chance.uniform(200, 1500), RATE * 2)


def _hum(chance: np.random.Generator) -> Wave:
    time = np.arange(RATE * 2) / RATE
    return sum(2500.0 / part * np.sin(2 * np.pi * 100.0 * part * time) for part in (1, 2, 3)) + chance.normal(
        0.0, 60.0, len(time)
    )


def _ringing(chance: np.random.Generator) -> Wave:
    time = np.arange(int(RATE * 1.2)) / RATE
    pitch = chance.uniform(700, 1600)
    wave = np.sin(2 * np.pi * pitch * time) * (np.sin(2 * np.pi * 20 * time) > 0)
    return 5000.0 * wave


def _breath(chance: np.random.Generator) -> Wave:
    wave = np.convolve(chance.normal(0.0, 3000.0, int(RATE * 0.8)), np.ones(3) / 3, "same")
    return wave * np.hanning(len(wave))


_NOISES: Final[dict[str, Callable[[np.random.Generator], Wave]]] = {
    "cough": _cough,
    "knock": _knock,
    "typing": _typing,
    "music": _music,
    "street": _street,
    "hiss": _hiss,
    "hum": _hum,
    "ringing": _ringing,
    "breath": _breath,
}
