"""How long somebody waits before the next try to log in."""

from __future__ import annotations

import pytest

from ivr.admin.lockout import (
    FIRST_WAIT_S,
    FORGOTTEN_S,
    FREE_ADDRESS,
    FREE_NAME,
    FREE_PAIR,
    LONGEST_WAIT_S,
    Lockout,
)


def failing(
    lockout: Lockout, times: int, name: str = "asha", address: str = "192.0.2.1", at: float = 0.0
) -> None:
    for _ in range(times):
        lockout.failed(name, address, at)


def test_a_few_slips_cost_nothing() -> None:
    lockout = Lockout()
    failing(lockout, FREE_PAIR - 1)
    assert lockout.wait_s("asha", "192.0.2.1", 0.0) == 0


def test_each_further_one_doubles_the_wait_up_to_a_bound() -> None:
    lockout = Lockout()
    waits = []
    for number in range(FREE_PAIR + 12):
        failing(lockout, 1)
        if number + 1 >= FREE_PAIR:
            waits.append(lockout.wait_s("asha", "192.0.2.1", 0.0))
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S


def test_the_wait_passes() -> None:
    lockout = Lockout()
    failing(lockout, FREE_PAIR, at=100.0)
    assert lockout.wait_s("asha", "192.0.2.1", 101.0) == pytest.approx(FIRST_WAIT_S - 1)
    assert lockout.wait_s("asha", "192.0.2.1", 100.0 + FIRST_WAIT_S) == 0


def test_somebody_elsewhere_is_not_locked_out_by_one_who_guesses() -> None:
    lockout = Lockout()
    failing(lockout, 19, address="198.51.100.7")
    assert lockout.wait_s("asha", "198.51.100.7", 0.0) > 0
    assert lockout.wait_s("asha", "192.0.2.1", 0.0) == 0


def test_an_address_that_tries_many_names_waits() -> None:
    lockout = Lockout()
    for number in range(FREE_ADDRESS):
        lockout.failed(f"user{number}", "192.0.2.1", 0.0)
    assert lockout.wait_s("another", "192.0.2.1", 0.0) == FIRST_WAIT_S
    assert lockout.wait_s("another", "192.0.2.2", 0.0) == 0


def test_a_name_that_many_addresses_try_waits_too() -> None:
    lockout = Lockout()
    for number in range(FREE_NAME):
        lockout.failed("asha", f"2001:db8::{number:x}", 0.0)
    assert lockout.wait_s("asha", "192.0.2.1", 0.0) == FIRST_WAIT_S


def test_success_forgets_the_slips_of_one_and_not_those_of_the_address() -> None:
    lockout = Lockout()
    failing(lockout, FREE_PAIR)
    lockout.failed("asha", "192.0.2.1", 10.0)
    lockout.succeeded("asha", "192.0.2.1")
    assert lockout.wait_s("asha", "192.0.2.1", 10.0) == 0
    failing(lockout, FREE_ADDRESS - FREE_PAIR, name="balu", at=10.0)
    assert lockout.wait_s("asha", "192.0.2.1", 10.0) == FIRST_WAIT_S


def test_all_is_forgotten_after_an_hour() -> None:
    lockout = Lockout()
    failing(lockout, 30)
    assert lockout.wait_s("asha", "192.0.2.1", FORGOTTEN_S + 1) == 0
    failing(lockout, 1, at=FORGOTTEN_S + 2)
    assert lockout.wait_s("asha", "192.0.2.1", FORGOTTEN_S + 2) == 0


def test_it_does_not_grow_without_bound() -> None:
    lockout = Lockout()
    for number in range(30_000):
        lockout.failed(f"user{number}", f"address{number}", 0.0)
    assert len(lockout._tries) <= 20_000
