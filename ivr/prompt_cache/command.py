"""What `ivr prompts` does. Each function prints, and gives the exit status."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from engines.contract import EngineError
from engines.tts.espeak import EspeakSynthesizer
from engines.tts.roster import EMBEDDED, TtsEngine
from ivr.config import Config, ConfigError, load_or_default
from ivr.flow.check_command import yaml_files
from ivr.flow.loader import flows_of, load_flow
from ivr.flow.model import Flow
from ivr.flow.problems import FlowError
from ivr.flow.scenarios import SUFFIX as SCENARIOS
from ivr.library import environment_of
from ivr.prompt_cache.building import Builder, Outcome, State, Wish, wishes_of
from ivr.prompt_cache.files import Entry, PromptFiles
from ivr.prompt_cache.settings import codecs_of, folder_of, limits_of
from ivr.speech import voice_engines, voices_of
from media.codecs import CODECS, Codec
from media.opus import OPUS

log = logging.getLogger(__name__)

_SHOWN: Final = 60
"""Characters of a text in a list for people."""
_EMBEDDED_STREAMS: Final = 4
_CLOUD_STREAMS: Final = 8


class CannotBuild(Exception):
    """The text says why, to people."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Empty `languages` and `codecs`: all of the flows, those of the trunks."""

    languages: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    as_json: bool = False


def build(paths: Sequence[Path], config: Path, options: BuildOptions) -> int:
    """0: all that can be made is there; 1: some failed; 2: nothing could be begun."""
    try:
        loaded = load_or_default(config)
        flows = list(_flows(paths, loaded))
        wishes = _wishes(flows, options.languages)
        codecs = _codecs(loaded, options.codecs)
        files = _files(loaded)
        if not limits_of(loaded).disk_bytes:
            raise CannotBuild("prompts.disk_mb is 0: nothing is kept on disk, so nothing can be made ahead")
        outcomes = asyncio.run(_build(loaded, wishes, codecs, files))
    except (CannotBuild, ConfigError, FlowError, EngineError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nivr: interrupted; what was made is kept", file=sys.stderr)
        return 130
    if options.as_json:
        _print_json({**_totals(outcomes), "prompts": [_described(outcome) for outcome in outcomes]})
    else:
        _print_outcomes(outcomes)
    return 1 if any(outcome.state is State.FAILED for outcome in outcomes) else 0


def list_prompts(config: Path, *, as_json: bool) -> int:
    try:
        entries = sorted(_files(load_or_default(config)).entries(), key=lambda entry: -entry.used_at)
    except (ConfigError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
    if as_json:
        _print_json([_listed(entry) for entry in entries])
        return 0
    table = Table(
        "engine",
        "version",
        "voice",
        "language",
        "speed",
        "codec",
        "s",
        "kB",
        "used",
        "text",
        box=None,
        pad_edge=False,
    )
    for entry in entries:
        key = entry.key
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used_at))
        table.add_row(
            key.engine, key.version, key.voice or "-", key.language, f"{key.speed:g}", key.codec,
            f"{entry.seconds:.1f}", f"{entry.size / 1000:.0f}", used, _short(key.text),
        )  # fmt: skip
    _console().print(table)
    print(f"{len(entries)} prompts, {sum(entry.size for entry in entries) / 1e6:.1f} MB")
    return 0


