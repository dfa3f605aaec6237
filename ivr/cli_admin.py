"""`ivr admin`: the dashboard and its users; `register` hangs it into `ivr`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="The dashboard: `ivr admin` serves it, `ivr admin user` says who may log in.")
user = typer.Typer(help="Who may log in to the dashboard.", no_args_is_help=True)
app.add_typer(user, name="user")

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Name = Annotated[str, typer.Argument(help="The user's name.")]
RoleName = Annotated[str, typer.Option(help="viewer, operator or admin.")]
OptionalPath = Optional[Path]  # noqa: UP045 (typer reads it at run time)


@app.callback(invoke_without_command=True)
def admin(
    context: typer.Context,
    config: ConfigFile = Path("ivr.yaml"),
    announce: Annotated[
        OptionalPath, typer.Option(help="Write the real address to this file, as JSON, once it is served.")
    ] = None,
) -> None:
    """Serves the dashboard until it is told to stop (SIGTERM or Ctrl-C)."""
    if context.invoked_subcommand is None:
        from ivr.admin.command import run

        raise SystemExit(run(config, announce))


@user.command()
def add(name: Name, role: RoleName = "viewer", config: ConfigFile = Path("ivr.yaml")) -> None:
    """Makes a user; asks for the password (or reads one line where nobody types)."""
    from ivr.admin.command import add_user

    raise SystemExit(add_user(config, name, role))


@user.command()
def password(name: Name, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Sets another password, and ends the user's sessions."""
    from ivr.admin.command import set_password

    raise SystemExit(set_password(config, name))


@user.command()
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help="viewer, operator or admin.")],
    config: ConfigFile = Path("ivr.yaml"),
) -> None:
    """Sets the role; it counts from the user's next action on."""
    from ivr.admin.command import set_role

    raise SystemExit(set_role(config, name, role))


@user.command()
def totp(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Log-ins need no code any more.")] = False,
    config: ConfigFile = Path("ivr.yaml"),
) -> None:
    """Has log-ins ask for a one-time code: shows the secret for an authenticator, once."""
    from ivr.admin.command import set_totp

    raise SystemExit(set_totp(config, name, off=off))


@user.command()
def remove(name: Name, config: ConfigFile = Path("ivr.yaml")) -> None:
    """Removes a user, and ends the user's sessions."""
    from ivr.admin.command import remove_user

    raise SystemExit(remove_user(config, name))


@user.command("list")
def list_users(config: ConfigFile = Path("ivr.yaml")) -> None:
    """All users: role, one-time codes, when they were last here."""
    from ivr.admin.command import list_users

    raise SystemExit(list_users(config))


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="admin")
