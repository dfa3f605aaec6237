"""`ivr engines`: what there is, how it stands here, and how to get it; `register` hangs it into `ivr`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="Speech engines: list, install, test, remove.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Name = Annotated[str, typer.Argument(help="The engine's name, as `ivr engines list` has it.")]


@app.command("list")
def list_engines(
    config: ConfigFile = Path("ivr.yaml"),
    json: Annotated[bool, typer.Option("--json", help="As JSON, with everything the catalogue has.")] = False,
) -> None:
    """Which engines there are: installed or not, languages, rate, licence, VRAM, latency as last measured."""
    from ivr.engines_command import list_engines

    raise SystemExit(list_engines(config, as_json=json))


@app.command()
def install(
    name: Name,
    config: ConfigFile = Path("ivr.yaml"),
    python: Annotated[
        str, typer.Option(help="The Python that makes the engine's virtual environment.")
    ] = sys.executable,
    hub: Annotated[str, typer.Option(help="The hub, or a mirror of it.", envvar="HF_ENDPOINT")] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="For weights that may not earn money: keep to it.")
    ] = False,
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="Leave the virtual environment alone.")
    ] = False,
) -> None:
    """Makes the engine's virtual environment and fetches its weights; may be interrupted and called again."""
    from ivr.engines_command import install

    raise SystemExit(
        install(config, name, python=python, hub=hub, accepted=accept_licence, weights_only=weights_only)
    )


@app.command()
def budget(
    config: ConfigFile = Path("ivr.yaml"),
    json: Annotated[bool, typer.Option("--json", help="As JSON, as GET /admin/gpu/status has it.")] = False,
) -> None:
    """Whether the engines of the configuration fit on the graphics card, and who takes how much of it."""
    from ivr.gpu_command import budget

    raise SystemExit(budget(config, as_json=json))


@app.command("test")
def try_out(name: Name, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Starts the engine, lets it hear, speak or encode a sentence, and notes how long it took."""
    from ivr.engines_command import try_out

    raise SystemExit(try_out(config, name))


@app.command()
def remove(name: Name, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Deletes the engine's weights, and its environment when no other engine needs it."""
    from ivr.engines_command import remove

    raise SystemExit(remove(config, name))


@app.command()
def voices(
    name: Name,
    config: ConfigFile = Path("ivr.yaml"),
    take: Annotated[
        Optional[Path],  # noqa: UP045 (typer reads it at run time)
        typer.Option(help="Add the voices of this folder: presets (.pt), or .wav with their words in .txt."),
    ] = None,
) -> None:
    """Lists the voices of an engine, as flows name them; adds others to an engine whose voices are files."""
    from ivr.engines_command import voices

    raise SystemExit(voices(config, name, take))


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="engines")
