from __future__ import annotations

import pytest

from webrtc.candidates import MAX_CANDIDATES, CandidateRefused, RemoteCandidate, Trickle, parse_candidate

HOST = "candidate:1445232523 1 udp 2113937151 192.0.2.7 34863 typ host generation 0 network-cost 999"


def test_a_candidate_is_read_as_browsers_write_it() -> None:
    assert parse_candidate(HOST) == RemoteCandidate("1445232523", 2113937151, "192.0.2.7", 34863, "host")
    relay = "candidate:4 1 UDP 41885439 198.51.100.3 50000 typ relay raddr 192.0.2.1 rport 9 ufrag g9MO"
    assert parse_candidate(relay) == RemoteCandidate("4", 41885439, "198.51.100.3", 50000, "relay")
    hidden = HOST.replace("192.0.2.7", "44759caf-56ba-4f0a-8952-e88f4b0338d2.local")
    found = parse_candidate(hidden)
    assert found is not None
    assert found.host.endswith(".local")


@pytest.mark.parametrize(
    "line",
    [
        HOST.replace("udp", "tcp") + " tcptype active",
        HOST.replace(" 1 udp", " 2 udp"),  # RTCP by itself: it is muxed here
        HOST.replace("34863", "0"),
        HOST.replace("192.0.2.7", "fe80::1"),
        HOST.replace("192.0.2.7", "224.0.0.251"),
        HOST.replace("192.0.2.7", "0.0.0.0"),
        HOST.replace("192.0.2.7", "somewhere.example"),
    ],
)
def test_what_we_cannot_send_to_is_passed_over(line: str) -> None:
    assert parse_candidate(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "candidate:",
        "hello",
        HOST.replace("34863", "99999"),
        HOST.replace("typ host", "typ x"),
        HOST + "x" * 600,
    ],
)
def test_what_is_no_candidate_is_refused(line: str) -> None:
    with pytest.raises(CandidateRefused):
        parse_candidate(line)


def test_candidates_trickle_until_their_end() -> None:
    trickle = Trickle()
    assert len(trickle.take([HOST])) == 1
    assert not trickle.ended
    assert len(trickle.take([HOST, ""])) == 1
    assert trickle.ended
    assert trickle.take([HOST]) == []


def test_candidates_by_the_thousand_are_refused_as_a_whole() -> None:
    trickle = Trickle()
    trickle.take([HOST] * MAX_CANDIDATES)
    with pytest.raises(CandidateRefused, match=f"more than {MAX_CANDIDATES}"):
        trickle.take([HOST])
    with pytest.raises(CandidateRefused):
        Trickle().take([HOST] * 1000)
    assert not trickle.ended
