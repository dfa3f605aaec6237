"""The crypto attribute (RFC 4568): what is taken, what is refused and why; keys are told to nobody."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.keys import MasterKey, Suite
from sip.crypto import Crypto, UnusableKey, fresh_lines, parse_crypto, usable
from sip.sdp import parse_sdp

RFC_KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
"""Of the first example in RFC 4568 section 4."""

KEYS = {suite: bytes(range(suite.master_bytes)) for suite in Suite}


def counting(size: int) -> bytes:
    return bytes(range(size))


def test_the_example_of_the_rfc_without_its_key_index() -> None:
    crypto = parse_crypto(f"1 AES_CM_128_HMAC_SHA1_80 inline:{RFC_KEY}|2^20")
    assert crypto.tag == 1
    assert crypto.key.suite is Suite.AES_CM_128_HMAC_SHA1_80
    assert crypto.key.secret == b"wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#"
    assert crypto.value() == f"1 AES_CM_128_HMAC_SHA1_80 inline:{RFC_KEY}"


@pytest.mark.parametrize("suite", Suite)
def test_each_suite_is_written_and_read_again(suite: Suite) -> None:
    crypto = Crypto(7, MasterKey(suite, KEYS[suite]))
    assert parse_crypto(crypto.value()) == crypto


@pytest.mark.parametrize(
    "line",
    [
        "1 AES_256_CM_HMAC_SHA1_80 inline:{key}",
        "  1   aes_256_cm_hmac_sha1_80  INLINE:{bare}  ",
        "000000001 AES_256_CM_HMAC_SHA1_80 inline:{key}|1024",
        "1 AES_256_CM_HMAC_SHA1_80 inline:{key}|2^48 WSH=128",
        "1 AES_256_CM_HMAC_SHA1_80 inline:{key} KDR=0 -SOMETHING=new",
    ],
)
def test_what_means_the_same_is_read_alike(line: str) -> None:
    key = b64encode(KEYS[Suite.AES_256_CM_HMAC_SHA1_80]).decode()
    assert key.endswith("==")
    text = line.format(key=key, bare=key.rstrip("="))
    assert parse_crypto(text) == Crypto(
        1, MasterKey(Suite.AES_256_CM_HMAC_SHA1_80, KEYS[Suite.AES_256_CM_HMAC_SHA1_80])
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "malformed crypto line"),
        ("x AES_CM_128_HMAC_SHA1_80 inline:{key}", "malformed crypto line"),
        ("1234567890 AES_CM_128_HMAC_SHA1_80 inline:{key}", "malformed crypto line"),
        ("1 AES_CM_128_HMAC_SHA1_80", "malformed crypto line"),
        ("1 F8_128_HMAC_SHA1_80 inline:{key}", "F8_128_HMAC_SHA1_80 is not spoken"),
        ("1 AEAD_AES_128_GCM inline:{key}", "AEAD_AES_128_GCM is not spoken"),
        ("1 AES_CM_128_HMAC_SHA1_80 uri:{key}", "not inline"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:", "not inline"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^20|1:4", "MKI"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|1:4", "MKI"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key};inline:{key}", "several keys"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^49", "lifetime"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|0", "lifetime"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|soon", "lifetime"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|", "lifetime"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm", "needs 30 bytes of key and salt, not 3"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key}A", "not base64"),
        ("1 AES_256_CM_HMAC_SHA1_32 inline:{key}", "needs 46 bytes of key and salt, not 30"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key} KDR=1", "KDR is not spoken"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP is not spoken"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key} UNENCRYPTED_SRTCP", "UNENCRYPTED_SRTCP"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key} UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key} FEC_ORDER=FEC_SRTP", "FEC_ORDER"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:{key} {key}", "an unknown session parameter"),
        ("1 inline:{key} inline:{key}", "that suite is not spoken"),
    ],
)
def test_what_we_could_not_use_is_refused_and_says_why(line: str, reason: str) -> None:
    with pytest.raises(UnusableKey, match=reason) as caught:
        parse_crypto(line.format(key=RFC_KEY))
    assert RFC_KEY not in str(caught.value)


def test_of_many_lines_those_that_can_be_used_stay_in_order() -> None:
    lines = (
        f"1 F8_128_HMAC_SHA1_80 inline:{RFC_KEY}",
        f"2 AES_CM_128_HMAC_SHA1_32 inline:{RFC_KEY}",
        f"2 AES_CM_128_HMAC_SHA1_80 inline:{RFC_KEY}",
        f"3 AES_CM_128_HMAC_SHA1_80 inline:{RFC_KEY}|1:1",
        f"4 AES_CM_128_HMAC_SHA1_80 inline:{RFC_KEY}",
        None,
    )
    found, reasons = usable(lines)
    assert [(crypto.tag, crypto.key.suite) for crypto in found] == [
        (2, Suite.AES_CM_128_HMAC_SHA1_32),
        (4, Suite.AES_CM_128_HMAC_SHA1_80),
    ]
    assert len(reasons) == 3


def test_each_suite_that_we_offer_has_a_key_of_its_own() -> None:
    made = iter(range(256))
    lines = fresh_lines(lambda size: bytes([next(made)]) * size)
    assert [line.tag for line in lines] == [1, 2, 3]
    assert len({line.key.suite for line in lines}) == 3
    assert len({line.key.secret[0] for line in lines}) == 3


def test_a_key_is_shown_by_no_representation() -> None:
    line = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{RFC_KEY}"
    sdp = parse_sdp(f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nm=audio 4000 RTP/SAVP 8\n{line}".encode())
    crypto = parse_crypto(sdp.media[0].values("crypto")[0])
    for thing in (sdp, sdp.media[0], crypto, crypto.value(), crypto.key):
        assert RFC_KEY[:8] not in repr(thing)
        assert "wDfvg" not in repr(thing)
    assert line.encode() in sdp.to_bytes()


def test_keys_of_a_wrong_length_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="needs 46 bytes"):
        MasterKey(Suite.AES_256_CM_HMAC_SHA1_80, bytes(30))


_WORD = st.sampled_from(
    [
        *("1", "2", "999999999", "-1", "AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32", "__class__"),
        *(
            f"inline:{RFC_KEY}",
            f"inline:{RFC_KEY}|2^20|1:4",
            "inline:|",
            "inline:====",
            "KDR=0",
            "WSH=",
            "-X",
        ),
        *("inline:" + "A" * 62 + "==", "٣", "\x00", ";", "|", "2^99"),
    ]
)


@given(st.one_of(st.text(max_size=120), st.lists(_WORD, max_size=6).map(" ".join)))
def test_any_text_is_a_key_or_is_refused_by_name(text: str) -> None:
    found, reasons = usable([text])
    assert not any(RFC_KEY[:16].upper() in reason.upper() for reason in reasons)
    assert len(found) + len(reasons) == 1
    for crypto in found:
        assert parse_crypto(crypto.value()) == crypto
