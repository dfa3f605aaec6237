"""Offer and answer, walked through as two phones do it: early and late offer, hold, re-INVITE, refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import PCMA, PCMU, Codec
from sip.offer import IncompatibleMedia, NoOffer, OfferAnswer, OfferPending
from sip.sdp import Direction, SdpError, SessionDescription, parse_sdp


def us(*codecs: Codec) -> OfferAnswer:
    return OfferAnswer("192.0.2.1", 10000, codecs or (PCMA, PCMU), 7000)


def offer(*lines: str, version: int = 1, address: str = "198.51.100.2") -> SessionDescription:
    family = "IP6" if ":" in address else "IP4"
    head = f"v=0\no=x 1 {version} IN {family} {address}\ns=-\nc=IN {family} {address}\nt=0 0\n"
    return parse_sdp((head + "\n".join(lines)).encode())


AUDIO = ("m=audio 4000 RTP/AVP 0 8 96", "a=rtpmap:96 telephone-event/8000", "a=ptime:30")


def test_an_offer_is_answered_with_our_best_codec_and_their_event_type() -> None:
    session = us()
    answer = session.receive_offer(offer(*AUDIO))
    agreed = session.negotiated
    assert agreed is not None
    assert (agreed.remote_address, agreed.remote_port) == ("198.51.100.2", 4000)
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == (PCMA, 8, 96)
    assert (agreed.direction, agreed.remote_ptime_ms) == (Direction.SENDRECV, 30)
    assert answer.to_bytes().decode().split("\r\n") == [
        "v=0",
        "o=- 7000 7000 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 10000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_the_order_of_preference_is_the_callers() -> None:
    session = us(PCMU, PCMA)
    session.receive_offer(offer("m=audio 4000 RTP/AVP 8 0"))
    assert session.negotiated is not None
    assert session.negotiated.codec is PCMU
    assert session.negotiated.telephone_event is None


def test_a_codec_under_a_dynamic_number_keeps_that_number() -> None:
    session = us()
    answer = session.receive_offer(offer("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 pcma/8000"))
    assert session.negotiated is not None
    assert (session.negotiated.codec, session.negotiated.payload_type) == (PCMA, 97)
    assert answer.media[0].formats == ("97",)


def test_an_event_of_another_clock_rate_is_not_taken() -> None:
    session = us()
    lines = ("m=audio 4000 RTP/AVP 8 100 101", "a=rtpmap:100 telephone-event/48000")
    session.receive_offer(offer(*lines, "a=rtpmap:101 Telephone-Event/8000"))
    assert session.negotiated is not None
    assert session.negotiated.telephone_event == 101


def test_two_of_our_kind_agree_early_and_late() -> None:
    caller, callee = us(), OfferAnswer("192.0.2.77", 20000, (PCMU, PCMA), 1)
    made = caller.make_offer()
    assert made.media[0].formats == ("8", "0", "13", "101")
    assert caller.offering
    answer = parse_sdp(callee.receive_offer(parse_sdp(made.to_bytes())).to_bytes())
    agreed = caller.receive_answer(answer)
    assert (agreed.remote_address, agreed.remote_port, agreed.codec) == ("192.0.2.77", 20000, PCMU)
    assert agreed.telephone_event == 101
    assert callee.negotiated is not None
    assert callee.negotiated.codec is agreed.codec
    assert not caller.offering


def test_media_of_the_other_ip_version_cannot_be_agreed_on() -> None:
    """Our socket is of one version: what it cannot send to would be a call where one side hears nothing."""
    ours, theirs = OfferAnswer("2001:db8::1", 20000, (PCMU,), 1), us()
    with pytest.raises(IncompatibleMedia, match="IPv4 cannot be sent to from our address"):
        ours.receive_offer(theirs.make_offer())
    theirs.withdraw()
    mapped = parse_sdp(theirs.make_offer().to_bytes().replace(b"IN IP4 ", b"IN IP6 ::ffff:"))
    choice = OfferAnswer("192.0.2.77", 20000, (PCMU,), 1)
    choice.receive_offer(mapped)
    assert choice.negotiated is not None
    assert ":" not in choice.negotiated.remote_address


def test_a_second_answer_replaces_the_first() -> None:
    session = us()
    session.make_offer()
    assert session.receive_answer(offer("m=audio 4000 RTP/AVP 8")).remote_port == 4000
    assert session.receive_answer(offer("m=audio 5000 RTP/AVP 0", address="198.51.100.9")).codec is PCMU
    assert session.negotiated is not None
    assert session.negotiated.remote_address == "198.51.100.9"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_a_hold_is_mirrored(theirs: str, ours: str) -> None:
    session = us()
    session.receive_offer(offer(*AUDIO))
    answer = session.receive_offer(offer(*AUDIO, f"a={theirs}", version=2))
    assert answer.media[0].direction is Direction(ours)
    assert session.negotiated is not None
    assert session.negotiated.direction is Direction(ours)


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_the_old_hold_by_address_stops_our_sending(address: str) -> None:
    session = us()
    answer = session.receive_offer(offer(*AUDIO, address=address))
    assert session.negotiated is not None
    assert session.negotiated.direction is Direction.RECVONLY
    assert answer.media[0].direction is Direction.RECVONLY


def test_the_version_rises_only_when_the_answer_changes() -> None:
    session = us()
    first = session.receive_offer(offer(*AUDIO))
    assert session.receive_offer(offer(*AUDIO)) == first
    assert session.receive_offer(offer(*AUDIO, version=2)) == first
    held = session.receive_offer(offer(*AUDIO, "a=sendonly", version=3))
    assert (first.origin.version, held.origin.version) == ("7000", "7001")
    assert held.origin.session_id == first.origin.session_id
    back = session.receive_offer(offer(*AUDIO, version=4))
    assert back.origin.version == "7002"


def test_we_hold_and_take_back() -> None:
    session = us()
    session.receive_offer(offer(*AUDIO))
    held = session.make_offer(Direction.SENDONLY)
    assert held.media[0].direction is Direction.SENDONLY
    assert held.media[0].formats == ("8", "0", "13", "96")
    agreed = session.receive_answer(
        offer("m=audio 4000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000", "a=recvonly")
    )
    assert agreed.direction is Direction.SENDONLY
    # While we hold, their refresh does not take it back.
    refreshed = session.receive_offer(offer(*AUDIO, version=9))
    assert refreshed.media[0].direction is Direction.SENDONLY
    session.make_offer(Direction.SENDRECV)
    assert session.receive_answer(offer("m=audio 4000 RTP/AVP 8")).direction is Direction.SENDRECV


def test_a_number_that_they_gave_two_meanings_is_not_offered_twice() -> None:
    session = us()
    session.receive_offer(offer("m=audio 4000 RTP/AVP 0 8", "a=rtpmap:8 telephone-event/8000"))
    assert session.make_offer().media[0].formats == ("0", "8", "13", "101")


def test_a_refused_offer_is_withdrawn_and_what_was_agreed_holds() -> None:
    session = us()
    first = session.receive_offer(offer(*AUDIO))
    agreed = session.negotiated
    session.make_offer(Direction.INACTIVE)
    with pytest.raises(OfferPending):
        session.make_offer()
    with pytest.raises(OfferPending):
        session.receive_offer(offer(*AUDIO))
    session.withdraw()
    assert session.negotiated is agreed
    assert session.receive_offer(offer(*AUDIO)) == first
    session.withdraw()
    assert session.local == first


def test_an_answer_without_an_offer_is_an_error() -> None:
    session = us()
    with pytest.raises(NoOffer):
        session.receive_answer(offer(*AUDIO))
    session.receive_offer(offer(*AUDIO))
    with pytest.raises(NoOffer):
        session.receive_answer(offer(*AUDIO))


def test_other_streams_are_refused_and_keep_their_place() -> None:
    session = us()
    lines = ("m=video 4002 RTP/AVP 31", *AUDIO, "m=audio 4004 RTP/AVP 8", "m=image 4006 udptl t38")
    answer = session.receive_offer(offer(*lines))
    assert [(line.kind, line.port) for line in answer.media] == [
        ("video", 0),
        ("audio", 10000),
        ("audio", 0),
        ("image", 0),
    ]
    again = session.make_offer(Direction.SENDONLY)
    assert [(line.kind, line.port) for line in again.media] == [
        (line.kind, line.port) for line in answer.media
    ]
    agreed = session.receive_answer(offer("m=video 0 RTP/AVP 31", "m=audio 4100 RTP/AVP 8"))
    assert agreed.remote_port == 4100


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "no media"),
        (("m=video 4000 RTP/AVP 31",), "only audio"),
        (("m=audio 0 RTP/AVP 8",), "port 0"),
        (("m=audio 4000 RTP/SAVP 8",), "RTP/SAVP is not spoken"),
        (("m=audio 4000 RTP/AVP 18 3",), "no common codec"),
        (("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMA/16000"), "no common codec"),
        (("m=audio 4000 RTP/AVP 8", "c=IN IP4 host.example"), "no unicast IP"),
        (("m=audio 4000 RTP/AVP 8", "c=IN IP4 224.2.1.1/127"), "no unicast IP"),
    ],
)
def test_what_cannot_be_agreed_says_why_and_changes_nothing(lines: tuple[str, ...], reason: str) -> None:
    session = us()
    session.receive_offer(offer(*AUDIO))
    before = (session.negotiated, session.local)
    with pytest.raises(IncompatibleMedia, match=reason):
        session.receive_offer(offer(*lines))
    assert (session.negotiated, session.local) == before


def test_an_answer_that_refuses_our_stream_is_incompatible() -> None:
    session = us()
    session.make_offer()
    with pytest.raises(IncompatibleMedia, match="port 0"):
        session.receive_answer(offer("m=audio 0 RTP/AVP 8"))
    with pytest.raises(IncompatibleMedia, match="leaves out"):
        session.receive_answer(offer())


_LINE = st.sampled_from(
    [
        "m=audio 4000 RTP/AVP 8",
        "m=audio 0 RTP/AVP 8",
        "m=audio 1 RTP/AVP 300 101",
        "m=audio 9 x y",
        "m=video 1 RTP/AVP 31",
        "c=IN IP4 0.0.0.0",
        "a=sendonly",
        "a=inactive",
        "a=ptime:0",
        "a=rtpmap:8 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
    ]
)


@given(st.lists(st.lists(_LINE, max_size=6), min_size=1, max_size=4), st.sampled_from(Direction))
def test_any_exchange_ends_in_an_agreement_or_a_named_error(
    offers: list[list[str]], wanted: Direction
) -> None:
    session = us()
    for lines in offers:
        try:
            remote = offer(*lines)
            answer = session.receive_offer(remote)
        except (IncompatibleMedia, SdpError):
            continue
        assert len(answer.media) == len(remote.media)
        assert sum(line.port != 0 for line in answer.media) == 1
        assert parse_sdp(answer.to_bytes()) == answer
        made = session.make_offer(wanted)
        assert len(made.media) == len(answer.media)
        session.withdraw()
        assert session.local == answer
