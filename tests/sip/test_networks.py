"""Which addresses can be reached from where."""

from __future__ import annotations

import pytest

from sip.networks import behind_nat, from_outside, is_address


@pytest.mark.parametrize(
    ("told", "seen", "behind"),
    [
        ("192.168.1.20", "203.0.113.9", True),
        ("10.4.5.6", "203.0.113.9", True),
        ("fd00::5", "2001:db8::9", True),
        ("192.168.1.20", "10.1.1.1", False),  # in a private network of ours, and so is the other, perhaps
        ("192.168.1.20", "127.0.0.1", False),  # a proxy on this machine
        ("203.0.113.9", "203.0.113.10", False),
        ("phone.local", "203.0.113.9", False),
    ],
)
def test_a_private_address_behind_one_of_the_internet_leads_nowhere(
    told: str, seen: str, behind: bool
) -> None:
    assert behind_nat(told, seen) is behind


def test_the_advertised_address_is_for_those_who_reach_us_by_it() -> None:
    assert from_outside("203.0.113.9", "198.51.100.1")
    assert not from_outside("127.0.0.1", "198.51.100.1")
    assert not from_outside("10.0.0.5", "198.51.100.1")
    assert from_outside("10.0.0.5", "10.0.0.1")
    assert not from_outside("2001:db8::9", "198.51.100.1")
    assert from_outside("203.0.113.9", "ivr.example")


def test_addresses_and_names() -> None:
    assert is_address("192.0.2.1")
    assert is_address("2001:db8::1")
    assert not is_address("192.0.2")
    assert not is_address("gw.example")
