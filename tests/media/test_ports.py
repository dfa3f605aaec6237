"""Pairs of ports: even and next, no pair twice, rest before the next use."""

import random
import socket

import pytest

from media.ports import NoPorts, PortPool

HOST = "127.0.0.1"


def free_range(pairs: int) -> int:
    """An even port with so many free pairs from it on, where neither the system nor another test looks."""
    for _ in range(100):
        low = random.randrange(21000, 32000, 2)
        sockets = []
        try:
            for port in range(low, low + 2 * pairs):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sockets.append(sock)
                sock.bind((HOST, port))
        except OSError:
            continue
        finally:
            for sock in sockets:
                sock.close()
        return low
    raise AssertionError("no free range of ports")


def test_rtp_is_even_rtcp_the_next_both_bound_and_non_blocking():
    pool = PortPool(0, 0, 30.0, HOST)
    pair = pool.acquire(0.0)
    assert pair.port % 2 == 0
    assert (pair.rtp.getsockname(), pair.rtcp.getsockname()) == ((HOST, pair.port), (HOST, pair.port + 1))
    assert not pair.rtp.getblocking()
    assert not pair.rtcp.getblocking()
    pool.release(pair, 0.0)
    assert pair.rtp.fileno() == pair.rtcp.fileno() == -1


def test_a_range_gives_each_pair_once_and_then_none():
    low = free_range(3)
    pool = PortPool(low, low + 5, 30.0, HOST)
    pairs = [pool.acquire(0.0) for _ in range(3)]
    assert {p.port for p in pairs} == {low, low + 2, low + 4}
    with pytest.raises(NoPorts):
        pool.acquire(0.0)
    for pair in pairs:
        pool.release(pair, 0.0)


def test_a_pair_rests_before_it_is_used_again():
    low = free_range(1)
    pool = PortPool(low, low + 1, 30.0, HOST)
    pool.release(pool.acquire(100.0), 200.0)
    with pytest.raises(NoPorts, match="1 are resting"):
        pool.acquire(229.9)
    pair = pool.acquire(230.0)
    assert pair.port == low
    pool.release(pair, 230.0)


@pytest.mark.parametrize("taken", [0, 1])
def test_a_port_that_another_program_holds_is_passed_over(taken):
    low = free_range(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, low + taken))
        pool = PortPool(low, low + 3, 30.0, HOST)
        pair = pool.acquire(0.0)
        assert pair.port == low + 2
        with pytest.raises(NoPorts):
            pool.acquire(0.0)
        pool.release(pair, 0.0)


@pytest.mark.parametrize(("low", "high"), [(10001, 10001), (10000, 10000), (5, 4), (0, 10), (10000, 70000)])
def test_a_range_without_a_pair_is_refused(low, high):
    with pytest.raises(ValueError, match="no pair"):
        PortPool(low, high, 30.0, HOST)


def test_an_odd_start_begins_with_the_next_even_port():
    low = free_range(2)
    pool = PortPool(low + 1, low + 3, 30.0, HOST)
    pair = pool.acquire(0.0)
    assert pair.port == low + 2
    pool.release(pair, 0.0)


def test_an_address_that_is_not_ours_is_an_error_with_nothing_left_open():
    with pytest.raises(OSError, match="assign"):
        PortPool(0, 0, 30.0, "192.0.2.1").acquire(0.0)


def test_a_pair_of_the_ip_version_of_the_call() -> None:
    pool = PortPool(0, 0, 30.0, HOST, "::1")
    for ipv6, host in ((None, HOST), (False, HOST), (True, "::1")):
        pair = pool.acquire(0.0, ipv6)
        assert pair.rtp.getsockname()[0] == pair.rtcp.getsockname()[0] == host
        pool.release(pair, 0.0)
    only = PortPool(0, 0, 30.0, HOST)
    pair = only.acquire(0.0, True)
    assert pair.rtp.getsockname()[0] == HOST  # there is no other
    only.release(pair, 0.0)
