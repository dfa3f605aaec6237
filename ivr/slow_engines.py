"""Engines that their own hedge would pass over: told at the start, since nothing else looks wrong then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engines.asr.roster import EMBEDDED as EMBEDDED_RECOGNISER
from engines.catalogue import find
from engines.routing.routes import Chain, Purpose, Routes
from engines.tts.roster import EMBEDDED as EMBEDDED_VOICE
from ivr.config import Config
from ivr.engine_places import shelf_of

_EMBEDDED = (EMBEDDED_VOICE, EMBEDDED_RECOGNISER)


def slow_engines(config: Config, only: str = "") -> tuple[str, ...]:
    """A sentence for each engine (or for the one of this name) that took longer than the hedge of its chain
    when `ivr engines test` measured it."""
    engines = config.engines
    return tuple(
        dict.fromkeys(
            (
                *_slow(config, "tts", engines.voice_routes, only),
                *_slow(config, "asr", engines.hearing_routes, only),
            )
        )
    )


def _slow(config: Config, kind: Literal["tts", "asr"], routes: Routes, only: str) -> Iterator[str]:
    shelf = shelf_of(config)
    for language, chains in routes.by_language.items():
        for purpose, chain in chains.items():
            hedge_ms = chain.hedge_s * 1000
            for name in _hedged(chain, purpose):
                latency_ms = shelf.record(find(name)).latency_ms
                if only in ("", name) and latency_ms is not None and latency_ms > hedge_ms:
                    yield (
                        f"engines.{kind}.{language}: {name} took {latency_ms:.0f} ms when it was tested, and "
                        f"the next engine is asked after {hedge_ms:g} ms: it will seldom be heard. "
                        "Set hedge_ms higher, or put it on a faster machine"
                    )


def _hedged(chain: Chain, purpose: Purpose) -> tuple[str, ...]:
    """Those that somebody comes after: the embedded engines follow all others, but hear no free speech."""
    followed = chain.engines[:-1] if purpose == "free" else chain.engines
    return tuple(name for name in followed if name not in _EMBEDDED)
