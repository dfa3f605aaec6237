"""`ivr campaign`: campaigns of the running server; `register` hangs it into `ivr`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Campaigns of the running server: list, start, pause, import.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Id = Annotated[str, typer.Argument(help="The campaign, as `ivr campaign list` names it.")]


@app.command("list")
def list_campaigns(config: ConfigFile = Path("ivr.yaml")) -> None:
    """The newest campaigns, and how far each is."""
    from ivr.campaigns.command import run, show

    raise SystemExit(run(config, "campaigns:read", show))


@app.command()
def start(campaign: Id, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Starts a campaign, or lets it go on."""
    _press(config, campaign, "start")


@app.command()
def pause(campaign: Id, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Calls nobody for a while; calls under way end as they do."""
    _press(config, campaign, "pause")


@app.command()
def cancel(campaign: Id, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Calls nobody any more, for good."""
    _press(config, campaign, "cancel")


@app.command("import")
def import_table(
    campaign: Id,
    file: Annotated[Path, typer.Argument(help="A table of contacts: CSV, UTF-8.")],
    config: ConfigFile = Path("ivr.yaml"),
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Store the rows without a mistake.")] = False,
) -> None:
    """Adds the contacts of a table, or tells every mistake of it as FILE:LINE: column: what is wrong."""
    from functools import partial

    from ivr.campaigns.command import import_contacts, run

    act = partial(import_contacts, campaign=campaign, file=file, skip_bad=skip_bad)
    raise SystemExit(run(config, "campaigns:write", act))


def _press(config: Path, campaign: str, action: str) -> None:
    from functools import partial

    from ivr.campaigns.command import press, run

    raise SystemExit(run(config, "campaigns:write", partial(press, campaign=campaign, action=action)))


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="campaign")
