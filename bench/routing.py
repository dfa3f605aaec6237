"""What the choice of an engine costs: to the first audio and to the final, with the embedded engines.

    python -m bench.routing [--texts N]

"direct" asks the engine itself, "routed" the router over it, in turns; "hangs" has an engine before it that
takes everything and answers nothing, with a hedge of 300 ms: `first_ms` are the first texts one after the
other, until its breaker is open. Prints one JSON object, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from engines.asr.pocketsphinx import PocketsphinxRecognizer
from engines.asr.router import RoutedRecognizer
from engines.contract import (
    OnPartial,
    RecognitionRequest,
    Recognizer,
    RecognizerStream,
    SpeechRequest,
    Synthesizer,
    Transcript,
)
from engines.routing.routes import HEARD, SPOKEN, Chain, Routes
from engines.tts.espeak import EspeakSynthesizer
from engines.tts.router import SpeechRouter
from media.resample import resample_clip

TEXT = SpeechRequest("Your order is ready.", "en")
YES_NO = RecognitionRequest("en", 8000, ("yes", "no"))
HEDGE_S = 0.3
DEADLINE_S = 0.8
ROUTES = Routes(HEDGE_S, {"en": {purpose: Chain(("hangs",), HEDGE_S) for purpose in (*SPOKEN, *HEARD)}})


class Hangs:
    """Takes everything, and answers nothing."""

    name = "hangs"
    version = "1"
    sample_rate = 8000

    def voices(self, language: str) -> frozenset[str]:
        return frozenset()


class HangingVoice(Hangs):
    def supports(self, language: str) -> bool:
        return True

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""


class HangingRecognizer(Hangs):
    def supports(self, request: RecognitionRequest) -> bool:
        return True

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> RecognizerStream:
        return HangingStream()


class HangingStream:
    def write(self, pcm: bytes) -> None: ...

    def cancel(self) -> None: ...

    async def finish(self, *, deadline_s: float) -> Transcript:
        await asyncio.Event().wait()
        raise AssertionError


async def first_audio(voice: Synthesizer | SpeechRouter) -> float:
    began = time.perf_counter()
    if isinstance(voice, SpeechRouter):
        sounds = voice.speak(TEXT, "prompt").sound()
        await anext(sounds)
        took_s = time.perf_counter() - began
        await sounds.aclose()
    else:
        chunks = voice.synthesize(TEXT, deadline_s=DEADLINE_S)
        await anext(chunks)
        took_s = time.perf_counter() - began
        await chunks.aclose()
    return took_s


async def final(recognizer: Recognizer, said: bytes) -> float:
    stream = recognizer.open(YES_NO)
    for at in range(0, len(said), 320):
        stream.write(said[at : at + 320])
        await asyncio.sleep(0.001)
    began = time.perf_counter()
    await stream.finish(deadline_s=DEADLINE_S)
    return time.perf_counter() - began


def shown(times: list[float]) -> dict[str, float]:
    ranked = sorted(1000 * each for each in times)
    return {"p50": round(ranked[len(ranked) // 2], 2), "p99": round(ranked[len(ranked) * 99 // 100], 2)}


async def measured(
    direct: Callable[[], Awaitable[float]],
    routed: Callable[[], Awaitable[float]],
    hangs: Callable[[], Awaitable[float]],
    times: int,
) -> dict[str, object]:
    pairs = [(await direct(), await routed()) for _ in range(times)]
    first = [round(1000 * await hangs()) for _ in range(6)]
    alone, through = zip(*pairs[times // 10 :], strict=True)
    return {"direct": shown(list(alone)), "routed": shown(list(through)), "hangs": {"first_ms": first}}


async def run(times: int) -> dict[str, object]:
    voice, recognizer = EspeakSynthesizer(), PocketsphinxRecognizer()
    await asyncio.gather(voice.start(), recognizer.start())
    try:
        yes = [part async for part in voice.synthesize(SpeechRequest("yes", "en"), deadline_s=DEADLINE_S)]
        said = bytes(6400) + resample_clip(b"".join(yes), voice.sample_rate, 8000) + bytes(6400)
        alone = SpeechRouter(Routes(HEDGE_S), {}, [voice], deadline_s=DEADLINE_S)
        behind = SpeechRouter(ROUTES, {"hangs": HangingVoice()}, [voice], deadline_s=DEADLINE_S)
        heard = RoutedRecognizer(Routes(HEDGE_S), {}, [recognizer])
        heard_behind = RoutedRecognizer(ROUTES, {"hangs": HangingRecognizer()}, [recognizer])
        return {
            "first_audio_ms": await measured(
                lambda: first_audio(voice), lambda: first_audio(alone), lambda: first_audio(behind), times
            ),
            "final_ms": await measured(
                lambda: final(recognizer, said),
                lambda: final(heard, said),
                lambda: final(heard_behind, said),
                max(20, times // 10),
            ),
        }
    finally:
        await voice.close()
        await recognizer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=400)
    print(json.dumps(asyncio.run(run(parser.parse_args().texts)), indent=1))
