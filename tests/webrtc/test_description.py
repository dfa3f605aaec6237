"""Offers as browsers write them (Chrome's is a real one), what is taken of them, and what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import PCMA, PCMU
from media.opus import OPUS
from webrtc.candidates import CandidateRefused, parse_candidate
from webrtc.description import (
    MAX_SDP,
    Fingerprint,
    Ice,
    Local,
    SdpRefused,
    answer,
    parse_offer,
)

OFFERS = Path(__file__).parent / "offers"
LOCAL = Local(
    Ice("ours", "p" * 22),
    (Fingerprint("sha-256", ":".join(["AB"] * 32)),),
    ("candidate:1 1 udp 2130706431 192.0.2.1 20000 typ host",),
    complete=True,
)


def offer_of(browser: str) -> str:
    return (OFFERS / f"{browser}.sdp").read_text().replace("\n", "\r\n")


def lines_of(sdp: str, kind: str) -> list[str]:
    """The lines of one media section, its `m=` line first."""
    sections = sdp.replace("\r\n", "\n").split("\nm=")
    return next(f"m={section}" for section in sections if section.startswith(kind)).split("\n")


def test_chrome_is_answered_with_opus_keys_and_the_data_channel_over_one_transport() -> None:
    offer = parse_offer(offer_of("chrome"))
    assert offer.audio.codec is OPUS
    assert (offer.audio.payload_type, offer.audio.telephone_event) == (111, 110)
    assert (offer.audio.sends, offer.audio.receives) == (True, True)
    assert offer.ice == Ice("g9MO", "6D0TvaLayFfpxuZDlGgrG4nG")
    assert offer.setup == "active"
    assert (len(offer.candidates), offer.complete, offer.sctp_port) == (2, False, 5000)

    sdp = answer(offer, LOCAL, 7, 1)
    assert "a=group:BUNDLE 0 1\r\n" in sdp
    audio = lines_of(sdp, "audio")
    assert audio[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 111 110"
    for line in (
        "a=rtpmap:111 opus/48000/2", "a=rtpmap:110 telephone-event/48000", "a=fmtp:110 0-15", "a=sendrecv",
        "a=rtcp-mux", "a=ptime:20", "a=setup:active", "a=mid:0", "a=ice-ufrag:ours", "a=end-of-candidates",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 20000 typ host",
    ):  # fmt: skip
        assert line in audio
    assert not [line for line in audio if "rtcp-fb" in line or "red/" in line]
    data = lines_of(sdp, "application")
    assert data[0] == "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
    assert {"a=mid:1", "a=sctp-port:5000", "a=setup:active"} <= set(data)
    assert not [line for line in data if line.startswith("a=candidate")]


def test_firefox_has_its_certificate_in_the_session_and_keys_at_another_clock() -> None:
    offer = parse_offer(offer_of("firefox"))
    assert offer.fingerprints[0].value.startswith("6B:8B:F0")
    assert (offer.audio.payload_type, offer.audio.telephone_event, offer.audio.telephone_event_rate) == (
        109,
        101,
        8000,
    )
    sdp = answer(offer, LOCAL, 7, 1)
    assert "a=rtpmap:101 telephone-event/8000\r\n" in sdp
    assert lines_of(sdp, "audio")[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 109 101"


def test_a_safari_without_a_microphone_only_listens() -> None:
    offer = parse_offer(offer_of("safari"))
    assert (offer.audio.sends, offer.audio.receives) == (False, True)
    assert offer.complete
    assert offer.has_data  # its line has port 0 and bundle-only: it shares the audio's transport
    assert "a=sendonly" in lines_of(answer(offer, LOCAL, 7, 1), "audio")


def test_video_and_a_second_audio_are_refused_line_by_line() -> None:
    chrome = offer_of("chrome").replace("BUNDLE 0 1", "BUNDLE 0 1 2 3")
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=rtpmap:96 VP8/90000\r\n"
    second = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:3\r\na=rtpmap:111 opus/48000/2\r\n"
    offer = parse_offer(chrome + video + second)
    sdp = answer(offer, LOCAL, 7, 1)
    assert "a=group:BUNDLE 0 1\r\n" in sdp
    assert [line for line in sdp.split("\r\n") if line.startswith("m=")] == [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 110",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "m=audio 0 UDP/TLS/RTP/SAVPF 111",
    ]


def test_g711_is_spoken_where_there_is_no_opus() -> None:
    without = offer_of("chrome").replace("SAVPF 111 63 9 0 8 13", "SAVPF 63 9 8 0 13")
    offer = parse_offer(without)
    assert offer.audio.codec is PCMU
    assert (offer.audio.telephone_event, offer.audio.telephone_event_rate) == (126, 8000)
    only_a_law = offer_of("chrome").replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 8")
    offer = parse_offer(only_a_law)
    assert (offer.audio.codec, offer.audio.telephone_event) == (PCMA, None)
    assert "a=rtpmap:8 PCMA/8000\r\n" in answer(offer, LOCAL, 7, 1)


def test_an_endpoint_that_begins_dtls_itself_is_waited_for() -> None:
    offer = parse_offer(offer_of("chrome").replace("setup:actpass", "setup:active"))
    assert offer.setup == "passive"
    assert "a=setup:passive\r\n" in answer(offer, LOCAL, 7, 1)


def test_a_data_channel_of_its_own_transport_is_refused() -> None:
    offer = parse_offer(offer_of("chrome").replace("a=group:BUNDLE 0 1\r\n", ""))
    assert not offer.has_data
    assert "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n" in answer(offer, LOCAL, 7, 1)


def test_a_restart_is_told_from_another_peer_by_the_certificate() -> None:
    first = parse_offer(offer_of("chrome"))
    assert first.same_session(parse_offer(offer_of("chrome").replace("g9MO", "n3wO")))
    assert not first.same_session(parse_offer(offer_of("chrome").replace("33:5B:6C", "44:5B:6C")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda sdp: "<html>hello</html>", "does not begin with v=0"),
        (lambda sdp: "", "does not begin with v=0"),
        (lambda sdp: "v=0\r\n" + "a=x\r\n" * 60_000, f"longer than {MAX_SDP}"),
        (lambda sdp: "v=0\r\n" + "a=x\r\n" * 2_000, "more than 1000 lines"),
        (lambda sdp: "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 17, "more than 16 media lines"),
        (lambda sdp: "v=0\r\nnonsense\r\n", "line 2 is none"),
        (lambda sdp: "v=0\r\ns=-\r\n", "has no audio"),
        (lambda sdp: sdp.replace("m=audio 9", "m=video 9"), "has no audio, only application, video"),
        (lambda sdp: sdp.replace("m=audio 9", "m=audio 0"), "has no audio"),
        (lambda sdp: sdp.replace("m=audio 9", "m=audio 99999"), "malformed"),
        (lambda sdp: sdp.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "only DTLS-SRTP"),
        (lambda sdp: sdp.replace("a=rtcp-mux\r\n", ""), "no rtcp-mux"),
        (lambda sdp: sdp.replace("a=fingerprint", "a=finger"), "no fingerprint"),
        (lambda sdp: sdp.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"), "no fingerprint"),
        (lambda sdp: sdp.replace("33:5B:", "5B:"), "no fingerprint"),
        (lambda sdp: sdp.replace("a=ice-ufrag", "a=ufrag"), "no ice-ufrag"),
        (lambda sdp: sdp.replace("ice-pwd:6D0Tva", "ice-pwd:short "), "malformed"),
        (lambda sdp: sdp.replace("a=setup:actpass", "a=setup:holdconn"), "actpass"),
        (lambda sdp: sdp.replace("a=mid:1", "a=mid:0"), "a=mid of their own"),
        (lambda sdp: sdp.replace("a=sctp-port:5000", "a=sctp-port:0"), "no port"),
        (lambda sdp: sdp.replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 63 9 13"), "neither Opus nor G.711"),
    ],
)
def test_what_is_no_offer_of_ours_is_refused_with_the_reason(change, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SdpRefused, match=said):
        parse_offer(change(offer_of("chrome")))


@given(st.data())
def test_whatever_comes_is_an_offer_or_refused(data: st.DataObject) -> None:
    """Lines of true offers that are left out, doubled, cut, or swapped with those of others."""
    lines = offer_of(data.draw(st.sampled_from(["chrome", "firefox", "safari"]))).split("\r\n")
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["leave out", "double", "cut", "swap", "other"])):
            case "leave out":
                lines = lines[:at] + lines[at + 1 :] or [""]
            case "double":
                lines.insert(at, lines[at])
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                lines[at] = data.draw(st.text(max_size=40))
    try:
        offer = parse_offer("\r\n".join(lines))
    except SdpRefused:
        return
    sdp = answer(offer, LOCAL, 7, 1)
    assert sdp.count("\r\nm=") == len(offer.sections)
    assert "\n" not in sdp.replace("\r\n", "")
    assert parse_offer(sdp).audio.codec is offer.audio.codec


@given(st.text(max_size=200))
def test_any_text_is_a_candidate_or_refused(text: str) -> None:
    for line in (text, f"candidate:{text}"):
        with contextlib.suppress(CandidateRefused):
            parse_candidate(line)
