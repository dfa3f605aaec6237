"""`ivr admin` and `ivr admin user`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyotp
import pytest
from typer.testing import CliRunner, Result

from ivr.admin import passwords
from ivr.cli import app
from tests.admin.fake_gateway import KEY, FakeGateway

PASSWORD = "correct horse battery\n"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import PasswordHasher

    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


class Shell:
    def __init__(self, folder: Path) -> None:
        self._config = folder / "ivr.yaml"
        self._admin: dict[str, Any] = {"users": str(folder / "admin.db")}
        self.configure()

    def configure(self, **admin: Any) -> None:
        self._config.write_text(json.dumps({"admin": {**self._admin, **admin}}))

    def __call__(self, *words: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, ["admin", *words, "-c", str(self._config)], input=typed)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_users_come_and_go(shell: Shell) -> None:
    assert "There is no user yet: ivr admin user add NAME --role admin" in shell("user", "list").stdout
    made = shell("user", "add", "asha", "--role", "admin", typed=PASSWORD)
    assert (made.exit_code, made.stdout) == (0, "asha may log in as admin.\n")
    assert shell("user", "add", "vera", typed=PASSWORD).exit_code == 0
    assert "operator from the next action on" in shell("user", "role", "vera", "operator").stdout
    assert shell("user", "password", "vera", typed="another long password\n").exit_code == 0
    listed = shell("user", "list").stdout
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["asha", "admin", "no"],
        ["vera", "operator", "no"],
    ]
    assert shell("user", "remove", "vera").exit_code == 0
    assert "vera" not in shell("user", "list").stdout


def test_a_secret_is_shown_once_and_is_an_authenticators(shell: Shell) -> None:
    shell("user", "add", "asha", "--role", "admin", typed=PASSWORD)
    told = shell("user", "totp", "asha").stdout
    link = next(word for word in told.split() if word.startswith("otpauth://"))
    assert isinstance(pyotp.parse_uri(link), pyotp.TOTP)
    assert "yes" in shell("user", "list").stdout
    assert pyotp.parse_uri(link).secret not in shell("user", "list").stdout
    assert "without a code" in shell("user", "totp", "asha", "--off").stdout


@pytest.mark.parametrize(
    ("words", "typed", "says"),
    [
        (("user", "add", "Asha"), PASSWORD, "a name is of a-z"),
        (("user", "add", "asha"), PASSWORD, "there is a user asha already"),
        (
            ("user", "add", "omar", "--role", "king"),
            PASSWORD,
            "there is no role 'king': write viewer, operator, admin",
        ),
        (("user", "add", "omar"), "short\n", "10 letters at least; nothing was changed"),
        (("user", "add", "omar"), "", "10 letters at least"),
        (("user", "password", "omar"), PASSWORD, "there is no user omar"),
        (("user", "role", "asha", "viewer"), "", "asha is the only admin"),
        (("user", "remove", "asha"), "", "asha is the only admin"),
        ((), "", "admin.key is not set: give the dashboard a key of api.keys"),
    ],
)
def test_what_cannot_be_is_said(shell: Shell, words: tuple[str, ...], typed: str, says: str) -> None:
    shell("user", "add", "asha", "--role", "admin", typed=PASSWORD)
    refused = shell(*words, typed=typed)
    assert refused.exit_code == 1
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_the_shell_does_is_in_the_audit_log(shell: Shell) -> None:
    with FakeGateway() as gateway:
        shell.configure(gateway=gateway.url, key=KEY)
        shell("user", "add", "asha", "--role", "admin", typed=PASSWORD)
        (entry,) = gateway.audit
    assert (entry["action"], entry["target"], entry["detail"]) == ("user.added", "asha", {"role": "admin"})
    assert entry["operator"].startswith("shell:")
    away = shell("user", "totp", "asha")
    assert away.exit_code == 0  # done, though nobody could be told
    assert "not in the audit log" in away.stderr
    assert KEY not in away.stderr


def test_an_origin_with_a_path_is_refused(shell: Shell) -> None:
    shell.configure(key=KEY, origin="https://ivr.example/admin")
    refused = shell()
    assert refused.exit_code == 1
    assert "admin.origin" in refused.stderr
    assert "without a path" in refused.stderr
