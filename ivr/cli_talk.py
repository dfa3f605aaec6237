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


class ReportFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def eval_talk(
    paths: Annotated[list[Path], typer.Argument(help="Files of scenarios, or folders of them.")],
    config: Annotated[
        OptionalPath,
        typer.Option(
            "--config", "-c", help="What conversations are held with; without it the embedded engines are."
        ),
    ] = None,
    only: Annotated[str, typer.Option(help="Play those with this in their name.")] = "",
    at_once: Annotated[int, typer.Option(help="How many calls at a time.", min=1, max=50)] = 1,
    format: Annotated[ReportFormat, typer.Option(help="What is printed.")] = ReportFormat.TEXT,
    json: Annotated[OptionalPath, typer.Option(help="Also write the figures to this file.")] = None,
    junit: Annotated[OptionalPath, typer.Option(help="Also write the outcome as JUnit XML.")] = None,
) -> None:
    """Simulated callers over real SIP: were they served, how soon, and were they let finish?

    Ends with 0 (all as expected), 1 or 2 (nothing could be played)."""
    from ivr.evaluation.talk.command import Options, run

    raise SystemExit(run(Options(tuple(paths), config, only, at_once, format.value, json, junit)))


class Profile(StrEnum):
    NONE = "none"
    FAST = "fast"
    RTX3060 = "rtx3060"


def bench_talk(
    conversations: Annotated[
        str, typer.Option(help="How many there are at once, one measurement each.")
    ] = "1,20,60",
    seconds: Annotated[float, typer.Option(help="How long each measurement lasts.", min=1)] = 40.0,
    profile: Annotated[
        Profile,
        typer.Option(
            help="What transcript, first token and first audio take: 0, 50/100/50 or 150/200/150 ms."
        ),
    ] = Profile.NONE,
    agent: Annotated[
        bool, typer.Option(help="With a language model; without one a form says again what it hears.")
    ] = True,
    plot: Annotated[OptionalPath, typer.Option(help="Also draw the figures as SVG.")] = None,
    trace: Annotated[
        OptionalPath, typer.Option(help="Also draw the waterfalls of the last conversation, as SVG.")
    ] = None,
) -> None:
    """How soon callers get a reply from engines of known speed, and how soon it gives way to them.

    Prints one JSON object."""
    from ivr.bench.talk import Options, run

    levels = tuple(int(each) for each in conversations.split(","))
    raise SystemExit(run(Options(levels, seconds, profile.value, agent, plot, trace)))


def bench_turns(
    seeds: Annotated[int, typer.Option(help="How many of each sound that means nothing.", min=1)] = 10,
    voices: Annotated[int, typer.Option(help="How many voices say each text.", min=1, max=6)] = 2,
    final_ms: Annotated[int, typer.Option(help="What the recogniser takes.", min=0)] = 150,
    partials: Annotated[bool, typer.Option(help="It tells what it has heard so far.")] = True,
) -> None:
    """What interrupts a prompt: words do, coughs, music, a listener's "hmm" and an echo do not.

    Prints one JSON object; ends with 0 when false and missed interruptions are under 2 %."""
    from ivr.bench.turns import Options, run

    raise SystemExit(run(Options(seeds, voices, final_ms, partials)))


def register(app: typer.Typer, bench: typer.Typer, evaluation: typer.Typer) -> None:
    app.command()(trace)
    bench.command("talk")(bench_talk)
    bench.command("turns")(bench_turns)
    evaluation.command("talk")(eval_talk)
