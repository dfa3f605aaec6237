"""`ivr llm`: language models; `register` hangs it into `ivr`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Language models that agents talk with.", no_args_is_help=True)


@app.callback()
def _models() -> None:
    """One command alone would take the name of the group."""


@app.command("test")
def try_out(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path(
        "ivr.yaml"
    ),
) -> None:
    """Asks each provider a question, and gives it a tool: how soon, how fast, whether tools work, the cost.
    A model of meaning is asked for the vector of a question.

    Ends with 0 (all well), 1 (one does not work as it should) or 2 (nothing could be tried)."""
    from ivr.llm_command import test

    raise SystemExit(test(config))


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="llm")