def clear(config: Path, *, engine: str, language: str, unused_days: float | None) -> int:
    """Deletes those that fit all that is said; with nothing said, all."""
    try:
        files = _files(load_or_default(config))
        since = time.time() - (unused_days or 0.0) * 86_400

        def fits(entry: Entry) -> bool:
            return (
                entry.key.engine == (engine or entry.key.engine)
                and entry.key.language == (language or entry.key.language)
                and (unused_days is None or entry.used_at < since)
            )

        some = engine or language or unused_days is not None
        count = files.clear(fits if some else None)
    except (ConfigError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
    print(f"{count} prompts deleted; a server that runs still has some in memory")
    return 0


def _files(config: Config) -> PromptFiles:
    return PromptFiles(folder_of(config), limits_of(config).disk_bytes)


def _flows(paths: Sequence[Path], config: Config) -> Iterable[Flow]:
    environment = environment_of(config)
    found = False
    for given in paths:
        if not given.exists():
            raise CannotBuild(f"{given} is not there")
        children = flows_of(given if given.is_dir() else given.parent, environment)
        for path in yaml_files([given]):
            if not path.name.endswith(SCENARIOS):
                found = True
                yield load_flow(path, environment, children)
    if not found:
        raise CannotBuild(f"there is no flow in {', '.join(map(str, paths))}")


def _wishes(flows: Sequence[Flow], languages: Sequence[str]) -> list[Wish]:
    known = {language for flow in flows for language in flow.languages}
    if unknown := [language for language in languages if language not in known]:
        raise CannotBuild(f"no flow speaks {', '.join(unknown)}; they speak {', '.join(sorted(known))}")
    return wishes_of(flows, frozenset(languages))


def _codecs(config: Config, names: Sequence[str]) -> tuple[Codec, ...]:
    known = CODECS | {OPUS.name: OPUS}
    if unknown := [name for name in names if name not in known]:
        raise CannotBuild(f"there is no codec {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in names) or codecs_of(config)


async def _build(
    config: Config, wishes: Sequence[Wish], codecs: Sequence[Codec], files: PromptFiles
) -> list[Outcome]:
    engines = voice_engines(config)
    async with _up([*engines, (embedded := EspeakSynthesizer())]):
        builder = Builder(voices_of(config, engines, (embedded,)), files, codecs, _streams(config, engines))
        total = sum(len(wish.texts) + bool(wish.skipped) for wish in wishes)
        with Progress(
            "{task.description}", *Progress.get_default_columns()[1:2], MofNCompleteColumn(),
            console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
        ) as progress:  # fmt: skip
            task = progress.add_task("making prompts", total=total)
            builder.on_outcome = lambda _outcome: progress.advance(task)
            outcomes = await builder.build(wishes)
    await asyncio.to_thread(files.tidy)
    if files.evicted:
        log.warning("prompts.disk_mb is too small for all of them: %d were deleted again", files.evicted)
    return outcomes


@asynccontextmanager
async def _up(engines: Sequence[TtsEngine]) -> AsyncIterator[None]:
    """All of them started; one that does not start fails its own prompts, not those of others."""

    async def start(engine: TtsEngine) -> None:
        try:
            await engine.start()
        except EngineError as error:
            log.error("%s does not start: %s", engine.name, error)

    async with AsyncExitStack() as on_exit:
        for engine in engines:
            on_exit.push_async_callback(engine.close)
        await asyncio.gather(*map(start, engines))
        yield


def _streams(config: Config, engines: Sequence[TtsEngine]) -> dict[str, int]:
    streams = {EMBEDDED: _EMBEDDED_STREAMS}
    for engine in engines:
        setup = config.engines.setup.get(engine.name)
        elsewhere = engine.name == "elevenlabs" or (setup is not None and setup.address is not None)
        usual = _CLOUD_STREAMS if elsewhere else 1
        streams[engine.name] = (setup.streams if setup else None) or usual
    return streams


def _totals(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    outcomes = list(outcomes)
    counts = Counter(outcome.state for outcome in outcomes)
    return {
        **{state.value: counts[state] for state in State},
        "seconds": round(sum(outcome.seconds for outcome in outcomes if outcome.state is State.MADE), 1),
        "bytes": sum(outcome.bytes for outcome in outcomes),
    }


def _described(outcome: Outcome) -> dict[str, Any]:
    text = outcome.text
    return {
        "flow": outcome.flow,
        "prompt": outcome.prompt,
        "language": outcome.language,
        "state": outcome.state.value,
        "text": None if text is None else text.text,
        "voice": "" if text is None else text.voice,
        "rate": 1.0 if text is None else text.rate,
        "engine": outcome.engine,
        "version": outcome.version,
        "codecs": list(outcome.codecs),
        "seconds": round(outcome.seconds, 2),
        "bytes": outcome.bytes,
        "reason": outcome.reason,
    }


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    table = Table("", "flow", "prompt", "language", "by", "what", box=None, pad_edge=False)
    for outcome in outcomes:
        what = outcome.reason if outcome.text is None else _short(outcome.text.text)
        if outcome.text is not None and outcome.reason:
            what = f"{what}: {outcome.reason}"
        by = outcome.engine + (f" {outcome.text.voice}" if outcome.text and outcome.text.voice else "")
        table.add_row(outcome.state.value, outcome.flow, outcome.prompt, outcome.language, by, what)
    _console().print(table)
    totals = _totals(outcomes)
    print(
        f"{totals['made']} made ({totals['seconds']:g} s, {totals['bytes'] / 1e6:.1f} MB), "
        f"{totals['there']} there, {totals['skipped']} skipped, {totals['failed']} failed"
    )


def _listed(entry: Entry) -> dict[str, Any]:
    key = entry.key
    return {
        "engine": key.engine,
        "version": key.version,
        "voice": key.voice,
        "language": key.language,
        "speed": key.speed,
        "emotion": key.emotion,
        "codec": key.codec,
        "text": key.text,
        "seconds": entry.seconds,
        "bytes": entry.size,
        "used_at": round(entry.used_at),
    }


def _console() -> Console:
    """A pipe is as wide as it needs to be."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=1))
