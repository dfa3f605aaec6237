"""The `ivr` command: one thin function per subcommand, each importing only what it needs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from ivr import (
    cli_admin,
    cli_campaigns,
    cli_engines,
    cli_flows,
    cli_knowledge,
    cli_llm,
    cli_prompts,
    cli_speech,
    cli_talk,
    cli_web,
)

app = typer.Typer(
    help="A telephony-first SIP/IVR application server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Measure the server from outside its process.", no_args_is_help=True)
app.add_typer(bench, name="bench")
evaluation = typer.Typer(help="Measure how well callers are understood and served.", no_args_is_help=True)
app.add_typer(evaluation, name="eval")
trunk = typer.Typer(help="Look at trunks.", no_args_is_help=True)
app.add_typer(trunk, name="trunk")


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time)
OptionalText = Optional[str]  # noqa: UP045


@app.command()
def serve(
    config: ConfigFile = Path("ivr.yaml"),
    announce: Annotated[
        OptionalPath,
        typer.Option(help="Write the real addresses to this file, as JSON, once calls are taken."),
    ] = None,
) -> None:
    """Takes calls until it is told to stop (SIGTERM or Ctrl-C; live calls finish first)."""
    from engines.contract import EngineError
    from ivr.config import ConfigError
    from ivr.library import LibraryError
    from ivr.main import main
    from ivr.store import StoreError

    try:
        main(config, announce)
    except (ConfigError, LibraryError, StoreError, EngineError, OSError) as error:
        raise SystemExit(f"ivr: {error}") from error


@app.command()
def up(config: ConfigFile = Path("ivr.yaml")) -> None:
    """Voices, recognisers, calls and dashboard: four processes, until they are told to stop (Ctrl-C)."""
    from ivr.config import ConfigError
    from ivr.up import NotUp, main

    try:
        main(config)
    except (ConfigError, NotUp, OSError) as error:
        raise SystemExit(f"ivr: {error}") from error


cli_flows.register(app)
cli_speech.register(app, bench, evaluation)
cli_engines.register(app)
cli_prompts.register(app)
cli_llm.register(app)
cli_knowledge.register(app)
cli_talk.register(app, bench, evaluation)
cli_admin.register(app)
cli_campaigns.register(app)
cli_web.register(bench)


@bench.command()
def calls(
    calls: Annotated[int, typer.Option(help="Calls at once.", min=1)] = 200,
    seconds: Annotated[float, typer.Option(help="How long all of them are up.", min=1)] = 30.0,
    rate: Annotated[float, typer.Option(help="Calls set up a second.", min=0.1)] = 20.0,
    server: Annotated[
        OptionalText, typer.Option(help="HOST:PORT of a server that is up; without it one is started.")
    ] = None,
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypted media, both ways.")] = False,
) -> None:
    """Many calls at once, each hearing prompts and pressing keys; prints one JSON object."""
    from ivr.bench.command import Options, run

    raise SystemExit(run(Options(calls, seconds, rate, server, srtp)))


@bench.command("rate")
def bench_rate(
    rate: Annotated[float, typer.Option(help="Calls that come and go a second.", min=0.1)] = 20.0,
    seconds: Annotated[float, typer.Option(help="How long they come.", min=5)] = 30.0,
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypted media, both ways.")] = False,
) -> None:
    """Calls that are answered, hear a prompt and hang up, at a rate; prints one JSON object."""
    from ivr.bench.command import RateOptions, run

    raise SystemExit(run(RateOptions(rate, seconds, srtp)))


@trunk.command()
def doctor(
    name: Annotated[str, typer.Argument(help="The trunk's name in the configuration.")],
    config: ConfigFile = Path("ivr.yaml"),
    format: Annotated[Format, typer.Option(help="How the findings are printed.")] = Format.TEXT,
    call: Annotated[
        OptionalText, typer.Option(help="Also call this number: it rings, and is hung up after 5 s.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the call.")] = False,
) -> None:
    """Checks DNS, reachability, TLS, registration, our address, media and clock; says what to mend.

    Ends with 0 (all well, or warnings), 1 (something must be mended) or 2 (nothing could be checked)."""
    from ivr.doctor.command import doctor

    if call is not None and not yes and not _agreed(f"This calls {call}, and may cost. Go on?"):
        raise SystemExit(2)
    raise SystemExit(doctor(config, name, format.value, call))


@trunk.command("list")
def list_trunks(config: ConfigFile = Path("ivr.yaml")) -> None:
    """The trunks of the configuration, and how they stand in the running server."""
    from ivr.doctor.command import list_trunks

    raise SystemExit(list_trunks(config))


@app.command()
def demo() -> None:
    """Two scripted calls to the vendor-order flow, seen from both ends."""
    from ivr.demo import run

    raise SystemExit(run())


@app.command()
def phone(
    uri: Annotated[OptionalText, typer.Argument(help="Whom to call, as sip:1001@127.0.0.1:5060.")] = None,
    answer: Annotated[bool, typer.Option("--answer", help="Wait for a call instead of placing one.")] = False,
    listen: Annotated[
        OptionalText, typer.Option(help="Where to be reached, as udp:127.0.0.1:5070; port 0 is any free one.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language that --say and scripts speak.")] = "hi",
    say: Annotated[OptionalText, typer.Option(help="Say this when the first prompt is over.")] = None,
    wav: Annotated[OptionalPath, typer.Option(help="Play this file when the first prompt is over.")] = None,
    script: Annotated[OptionalPath, typer.Option(help="Follow this script.")] = None,
    record: Annotated[OptionalPath, typer.Option(help="Where to record (left: heard, right: said).")] = None,
) -> None:
    """A phone for the terminal: type keys, or let it speak or follow a script."""
    from ivr.phone.command import Options, run

    if answer and listen is None:
        listen = "udp:127.0.0.1:5070"
    if answer == (uri is not None):
        raise typer.BadParameter("give an address to call, or --answer")
    raise SystemExit(run(Options(uri, language, say, wav, script, record, listen)))


def _agreed(question: str) -> bool:
    """Where nobody can be asked, nobody agrees."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def main() -> None:
    app(prog_name="ivr")


if __name__ == "__main__":
    main()
