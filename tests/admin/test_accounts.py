"""Users and their sessions, over the file that keeps them."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest

from ivr.admin import passwords
from ivr.admin.accounts import Accounts, AccountsError, Lifetimes
from ivr.admin.roles import Role

T0 = 1_800_000_000.0
LIFETIMES = Lifetimes(whole_s=3600, idle_s=600)


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    accounts = await Accounts.open(tmp_path / "admin.db", LIFETIMES)
    await accounts.add("asha", Role.ADMIN, "hash-of-asha", T0)
    await accounts.add("balu", Role.VIEWER, "hash-of-balu", T0)
    yield accounts
    await accounts.close()


async def test_a_session_lasts_until_it_is_idle_or_old(accounts: Accounts) -> None:
    token = await accounts.log_in("asha", "192.0.2.1", T0)
    session = await accounts.session(token, T0 + 599)
    assert session is not None
    assert (session.user.name, session.user.role) == ("asha", Role.ADMIN)
    assert await accounts.session(token, T0 + 1190) is not None  # idle since 599
    assert await accounts.session(token, T0 + 1190 + 601) is None

    busy = await accounts.log_in("balu", "", T0)
    for minute in range(0, 3600, 300):
        assert await accounts.session(busy, T0 + minute) is not None
    assert await accounts.session(busy, T0 + 3600) is None


async def test_to_look_without_use_keeps_nobody_logged_in(accounts: Accounts) -> None:
    token = await accounts.log_in("asha", "", T0)
    assert await accounts.session(token, T0 + 500, used=False) is not None
    assert await accounts.session(token, T0 + 601, used=False) is None


async def test_no_other_token_opens_anything(accounts: Accounts) -> None:
    token = await accounts.log_in("asha", "", T0)
    for other in ("", "x", token[:-1], token.swapcase(), "'; DROP TABLE sessions; --"):
        assert await accounts.session(other, T0) is None


async def test_the_file_holds_no_token_and_is_its_owners_alone(accounts: Accounts, tmp_path: Path) -> None:
    token = await accounts.log_in("asha", "", T0)
    await accounts.close()
    kept = _all_bytes(tmp_path)
    assert b"hash-of-asha" in kept
    assert token.encode() not in kept
    assert _mode(tmp_path / "admin.db") == 0o600


def _all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_new_password_a_code_and_removal_end_all_sessions(accounts: Accounts) -> None:
    for change in (
        lambda: accounts.set_password("balu", "another"),
        lambda: accounts.set_totp("balu", passwords.new_totp_secret()),
        lambda: accounts.log_out_everywhere("balu"),
        lambda: accounts.remove("balu"),
    ):
        tokens = [await accounts.log_in("balu", "", T0) for _ in range(2)]
        others = await accounts.log_in("asha", "", T0)
        await change()
        assert [await accounts.session(token, T0) for token in tokens] == [None, None]
        assert await accounts.session(others, T0) is not None


async def test_a_role_counts_at_once(accounts: Accounts) -> None:
    token = await accounts.log_in("balu", "", T0)
    await accounts.set_role("balu", Role.OPERATOR)
    session = await accounts.session(token, T0)
    assert session is not None
    assert session.user.role is Role.OPERATOR


async def test_the_last_admin_stays(accounts: Accounts) -> None:
    for change in (accounts.remove("asha"), accounts.set_role("asha", Role.VIEWER)):
        with pytest.raises(AccountsError, match="only admin"):
            await change
    await accounts.set_role("balu", Role.ADMIN)
    await accounts.remove("asha")
    assert [user.name for user in await accounts.users()] == ["balu"]


@pytest.mark.parametrize("name", ["", "Asha", "-a", "a b", "a" * 33, "आशा", "a/b", "1a"])
async def test_names_are_plain(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountsError, match="a name is"):
        await accounts.add(name, Role.VIEWER, "hash", T0)


async def test_what_is_not_there_is_said(accounts: Accounts) -> None:
    with pytest.raises(AccountsError, match="already"):
        await accounts.add("asha", Role.VIEWER, "hash", T0)
    with pytest.raises(AccountsError, match="no user chandra"):
        await accounts.set_password("chandra", "hash")
    with pytest.raises(AccountsError, match="no user chandra"):
        await accounts.remove("chandra")


async def test_a_code_is_good_once(accounts: Accounts) -> None:
    secret = passwords.new_totp_secret()
    await accounts.set_totp("asha", secret)
    code = pyotp.TOTP(secret).at(int(T0))
    known = await accounts.credentials("asha")
    assert known is not None
    step = passwords.totp_step(secret, f"{code[:3]} {code[3:]}", T0 + 5, known.totp_step)
    assert step is not None
    assert await accounts.use_totp("asha", step)
    assert not await accounts.use_totp("asha", step)
    known = await accounts.credentials("asha")
    assert known is not None
    assert passwords.totp_step(secret, code, T0 + 5, known.totp_step) is None


def test_a_code_of_another_time_is_wrong() -> None:
    secret = passwords.new_totp_secret()
    code = pyotp.TOTP(secret).at(int(T0))
    assert passwords.totp_step(secret, code, T0 + 31, 0) is not None  # the telephone is slow
    assert passwords.totp_step(secret, code, T0 + 120, 0) is None
    for wrong in ("", "000", "abcdef", "१२३४५६", code + "0"):
        assert passwords.totp_step(secret, wrong, T0, 0) is None


def test_a_password_is_verified_and_an_unknown_user_is_not() -> None:
    hash = passwords.hashed("correct horse battery")
    assert hash.startswith("$argon2id$")
    assert passwords.fits("correct horse battery", hash)
    assert not passwords.fits("correct horse batterY", hash)
    assert not passwords.fits("nobody has this password", None)
    assert not passwords.fits("x", "not a hash")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10 letters"),
        ("x" * 300, "256"),
        ("aaaaaaaaaaaa", "different"),
        ("asha-asha-1234", "name"),
        ("नमस्ते दुनिया जी", None),
        ("correct horse battery", None),
    ],
)
def test_which_passwords_will_do(password: str, why: str | None) -> None:
    fault = passwords.fault_of(password, "asha")
    assert (fault is None) if why is None else (fault is not None and why in fault)


async def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "admin.db").write_bytes(b"this is no database at all, but long enough to be looked at" * 40)
    with pytest.raises(AccountsError, match=r"admin\.db"):
        await Accounts.open(tmp_path / "admin.db", LIFETIMES)
