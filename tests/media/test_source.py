"""Who may speak to a stream: the first source, and nobody after it."""

from media.source import PROBATION, SourceLock

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61234)
STRANGER = ("203.0.113.9", 9)


def test_the_signalled_address_is_believed_at_once():
    lock = SourceLock(SIGNALLED)
    assert lock.destination == SIGNALLED
    assert lock.admit(SIGNALLED, 17)
    assert lock.source == SIGNALLED
    assert not lock.admit(STRANGER, 18)


def test_another_source_is_believed_after_packets_in_sequence_and_then_sent_to():
    lock = SourceLock(SIGNALLED)
    answers = [lock.admit(BEHIND_NAT, (0xFFFE + i) & 0xFFFF) for i in range(PROBATION + 1)]
    assert answers == [False] * (PROBATION - 1) + [True, True]
    assert lock.destination == BEHIND_NAT
    assert not lock.admit(SIGNALLED, 1)


def test_a_packet_out_of_sequence_begins_the_probation_again():
    lock = SourceLock(SIGNALLED)
    assert not any(lock.admit(STRANGER, number) for number in (1, 2, 9, 10, 20))
    assert lock.source is None


def test_candidates_do_not_disturb_each_other():
    lock = SourceLock(SIGNALLED)
    won = []
    for i in range(PROBATION):
        won += [address for address in (STRANGER, BEHIND_NAT) if lock.admit(address, 100 + i)]
    assert won == [STRANGER]
    assert lock.destination == STRANGER


def test_many_strangers_cost_no_memory_and_the_signalled_address_still_wins():
    lock = SourceLock(SIGNALLED)
    for port in range(1, 2000):
        assert not lock.admit(("203.0.113.9", port), 1)
    assert len(lock._candidates) <= 16
    assert lock.admit(SIGNALLED, 1)


def test_an_address_that_says_nowhere_is_not_sent_to_until_somebody_is_heard():
    for nowhere in (("0.0.0.0", 4000), ("192.0.2.1", 0)):
        lock = SourceLock(nowhere)
        assert lock.destination is None
        for number in range(PROBATION):
            lock.admit(BEHIND_NAT, number)
        assert lock.destination == BEHIND_NAT
