"""The commands about calls that come by the web."""

from __future__ import annotations

from typing import Annotated

import typer


def bench_web(
    exotel: Annotated[int, typer.Option(help="So many streams of Exotel's at once.", min=1)] = 100,
    seconds: Annotated[float, typer.Option(help="How long all of them are up.", min=1)] = 20.0,
    chunk_ms: Annotated[
        int | None, typer.Option(help="How long the chunks are; without it 3,200 bytes.", min=20, max=2000)
    ] = None,
) -> None:
    """Calls by the web at once, each hearing prompts and pressing keys; prints one JSON object."""
    from ivr.bench.web.exotel import Options, run

    raise SystemExit(run(Options(exotel, seconds, chunk_ms)))


def register(bench: typer.Typer) -> None:
    bench.command("web")(bench_web)
