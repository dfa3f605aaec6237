"""The commands about calls that come by the web."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

OptionalInt = Optional[int]  # noqa: UP045 (typer reads it while the command runs)


def bench_web(
    calls: Annotated[OptionalInt, typer.Option(help="So many browsers at once (WebRTC).", min=1)] = None,
    exotel: Annotated[OptionalInt, typer.Option(help="So many streams of Exotel's at once.", min=1)] = None,
    seconds: Annotated[float, typer.Option(help="How long all of them are up.", min=1)] = 20.0,
    chunk_ms: Annotated[
        OptionalInt,
        typer.Option(help="How long Exotel's chunks are; without it 3,200 bytes.", min=20, max=2000),
    ] = None,
    dashboard: Annotated[
        OptionalInt, typer.Option(help="So many calls by SIP, watched by a dashboard.", min=1)
    ] = None,
) -> None:
    """Calls by the web at once: with --calls from a browser's microphone to the server's ear and back, with
    --exotel from key to prompt; with --dashboard what it costs to watch so many calls; prints one JSON
    object."""
    if sum(each is not None for each in (calls, exotel, dashboard)) != 1:
        raise typer.BadParameter("say what is to be measured: --calls 20, --exotel 100 or --dashboard 500")
    if calls is not None:
        from ivr.bench.web import browsers

        raise SystemExit(browsers.run(browsers.Options(calls, seconds)))
    if dashboard is not None:
        from ivr.bench.web import dashboard as watched

        raise SystemExit(watched.run(watched.Options(dashboard, seconds)))
    assert exotel is not None
    from ivr.bench.web.exotel import Options, run

    raise SystemExit(run(Options(exotel, seconds, chunk_ms)))


def register(bench: typer.Typer) -> None:
    bench.command("web")(bench_web)
