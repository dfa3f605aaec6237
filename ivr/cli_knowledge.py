"""`ivr knowledge`: what agents may look up; `register` hangs it into `ivr`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="What agents may look up: build the index, ask it, erase it.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]


@app.command()
def build(config: ConfigFile = Path("ivr.yaml")) -> None:
    """Reads the files that have changed, and says what is left out and why. The server does it by itself.

    Ends with 0 (all is read), 1 (something is left out) or 2 (nothing could be done)."""
    from ivr.knowledge.command import build

    raise SystemExit(build(config))


@app.command()
def ask(
    collection: Annotated[str, typer.Argument(help="The collection, as the configuration names it.")],
    question: Annotated[str, typer.Argument(help="What a caller might ask.")],
    config: ConfigFile = Path("ivr.yaml"),
    most: Annotated[int, typer.Option(help="How many passages are shown.", min=1, max=20)] = 4,
) -> None:
    """The passages that an agent would be given for a question, and how long it took to find them."""
    from ivr.knowledge.command import ask

    raise SystemExit(ask(config, collection, question, most))


@app.command()
def erase(config: ConfigFile = Path("ivr.yaml")) -> None:
    """Deletes the index; a server that runs builds it anew from the files that are there then."""
    from ivr.knowledge.command import forget

    raise SystemExit(forget(config))


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="knowledge")
