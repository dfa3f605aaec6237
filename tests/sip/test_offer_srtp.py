"""Offer and answer with keys: a trunk that refuses SRTP, one that takes it, one that takes nothing else."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import G722, PCMA, PCMU
from media.keys import MasterKey, Security, Suite
from sip.crypto import Crypto, Srtp, parse_crypto
from sip.offer import IncompatibleMedia, Negotiated, OfferAnswer
from sip.sdp import Direction, SdpError, SessionDescription, parse_sdp

THEIRS = bytes(range(100, 130))
THEIRS_NEXT = bytes(range(130, 160))
SHA1_80 = Suite.AES_CM_128_HMAC_SHA1_80
SHA1_32 = Suite.AES_CM_128_HMAC_SHA1_32


class Counter:
    """Keys that can be told apart: all bytes 1, then all 2."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, size: int) -> bytes:
        self.made += 1
        return bytes([self.made]) * size


def us(srtp: Srtp) -> OfferAnswer:
    return OfferAnswer("192.0.2.1", 10000, (PCMA, PCMU), 7000, srtp, Counter())


def line(tag: int = 1, suite: str = "AES_CM_128_HMAC_SHA1_80", key: bytes = THEIRS, more: str = "") -> str:
    return f"a=crypto:{tag} {suite} inline:{b64encode(key).decode()}{more}"


def described(*lines: str, version: int = 1) -> SessionDescription:
    head = f"v=0\no=x 1 {version} IN IP4 198.51.100.2\ns=-\nc=IN IP4 198.51.100.2\nt=0 0\n"
    return parse_sdp((head + "\n".join(lines)).encode())


def security(session: OfferAnswer) -> Security | None:
    agreed = session.negotiated
    assert agreed is not None
    return agreed.security


def keys_in(sdp: SessionDescription, at: int = 0) -> list[Crypto]:
    return [parse_crypto(value) for value in sdp.media[at].values("crypto")]


SAVP = "m=audio 4000 RTP/SAVP 8"
AVP = "m=audio 4000 RTP/AVP 8"

OURS_1 = MasterKey(SHA1_80, b"\x01" * 30)
THEIRS_80 = MasterKey(SHA1_80, THEIRS)


# What comes in


@pytest.mark.parametrize("srtp", ["offered", "required"])
@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/AVP", "RTP/SAVPF", "RTP/AVPF"])
def test_an_offer_with_a_key_is_answered_in_its_own_profile_with_ours(srtp: Srtp, protocol: str) -> None:
    session = us(srtp)
    answer = session.receive_offer(described(f"m=audio 4000 {protocol} 8", line(3)))
    assert answer.media[0].protocol == protocol
    assert keys_in(answer) == [Crypto(3, OURS_1)]
    assert security(session) == Security(OURS_1, THEIRS_80)


def test_the_first_key_that_can_be_used_is_taken() -> None:
    session = us("required")
    answer = session.receive_offer(
        described(SAVP, line(1, more="|1:4"), line(2, "AEAD_AES_128_GCM"), line(3, SHA1_32.name), line(4))
    )
    assert [(crypto.tag, crypto.key.suite) for crypto in keys_in(answer)] == [(3, SHA1_32)]
    assert security(session) == Security(MasterKey(SHA1_32, b"\x01" * 30), MasterKey(SHA1_32, THEIRS))


def test_a_trunk_without_srtp_leaves_keys_out_and_refuses_the_profile() -> None:
    session = us("refused")
    answer = session.receive_offer(described(AVP, line()))
    assert (answer.media[0].protocol, keys_in(answer), security(session)) == ("RTP/AVP", [], None)
    with pytest.raises(IncompatibleMedia, match="RTP/SAVP is not spoken here, only RTP/AVP"):
        session.receive_offer(described(SAVP, line()))


def test_where_srtp_is_offered_a_plain_call_is_a_call() -> None:
    session = us("offered")
    for lines in ((AVP,), (AVP, line(more=" UNENCRYPTED_SRTP"))):
        answer = session.receive_offer(described(*lines))
        assert (answer.media[0].protocol, keys_in(answer), security(session)) == ("RTP/AVP", [], None)


