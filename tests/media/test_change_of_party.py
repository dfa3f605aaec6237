"""Another party at the far end of a stream: whose packets are taken then. Pure."""

from __future__ import annotations

from random import Random

from media.peer import Peer
from media.reports import Reports
from media.source import PROBATION

OLD = ("192.0.2.2", 5000)
NEW = ("192.0.2.3", 6000)
BEHIND_NAT = ("203.0.113.9", 7000)


def heard(signalled: tuple[str, int]) -> Peer:
    """A peer that was heard from where it said."""
    peer = Peer(signalled, Reports(1, "us", 8000, Random(1)), 8000, 0.0)
    assert peer.admit(signalled, 1, 0.1)
    return peer


def test_late_packets_of_the_old_party_do_not_take_the_stream_over() -> None:
    peer = heard(OLD)
    peer.bar()
    peer.move(NEW)
    assert not any(peer.admit(OLD, sequence, 0.1) for sequence in range(2, 3 * PROBATION))
    assert peer.destination == NEW
    assert peer.admit(NEW, 1, 0.1)
    assert peer.source == NEW


def test_a_new_party_behind_a_nat_is_believed_after_its_probation() -> None:
    peer = heard(OLD)
    peer.bar()
    peer.move(NEW)
    taken = [peer.admit(BEHIND_NAT, sequence, 0.1) for sequence in range(PROBATION)]
    assert taken == [False] * (PROBATION - 1) + [True]
    assert peer.destination == BEHIND_NAT


def test_a_new_party_at_the_old_address_is_taken() -> None:
    """A switch in between may use one address for both."""
    peer = heard(OLD)
    peer.bar()
    assert not peer.moved(OLD)
    peer.move(OLD)
    assert peer.admit(OLD, 2, 0.1)


def test_the_same_party_that_moves_in_its_sdp_only_is_heard_from_where_it_was() -> None:
    peer = heard(OLD)
    peer.move(NEW)
    assert [peer.admit(OLD, sequence, 0.1) for sequence in range(PROBATION)][-1]
