"""Scenarios of what is agreed on about media, and of phones that send in other ways than most."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from typing import Final

from sipp_scenarios.config import EITHER, ENCRYPTED, LOCAL, WIDE, free_port
from sipp_scenarios.rtp import G722, PCMA, Phone, RtpPeer
from sipp_scenarios.scenario import Scenario
from sipp_scenarios.stage import USUAL, Sdp, Stage, expect

PTIMES_MS: Final = (10, 30, 40, 60)
_CRYPTO: Final = "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
_AES_256: Final = (
    "crypto:1 AES_256_CM_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Ng=="
)
_SECURE: Final = Sdp("RTP/SAVP 8 101", (_CRYPTO, *USUAL.attributes))
_EITHER: Final = Sdp("RTP/AVP 8 101", (_CRYPTO, *USUAL.attributes))
_PLAIN: Final = Sdp("RTP/AVP 8 101", USUAL.attributes)


def no_common_codec(stage: Stage) -> None:
    """An offer of G.729 alone is refused with 488."""
    stage.call("refused_offer", sdp=Sdp("RTP/AVP 18", ("rtpmap:18 G729/8000",)))
    expect(not any(record["answered_at"] for record in stage.records()), "a refused call counts as answered")


def srtp_refused(stage: Stage) -> None:
    """An offer of SRTP alone is refused with 488 where the trunk wants none, not answered in the clear."""
    stage.call("refused_offer", sdp=_SECURE)


def srtp_required(stage: Stage) -> None:
    """Where SRTP is required, RTP/SAVP is answered with a key of ours, and plain RTP gets 488."""
    stage.need_api()
    with RtpPeer(host=ENCRYPTED) as peer:
        call = stage.call("offer", sdp=_SECURE, source=ENCRYPTED, peer=peer)
        _says(call.answer(), "RTP/SAVP 8 101", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")
        call = stage.call("offer", sdp=Sdp("RTP/SAVP 8", (_AES_256,)), source=ENCRYPTED, peer=peer)
        _says(call.answer(), "RTP/SAVP 8", "a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:")
        expect(peer.count() >= 60, f"{peer.count()} encrypted packets came in two calls of 1.5 s")
        sizes = {packet.size for packet in peer.heard}
        expect(sizes == {170}, f"payloads of {sorted(sizes)} bytes came, 160 and a tag of 10 were agreed")
    stage.call("refused_offer", sdp=_PLAIN, source=ENCRYPTED)


def srtp_offered(stage: Stage) -> None:
    """Where SRTP is offered, RTP/AVP with a key is answered with one, and plain RTP with plain RTP."""
    stage.need_api()
    with RtpPeer(host=EITHER) as peer:
        call = stage.call("offer", sdp=_EITHER, source=EITHER, peer=peer)
        _says(call.answer(), "RTP/AVP 8 101", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")
    with RtpPeer(host=EITHER) as peer:
        call = stage.call("offer", sdp=_PLAIN, source=EITHER, peer=peer)
        _says(call.answer(), "RTP/AVP 8 101")
        expect("a=crypto" not in call.answer(), "an answer to plain RTP has a key")
        sizes = {packet.size for packet in peer.heard}
        expect(sizes == {160}, f"payloads of {sorted(sizes)} bytes came, 160 were agreed")


def called_srtp(stage: Stage) -> None:
    """We call: RTP/SAVP where SRTP is required, RTP/AVP with keys where it is offered and may be left out."""
    stage.need_api()
    for trunk, host, sdp, offered in (
        ("encrypted", ENCRYPTED, _SECURE, "RTP/SAVP 8 0 13 101"),
        ("either", EITHER, _PLAIN, "RTP/AVP 8 0 13 101"),
    ):
        port = free_port()
        with (
            RtpPeer(host=host) as peer,
            stage.sipp("called_offer", sdp=sdp, port=port, peer=peer, source=host) as call,
        ):
            stage.dial("notice", port, trunk=trunk, host=host)
        _says(call.only("INVITE"), offered, "a=crypto:1 ")


def wideband(stage: Stage) -> None:
    """A phone that has G.722 alone gets it, prompts and all, and its keys drive the flow."""
    sdp = Sdp("RTP/AVP 9 101", ("rtpmap:9 G722/8000", "rtpmap:101 telephone-event/8000"))
    with RtpPeer(Phone(payload_type=G722), WIDE) as peer:
        _type(stage, peer, sdp, "722", WIDE)
        kinds = {packet.payload_type for packet in peer.heard}
        expect(kinds == {G722}, f"payload types {sorted(kinds)} came, G722 (9) was agreed")
    stage.check_record("normal", "us", result={"code": "722"})


def packet_lengths(stage: Stage) -> None:
    """Phones that send packets of 10, 30, 40 and 60 ms get such packets, and their keys count."""
    stage.need_api()
    with ExitStack() as calls:
        peers = [calls.enter_context(RtpPeer(Phone(ptime_ms=ptime_ms))) for ptime_ms in PTIMES_MS]
        for peer, ptime_ms in zip(peers, PTIMES_MS, strict=True):
            attributes = (*USUAL.attributes[:-1], f"ptime:{ptime_ms}")
            calls.enter_context(stage.sipp("ended_by_us", peer=peer, sdp=Sdp(USUAL.media, attributes)))
        for peer, ptime_ms in zip(peers, PTIMES_MS, strict=True):
            expect(peer.wait_for_sound(10), f"no prompt was heard in packets of {ptime_ms} ms")
            peer.press(f"{ptime_ms}#")
    for peer, ptime_ms in zip(peers, PTIMES_MS, strict=True):
        sizes = Counter(packet.size for packet in peer.heard if packet.payload_type == PCMA)
        # A server that is held up skips the time that it missed: what waited before goes as a short packet.
        right = (
            sizes.total() > 10 and sizes[ptime_ms * 8] > 0.9 * sizes.total() and max(sizes) == ptime_ms * 8
        )
        expect(right, f"{ptime_ms} ms was agreed, payloads of so many bytes came so often: {dict(sizes)}")
    api = stage.need_api()
    codes = {api.ended(record["id"])["result"]["code"] for record in stage.records()}
    expect(codes == {str(ptime_ms) for ptime_ms in PTIMES_MS}, f"the keys {sorted(codes)} were taken")


def in_band(stage: Stage) -> None:
    """A phone without telephone-event: its keys are heard in the audio."""
    sdp = Sdp("RTP/AVP 8", ("rtpmap:8 PCMA/8000", "ptime:20"))
    with RtpPeer(Phone(event_type=None)) as peer:
        _type(stage, peer, sdp, "480021")
    stage.check_record("normal", "us", result={"code": "480021"})


def pauses(stage: Stage) -> None:
    """A phone that sends comfort noise and then nothing while it is silent (DTX) is not taken for gone."""
    attributes = ("rtpmap:8 PCMA/8000", "rtpmap:13 CN/8000", "rtpmap:101 telephone-event/8000", "ptime:20")
    with RtpPeer(Phone(pause_ms=400)) as peer:
        _type(stage, peer, Sdp("RTP/AVP 8 13 101", attributes), "13")
    stage.check_record("normal", "us", result={"code": "13"})


def another_sender(stage: Stage) -> None:
    """SSRC, sequence and timestamp change within the call, and keys go on to be heard."""
    stage.need_api()
    with RtpPeer() as peer, stage.sipp("ended_by_us", peer=peer):
        expect(peer.wait_for_sound(10), "the prompt was not heard")
        peer.press("48")
        expect(peer.wait_until_pressed(5), "the keys were not sent")
        peer.become_another()
        peer.press("15#")
    stage.check_record("normal", "us", result={"code": "4815"})


def intruder(stage: Stage) -> None:
    """Keys that somebody else sends to the port of a call count for nothing, as the first sender has it."""
    stage.need_api()
    with RtpPeer() as peer, RtpPeer() as other, stage.sipp("ended_by_us", peer=peer):
        expect(peer.wait_for_sound(10), "the prompt was not heard")
        peer.press("4")
        expect(peer.wait_until_pressed(5), "the key was not sent")
        other.greet(peer.remote_port)
        other.press("99#")
        expect(other.wait_until_pressed(5), "the intruder's keys were not sent")
        peer.press("8#")
    expect(not other.heard, "the intruder hears the call")
    stage.check_record("normal", "us", result={"code": "48"})


def _type(stage: Stage, peer: RtpPeer, sdp: Sdp, code: str, source: str = LOCAL) -> None:
    """A call to the flow that asks for a code, with these keys during the prompt."""
    stage.need_api()
    with stage.sipp("ended_by_us", peer=peer, sdp=sdp, source=source):
        expect(peer.wait_for_sound(10), "the prompt was not heard")
        peer.press(f"{code}#")


def _says(message: str, media: str, *lines: str) -> None:
    """The session description has that m= line, and lines that begin so."""
    found = re.search(r"^m=audio \d+ (.*)$", message, re.M)
    expect(found is not None and found[1] == media, f"m= says {found and found[1]!r} instead of {media!r}")
    for line in lines:
        expect(f"\n{line}" in message, f"there is no line {line}… in\n{message}")


MEDIA: Final = (
    Scenario("no-common-codec", no_common_codec),
    Scenario("srtp-refused", srtp_refused),
    Scenario("srtp-required", srtp_required),
    Scenario("srtp-offered", srtp_offered),
    Scenario("called-srtp", called_srtp),
    Scenario("wideband", wideband),
    Scenario("packet-lengths", packet_lengths),
    Scenario("in-band-keys", in_band),
    Scenario("pauses", pauses),
    Scenario("another-sender", another_sender),
    Scenario("intruder", intruder),
)
