"""The commands about speech; `register` hangs them into the `ivr` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from fastapi import FastAPI

    from ivr.bench.service import Options
    from ivr.config import Config

OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time)
OptionalText = Optional[str]  # noqa: UP045

Host = Annotated[OptionalText, typer.Option(help="Listen there instead.")]
Port = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Listen there instead; 0 takes any free port.", min=0, max=65535),
]
Announce = Annotated[
    OptionalPath, typer.Option(help="Write the real address to this file, as JSON, once it answers.")
]

Url = Annotated[OptionalText, typer.Option(help="Address of a service that runs; without it one is started.")]
StartedConfig = Annotated[
    OptionalPath, typer.Option("--config", "-c", help="The configuration of the one that is started.")
]
Key = Annotated[OptionalText, typer.Option(help="An API key of the service.")]
Model = Annotated[str, typer.Option(help="An engine; auto: by language.")]
Languages = Annotated[str, typer.Option(help="What is spoken, separated by commas.")]
Seconds = Annotated[float, typer.Option(help="How long each measurement lasts.", min=1)]
Cores = Annotated[OptionalText, typer.Option(help="Cores that a started service may use, as 0 or 0,1.")]


def tts(
    config: Annotated[
        OptionalPath,
        typer.Option(
            "--config", "-c", help="The configuration file; without it the embedded voice speaks alone."
        ),
    ] = None,
    host: Host = None,
    port: Port = None,
    announce: Announce = None,
) -> None:
    """Serves the voices over HTTP, in the shape of OpenAI's API (port 7002)."""
    from ivr.services import tts_service

    _serve("tts", tts_service, "Speech", config, host, port, announce)


def asr(
    config: Annotated[
        OptionalPath,
        typer.Option(
            "--config", "-c", help="The configuration file; without it the embedded recogniser hears alone."
        ),
    ] = None,
    host: Host = None,
    port: Port = None,
    announce: Announce = None,
) -> None:
    """Serves the recognisers over HTTP, in the shape of OpenAI's API, and over a WebSocket (port 7001)."""
    from ivr.services import asr_service

    _serve("asr", asr_service, "Recognition", config, host, port, announce)


def bench_tts(
    url: Url = None,
    config: StartedConfig = None,
    key: Key = None,
    model: Model = "auto",
    languages: Languages = "hi,mr,en",
    streams: Annotated[
        str, typer.Option(help="How many listen at once, one measurement each.")
    ] = "1,2,4,8,16,32,50,64",
    seconds: Seconds = 10.0,
    plot: Annotated[OptionalPath, typer.Option(help="Also draw the first audio as SVG.")] = None,
    cores: Cores = None,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights",
            help="Measure indic-parler on random weights of its true dimensions; needs a GPU.",
        ),
    ] = False,
) -> None:
    """How soon the voices speak, against how many listen; prints one JSON object."""
    from ivr.bench.tts import run

    options = _options(url, config, key, model, languages, streams, seconds, plot, cores, random_weights)
    raise SystemExit(run(options))


def bench_asr(
    url: Url = None,
    config: StartedConfig = None,
    key: Key = None,
    model: Model = "auto",
    languages: Languages = "hi,mr,en",
    streams: Annotated[
        str, typer.Option(help="How many speak at once, one measurement each.")
    ] = "1,2,4,8,16,32,64",
    seconds: Seconds = 10.0,
    plot: Annotated[OptionalPath, typer.Option(help="Also draw the time to the final as SVG.")] = None,
    cores: Cores = None,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights",
            help="Measure faster-whisper on random weights of its true dimensions; needs a GPU.",
        ),
    ] = False,
) -> None:
    """How soon yes and no are understood, against how many speak; prints one JSON object."""
    from ivr.bench.asr import run

    options = _options(url, config, key, model, languages, streams, seconds, plot, cores, random_weights)
    raise SystemExit(run(options))


def eval_asr(
    manifest: Annotated[Path, typer.Argument(help="A data set: its manifest, or the folder with it.")],
    url: Url = None,
    config: StartedConfig = None,
    key: Key = None,
    model: Model = "auto",
    language: Annotated[str, typer.Option(help="Of recordings that do not tell theirs.")] = "",
    snr: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="White noise on the line, in dB below the speech."),
    ] = None,
    loss: Annotated[float, typer.Option(help="Share of packets that are lost.", min=0, max=1)] = 0.0,
    limit: Annotated[Optional[int], typer.Option(help="Only the first so many.", min=1)] = None,  # noqa: UP045
    dataset: Annotated[
        str,
        typer.Option(
            help="Which one it is: rasa, rural-women, vaani, globe, svq, indictts, limmits. Without it, "
            "files and columns tell what they can."
        ),
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            help="The part to be measured, as test; of a set that is known the usual one, else all."
        ),
    ] = "",
) -> None:
    """Word and character errors on a data set, heard over a telephone line; prints one JSON object."""
    try:
        from ivr.evaluation.asr import Options, run
    except ModuleNotFoundError as error:
        raise SystemExit(f"ivr: {error.name} is not installed: pip install 'ivr-server[eval]'") from error
    from ivr.evaluation.line import Line

    options = Options(
        manifest, url, config, key, model, language, Line(snr, loss), limit, dataset=dataset, split=split
    )
    raise SystemExit(run(options))


def _serve(
    kind: Literal["asr", "tts"],
    service: Callable[[Config], AbstractAsyncContextManager[FastAPI]],
    title: str,
    config: Path | None,
    host: str | None,
    port: int | None,
    announce: Path | None,
) -> None:
    from engines.contract import EngineError
    from engines.service.serving import run
    from ivr.config import Config, ConfigError, load
    from ivr.failures import first_of

    try:
        loaded = load(config) if config else Config()
        settings = getattr(loaded.services, kind)
        run(
            lambda: service(loaded),
            host or settings.host,
            settings.port if port is None else port,
            announce,
            title,
        )
    except* (ConfigError, EngineError, OSError) as failed:
        raise SystemExit(f"ivr: {first_of(failed)}") from failed


def _options(
    url: str | None,
    config: Path | None,
    key: str | None,
    model: str,
    languages: str,
    streams: str,
    seconds: float,
    plot: Path | None,
    cores: str | None,
    random_weights: bool,
) -> Options:
    """What both benches are told. Raises `typer.BadParameter`."""
    from ivr.bench.service import Options

    return Options(
        url=url,
        config=config,
        key=key,
        model=model,
        languages=tuple(each.strip() for each in languages.split(",")),
        levels=_numbers(streams, "--streams", least=1),
        seconds=seconds,
        plot=plot,
        cpus=frozenset(_numbers(cores, "--cores", least=0)) if cores else None,
        random_weights=random_weights,
    )


def _numbers(text: str, option: str, *, least: int) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    try:
        found = tuple(int(each) for each in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < least:
        raise typer.BadParameter(
            f"{text!r} should be whole numbers from {least} on, with commas between them", param_hint=option
        )
    return found


def register(app: typer.Typer, bench: typer.Typer, evaluation: typer.Typer) -> None:
    app.command("asr")(asr)
    app.command("tts")(tts)
    evaluation.command("asr")(eval_asr)
    bench.command("asr")(bench_asr)
    bench.command("tts")(bench_tts)
