"""An engine that is slower than its own hedge is told of before calls are."""

from __future__ import annotations

from pathlib import Path

from engines.catalogue import find
from ivr.config import Config
from ivr.engine_places import shelf_of
from ivr.slow_engines import slow_engines


def config_of(folder: Path, **engines: object) -> Config:
    return Config.model_validate({"store": {"path": str(folder)}, "engines": engines})


def test_only_what_was_measured_as_slower_than_its_hedge_is_told(tmp_path: Path) -> None:
    chains = {"en": {"prompt": {"engines": ["kokoro", "espeak"], "hedge_ms": 900}, "reply": ["kokoro"]}}
    config = config_of(tmp_path, tts=chains, asr={"hi": ["faster-whisper"]})
    assert slow_engines(config) == ()
    shelf = shelf_of(config)
    shelf.note(find("kokoro"), latency_ms=850.0)
    shelf.note(find("faster-whisper"), latency_ms=290.0)
    shelf.note(find("espeak"), latency_ms=5000.0)
    (told,) = slow_engines(config)
    assert told.startswith(
        "engines.tts.en: kokoro took 850 ms when it was tested, and the next engine is asked after 300 ms"
    )
    assert slow_engines(config, "kokoro") == (told,)
    assert slow_engines(config, "faster-whisper") == ()
    shelf.note(find("faster-whisper"), latency_ms=700.0)
    assert [line.partition(":")[0] for line in slow_engines(config)] == ["engines.tts.en", "engines.asr.hi"]


def test_one_that_nobody_comes_after_may_take_its_time(tmp_path: Path) -> None:
    config = config_of(tmp_path, asr={"hi": {"free": ["faster-whisper"], "phrases": []}})
    shelf_of(config).note(find("faster-whisper"), latency_ms=700.0)
    assert slow_engines(config) == ()