@pytest.mark.parametrize("srtp", ["offered", "required"])
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((SAVP,), "no key that can be used .there is none"),
        ((SAVP, line(more="|1:4")), "MKI"),
        ((SAVP, line(more=" UNENCRYPTED_SRTP")), "UNENCRYPTED_SRTP is not spoken here"),
        (("m=audio 4000 UDP/TLS/RTP/SAVP 8", line()), "UDP/TLS/RTP/SAVP is not spoken here"),
    ],
)
def test_what_cannot_be_encrypted_is_refused_in_words(
    srtp: Srtp, lines: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(IncompatibleMedia, match=reason):
        us(srtp).receive_offer(described(*lines))


def test_where_srtp_is_required_plain_media_is_refused() -> None:
    session = us("required")
    for lines in ((AVP,), (AVP, line(more="|1:4"))):
        with pytest.raises(IncompatibleMedia, match="only SRTP is spoken here"):
            session.receive_offer(described(*lines))
    assert session.negotiated is None


def test_of_a_plain_and_an_encrypted_line_the_encrypted_one_is_taken() -> None:
    lines = ("m=audio 4000 RTP/AVP 8", "m=audio 4002 RTP/SAVP 8", line())
    session = us("offered")
    answer = session.receive_offer(described(*lines))
    assert [media.port for media in answer.media] == [0, 10000]
    assert us("refused").receive_offer(described(*lines)).media[0].port == 10000


# What we offer


def test_srtp_is_offered_on_the_plain_profile_and_required_on_its_own() -> None:
    for srtp, protocol in (("offered", "RTP/AVP"), ("required", "RTP/SAVP")):
        made = us(srtp).make_offer()  # type: ignore[arg-type]
        assert made.media[0].protocol == protocol
        assert [(crypto.tag, crypto.key.suite.name) for crypto in keys_in(made)] == [
            (1, "AES_CM_128_HMAC_SHA1_80"),
            (2, "AES_256_CM_HMAC_SHA1_80"),
            (3, "AES_CM_128_HMAC_SHA1_32"),
        ]
        assert parse_sdp(made.to_bytes()) == made
    assert keys_in(us("refused").make_offer()) == []


def test_the_answer_chooses_among_our_keys() -> None:
    session = us("required")
    session.make_offer()
    agreed = session.receive_answer(described(SAVP, line(3, SHA1_32.name)))
    assert agreed.security == Security(MasterKey(SHA1_32, b"\x03" * 30), MasterKey(SHA1_32, THEIRS))


def test_a_peer_that_knows_no_srtp_still_answers_what_is_offered() -> None:
    session = us("offered")
    session.make_offer()
    assert session.receive_answer(described(AVP)).security is None


@pytest.mark.parametrize(
    ("srtp", "lines"),
    [
        ("required", (AVP,)),
        ("required", (SAVP,)),
        ("required", (SAVP, line(4))),
        ("required", (SAVP, line(2))),
        ("required", (SAVP, line(1, more="|1:4"))),
        ("offered", (SAVP,)),
        ("offered", (AVP, line(1, more=" UNENCRYPTED_SRTP"))),
        ("offered", (AVP, line(9))),
    ],
)
def test_an_answer_that_fits_none_of_our_keys_is_no_agreement(srtp: Srtp, lines: tuple[str, ...]) -> None:
    session = us(srtp)
    session.make_offer()
    with pytest.raises(IncompatibleMedia, match="the answer has no key that can be used"):
        session.receive_answer(described(*lines))
    assert session.negotiated is None


@pytest.mark.parametrize(
    ("caller", "callee", "encrypted"),
    [
        ("required", "required", True),
        ("required", "offered", True),
        ("offered", "required", True),
        ("offered", "offered", True),
        ("offered", "refused", False),
        ("refused", "offered", False),
        ("refused", "required", None),
        ("required", "refused", None),
    ],
)
def test_two_of_our_kind(caller: Srtp, callee: Srtp, encrypted: bool | None) -> None:
    a, b = us(caller), OfferAnswer("192.0.2.2", 20000, (PCMA,), 1, callee)
    made = parse_sdp(a.make_offer().to_bytes())
    if encrypted is None:
        with pytest.raises(IncompatibleMedia):
            b.receive_offer(made)
        return
    a.receive_answer(parse_sdp(b.receive_offer(made).to_bytes()))
    one, other = security(a), security(b)
    if not encrypted:
        assert one is other is None
        return
    assert one is not None
    assert one.ours != one.theirs
    assert other == Security(one.theirs, one.ours)


# What comes after


def test_our_key_stays_through_hold_and_refresh_of_either_side() -> None:
    session = us("offered")
    first = session.receive_offer(described(SAVP, line(3)))
    assert session.receive_offer(described(SAVP, line(3))) == first
    held = session.make_offer(Direction.SENDONLY)
    assert held.media[0].protocol == "RTP/SAVP"
    assert keys_in(held) == keys_in(first) == [Crypto(3, OURS_1)]
    agreed = session.receive_answer(described(SAVP, line(3), "a=recvonly"))
    assert agreed.security == Security(OURS_1, THEIRS_80)
    again = session.repeat_offer()
    assert again == held
    assert session.receive_answer(described(SAVP, line(3))).security == agreed.security


def test_a_new_key_of_theirs_changes_theirs_alone() -> None:
    session = us("required")
    session.receive_offer(described(SAVP, line()))
    answer = session.receive_offer(described(SAVP, line(1, key=THEIRS_NEXT), version=2))
    assert keys_in(answer) == [Crypto(1, OURS_1)]
    assert security(session) == Security(OURS_1, MasterKey(SHA1_80, THEIRS_NEXT))


def test_another_suite_needs_another_key() -> None:
    session = us("required")
    session.receive_offer(described(SAVP, line()))
    answer = session.receive_offer(described(SAVP, line(1, SHA1_32.name, THEIRS_NEXT), version=2))
    assert keys_in(answer) == [Crypto(1, MasterKey(SHA1_32, b"\x02" * 30))]


def test_a_call_may_become_plain_and_encrypted_again_with_a_key_never_used() -> None:
    session = us("offered")
    session.receive_offer(described(SAVP, line()))
    session.receive_offer(described(AVP, version=2))
    assert security(session) is None
    assert keys_in(session.make_offer()) == []  # what flows in the clear stays so, for us
    session.withdraw()
    session.receive_offer(described(SAVP, line(), version=3))
    assert security(session) == Security(MasterKey(SHA1_80, b"\x02" * 30), THEIRS_80)


def test_a_refused_offer_leaves_the_keys_as_they_were() -> None:
    session = us("required")
    session.receive_offer(described(SAVP, line()))
    agreed = session.negotiated
    session.make_offer(Direction.INACTIVE)
    session.withdraw()
    with pytest.raises(IncompatibleMedia):
        session.receive_offer(described(AVP, version=2))
    assert session.negotiated is agreed
    assert keys_in(session.make_offer()) == [Crypto(1, OURS_1)]


def test_each_fork_answers_the_same_keys_with_its_own() -> None:
    session = us("required")
    session.make_offer()
    other = session.fork()
    one = session.receive_answer(described(SAVP, line()))
    two = other.receive_answer(described(SAVP, line(1, key=THEIRS_NEXT)))
    assert one.security == Security(OURS_1, THEIRS_80)
    assert two.security == Security(OURS_1, MasterKey(SHA1_80, THEIRS_NEXT))


# What else is agreed


def agreed_on(*lines: str) -> Negotiated:
    session = OfferAnswer("192.0.2.1", 10000, (PCMA, G722), 7000)
    session.receive_offer(described(*lines))
    assert session.negotiated is not None
    return session.negotiated


@pytest.mark.parametrize(
    ("lines", "ptime_ms"),
    [
        ((), None),
        (("a=ptime:10",), 10),
        (("a=ptime:5",), 10),
        (("a=ptime:25",), 20),
        (("a=ptime:60",), 60),
        (("a=ptime:200",), 60),
        (("a=ptime:60", "a=maxptime:40"), 40),
        (("a=maxptime:150",), 20),
        (("a=maxptime:10",), 10),
        (("a=ptime:much",), None),
    ],
)
def test_the_packet_length_is_one_that_we_can_send(lines: tuple[str, ...], ptime_ms: int | None) -> None:
    assert agreed_on(AVP, *lines).remote_ptime_ms == ptime_ms


def test_comfort_noise_is_answered_where_it_is_offered() -> None:
    session = OfferAnswer("192.0.2.1", 10000, (PCMA,), 7000)
    answer = session.receive_offer(
        described("m=audio 4000 RTP/AVP 8 13 101", "a=rtpmap:101 telephone-event/8000")
    )
    assert answer.media[0].formats == ("8", "13", "101")
    assert answer.media[0].values("rtpmap") == ["8 PCMA/8000", "13 CN/8000", "101 telephone-event/8000"]
    assert session.negotiated is not None
    assert session.negotiated.comfort_noise == 13
    assert agreed_on(AVP).comfort_noise is None


def test_a_wideband_call_has_the_clock_of_old() -> None:
    agreed = agreed_on("m=audio 4000 RTP/AVP 9 101", "a=rtpmap:101 telephone-event/8000")
    assert (agreed.codec, agreed.payload_type, agreed.telephone_event) == (G722, 9, 101)
    assert (agreed.codec.clock_rate, agreed.codec.sample_rate) == (8000, 16000)


@pytest.mark.parametrize(
    ("value", "rtcp"),
    [
        ("4001", None),
        ("53020", ("198.51.100.2", 53020)),
        ("53020 IN IP4 198.51.100.9", ("198.51.100.9", 53020)),
        ("53020 IN IP6 2001:db8::9", ("2001:db8::9", 53020)),
        ("53020 IN IP4 224.0.0.1", None),
        ("53020 IN IP4 host.example", None),
        ("0", None),
        ("70000", None),
        ("here", None),
        ("²", None),
        ("", None),
    ],
)
def test_where_reports_are_wanted(value: str, rtcp: tuple[str, int] | None) -> None:
    assert agreed_on(AVP, f"a=rtcp:{value}").remote_rtcp == rtcp


_LINE = st.sampled_from(
    [
        *(
            AVP,
            SAVP,
            "m=audio 0 RTP/SAVP 8",
            "m=video 1 RTP/SAVP 31",
            "m=audio 4 RTP/SAVPF 9 13",
            "a=sendonly",
        ),
        *(
            line(),
            line(2, SHA1_32.name),
            line(3, more="|1:4"),
            line(1, "X"),
            "a=crypto",
            "a=crypto:",
            "a=crypto:1",
        ),
        *("a=rtcp:1 IN IP4", "a=maxptime:0", "a=ptime:9999", "c=IN IP6 ::1", "c=IN IP4 0.0.0.0"),
    ]
)


@given(
    st.lists(st.lists(_LINE, max_size=6), min_size=1, max_size=4),
    st.sampled_from(["refused", "offered", "required"]),
)
def test_any_exchange_ends_in_an_agreement_or_a_named_error(offers: list[list[str]], srtp: Srtp) -> None:
    session = us(srtp)
    for lines in offers:
        before = session.negotiated
        try:
            answer = session.receive_offer(described(*lines))
        except (IncompatibleMedia, SdpError):
            assert session.negotiated is before
            continue
        agreed = session.negotiated
        assert agreed is not None
        assert (agreed.security is None) <= (srtp != "required")
        used = next(media for media in answer.media if media.port)
        assert len(used.values("crypto")) == (agreed.security is not None)
        assert ("SAVP" in used.protocol) <= (agreed.security is not None)
        assert parse_sdp(answer.to_bytes()) == answer
