"""The `ivr` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    name="ivr",
    help="A telephony-first SIP/IVR application server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Language = Annotated[Optional[str], typer.Option(help="The session's language: hi, mr or en.")]  # noqa: UP045


@app.command()
def serve(
    config: ConfigPath = Path("ivr.yaml"),
    announce: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write the real addresses as JSON to this file once calls are taken."),
    ] = None,
) -> None:
    """Takes calls until it is told to stop (SIGTERM or Ctrl-C: live calls finish first)."""
    from ivr.config import ConfigError
    from ivr.library import LibraryError
    from ivr.main import main

    try:
        main(config, announce)
    except (ConfigError, LibraryError, OSError) as error:
        raise SystemExit(f"ivr: {error}") from error


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.")],
    config: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--config", "-c", help="Also check the names that flows take from this configuration."),
    ] = None,
) -> None:
    """Checks flows: every mistake with its file, line, column, rule and a hint."""
    from ivr.flow.check_command import run

    raise SystemExit(run(paths, _environment(config)))


def main() -> None:
    app(prog_name="ivr")


if __name__ == "__main__":
    sys.exit(main())
