"""The commands about speech; `register` hangs them into the `ivr` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time)


def tts(
    config: Annotated[
        OptionalPath,
        typer.Option(
            "--config", "-c", help="The configuration file; without it the embedded voice speaks alone."
        ),
    ] = None,
    host: Annotated[Optional[str], typer.Option(help="Listen there instead.")] = None,  # noqa: UP045
    port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Listen there instead; 0 takes any free port.", min=0, max=65535),
    ] = None,
    announce: Annotated[
        OptionalPath, typer.Option(help="Write the real address to this file, as JSON, once it answers.")
    ] = None,
) -> None:
    """Serves the voices over HTTP, in the shape of OpenAI's API (port 7002)."""
    from engines.contract import EngineError
    from engines.service.serving import run
    from ivr.config import Config, ConfigError, load
    from ivr.speech import tts_service

    try:
        loaded = load(config) if config else Config()
        settings = loaded.services.tts
        run(
            lambda: tts_service(loaded),
            host or settings.host,
            settings.port if port is None else port,
            announce,
            "Speech",
        )
    except* (ConfigError, EngineError, OSError) as failed:
        raise SystemExit(f"ivr: {_first(failed)}") from failed


def asr(
    config: Annotated[
        OptionalPath,
        typer.Option(
            "--config", "-c", help="The configuration file; without it the embedded recogniser hears alone."
        ),
    ] = None,
    host: Annotated[Optional[str], typer.Option(help="Listen there instead.")] = None,  # noqa: UP045
    port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Listen there instead; 0 takes any free port.", min=0, max=65535),
    ] = None,
    announce: Annotated[
        OptionalPath, typer.Option(help="Write the real address to this file, as JSON, once it answers.")
    ] = None,
) -> None:
    """Serves the recognisers over HTTP, in the shape of OpenAI's API, and over a WebSocket (port 7001)."""
    from engines.contract import EngineError
    from engines.service.serving import run
    from ivr.config import Config, ConfigError, load
    from ivr.recognition import asr_service

    try:
        loaded = load(config) if config else Config()
        settings = loaded.services.asr
        run(
            lambda: asr_service(loaded),
            host or settings.host,
            settings.port if port is None else port,
            announce,
            "Recognition",
        )
    except* (ConfigError, EngineError, OSError) as failed:
        raise SystemExit(f"ivr: {_first(failed)}") from failed


def bench_tts(
    url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address of a service that runs; without it one is started."),
    ] = None,
    config: Annotated[
        OptionalPath, typer.Option("--config", "-c", help="The configuration of the one that is started.")
    ] = None,
    key: Annotated[Optional[str], typer.Option(help="An API key of the service.")] = None,  # noqa: UP045
    model: Annotated[str, typer.Option(help="An engine; auto: by language.")] = "auto",
    languages: Annotated[str, typer.Option(help="What is spoken, separated by commas.")] = "hi,mr,en",
    streams: Annotated[
        str, typer.Option(help="How many listen at once, one measurement each.")
    ] = "1,2,4,8,16,32,50,64",
    seconds: Annotated[float, typer.Option(help="How long each measurement lasts.", min=1)] = 10.0,
    plot: Annotated[OptionalPath, typer.Option(help="Also draw the first audio as SVG.")] = None,
    cores: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Cores that a started service may use, as 0 or 0,1."),
    ] = None,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights",
            help="Measure indic-parler on random weights of its true dimensions; needs a GPU.",
        ),
    ] = False,
) -> None:
    """How soon the voices speak, against how many listen; prints one JSON object."""
    from ivr.bench.service import Options
    from ivr.bench.tts import run

    options = Options(
        url=url,
        config=config,
        key=key,
        model=model,
        languages=tuple(languages.split(",")),
        levels=tuple(int(each) for each in streams.split(",")),
        seconds=seconds,
        plot=plot,
        cpus=frozenset(int(each) for each in cores.split(",")) if cores else None,
        random_weights=random_weights,
    )
    raise SystemExit(run(options))


def bench_asr(
    url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address of a service that runs; without it one is started."),
    ] = None,
    config: Annotated[
        OptionalPath, typer.Option("--config", "-c", help="The configuration of the one that is started.")
    ] = None,
    key: Annotated[Optional[str], typer.Option(help="An API key of the service.")] = None,  # noqa: UP045
    model: Annotated[str, typer.Option(help="An engine; auto: by language.")] = "auto",
    languages: Annotated[str, typer.Option(help="What is spoken, separated by commas.")] = "hi,mr,en",
    streams: Annotated[
        str, typer.Option(help="How many speak at once, one measurement each.")
    ] = "1,2,4,8,16,32,64",
    seconds: Annotated[float, typer.Option(help="How long each measurement lasts.", min=1)] = 10.0,
    plot: Annotated[OptionalPath, typer.Option(help="Also draw the time to the final as SVG.")] = None,
    cores: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Cores that a started service may use, as 0 or 0,1."),
    ] = None,
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
    from ivr.bench.service import Options

    options = Options(
        url=url,
        config=config,
        key=key,
        model=model,
        languages=tuple(languages.split(",")),
        levels=tuple(int(each) for each in streams.split(",")),
        seconds=seconds,
        plot=plot,
        cpus=frozenset(int(each) for each in cores.split(",")) if cores else None,
        random_weights=random_weights,
    )
    raise SystemExit(run(options))


def eval_asr(
    manifest: Annotated[Path, typer.Argument(help="A data set: its manifest, or the folder with it.")],
    url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address of a service that runs; without it one is started."),
    ] = None,
    config: Annotated[
        OptionalPath, typer.Option("--config", "-c", help="The configuration of the one that is started.")
    ] = None,
    key: Annotated[Optional[str], typer.Option(help="An API key of the service.")] = None,  # noqa: UP045
    model: Annotated[str, typer.Option(help="An engine; auto: by language.")] = "auto",
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


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Several engines may fail at once: one is enough to say."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def register(app: typer.Typer, bench: typer.Typer, evaluation: typer.Typer) -> None:
    app.command("asr")(asr)
    app.command("tts")(tts)
    evaluation.command("asr")(eval_asr)
    bench.command("asr")(bench_asr)
    bench.command("tts")(bench_tts)
