"""`ivr prompts`: prompts made ahead of calls, and what is kept of them; `register` hangs it into `ivr`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="The prompt cache on disk: make ahead, list, clear.", no_args_is_help=True)


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
AsFormat = Annotated[Format, typer.Option(help="How it is printed.")]


@app.command()
def build(
    flows: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.")],
    config: ConfigFile = Path("ivr.yaml"),
    language: Annotated[
        Optional[list[str]],  # noqa: UP045 (typer reads it at run time)
        typer.Option(help="Only this language; may be given several times."),
    ] = None,
    codec: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Only this codec (PCMA, PCMU, G722, opus) instead of those of the trunks."),
    ] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Makes every prompt that is the same in every call, by the voice of first choice; ends with 1 when some
    failed. May be called while the server runs."""
    from ivr.prompt_cache.command import BuildOptions, build

    options = BuildOptions(tuple(language or ()), tuple(codec or ()), format is Format.JSON)
    raise SystemExit(build(flows, config, options))


@app.command("list")
def list_prompts(config: ConfigFile = Path("ivr.yaml"), format: AsFormat = Format.TEXT) -> None:
    """What is kept on disk, that used last first."""
    from ivr.prompt_cache.command import list_prompts

    raise SystemExit(list_prompts(config, as_json=format is Format.JSON))


@app.command()
def clear(
    config: ConfigFile = Path("ivr.yaml"),
    engine: Annotated[str, typer.Option(help="Only what this engine spoke.")] = "",
    language: Annotated[str, typer.Option(help="Only this language.")] = "",
    unused_days: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Only what was not used for so many days.", min=0),
    ] = None,
) -> None:
    """Deletes what is kept on disk; it is made anew when it is needed."""
    from ivr.prompt_cache.command import clear

    raise SystemExit(clear(config, engine=engine, language=language, unused_days=unused_days))


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="prompts")
