"""The commands about conversations; `register` hangs them into the `ivr` command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time)
OptionalText = Optional[str]  # noqa: UP045


class TraceFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    HTML = "html"
    SVG = "svg"
    PNG = "png"


def trace(
    call_id: Annotated[str, typer.Argument(help="The call's id; `last` is the newest call.")],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration file, whose store is read.")
    ] = Path("ivr.yaml"),
    server: Annotated[
        OptionalText, typer.Option(help="Ask the API of a server instead, as http://127.0.0.1:8080.")
    ] = None,
    key: Annotated[OptionalText, typer.Option(help="A key of its API, with calls:read.")] = None,
    format: Annotated[
        Optional[TraceFormat],  # noqa: UP045
        typer.Option(help="Without it the name of --out decides, else text."),
    ] = None,
    out: Annotated[OptionalPath, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Shows where the time of every turn of a call went, from the end of speech to the first packet."""
    from ivr.trace.command import Options, run

    suffix = out.suffix.removeprefix(".") if out is not None else ""
    named = next((known for known in TraceFormat if known.value == suffix), TraceFormat.TEXT)
    raise SystemExit(run(Options(call_id, config, server, key, (format or named).value, out)))


def register(app: typer.Typer, bench: typer.Typer) -> None:
    app.command()(trace)
