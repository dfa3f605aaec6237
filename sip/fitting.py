"""What of a remote description we can use: one audio stream, a codec, keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from media.codecs import FRAME_MS, Codec
from media.source import Address
from sip.crypto import Crypto, Srtp, usable
from sip.sdp import Direction, MediaDescription, Rtpmap, SessionDescription, ip_of

PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
SECURE: Final = ("RTP/SAVP", "RTP/SAVPF")
"""Media transports (RFC 3711 section 12): of the feedback profiles (RFC 4585) we just send none early."""

TELEPHONE_EVENT: Final = "telephone-event"
COMFORT_NOISE: Final = "CN"

_PTIME_STEP_MS: Final = 10
_PTIMES_MS: Final = (10, 60)
"""The shortest and the longest packets that we send."""


class IncompatibleMedia(Exception):
    """Nothing in the description can be agreed on (488 Not Acceptable Here); the text says why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What we agree to: codecs, best first, whether with SRTP, and by which version of IP."""

    codecs: tuple[Codec, ...]
    srtp: Srtp
    ipv6: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The part of a remote audio stream that we can use; `crypto` is the line with the key that it sends
    with, None when it is plain."""

    address: str
    port: int
    protocol: str
    codec: Codec
    audio: Rtpmap
    noise: Rtpmap | None
    event: Rtpmap | None
    direction: Direction
    ptime_ms: int | None
    rtcp: Address | None
    crypto: Crypto | None

    def formats(self) -> list[Rtpmap]:
        """What our answer names."""
        return [rtpmap for rtpmap in (self.audio, self.noise, self.event) if rtpmap is not None]


def fit_offer(sdp: SessionDescription, terms: Terms) -> tuple[int, Choice]:
    """The first audio stream of an offer that we can use, an encrypted one before a plain one, and its index;
    raises `IncompatibleMedia`."""
    reasons: list[str] = []
    fitting: list[tuple[int, Choice]] = []
    for at, media in enumerate(sdp.media):
        try:
            _check_stream(media, terms)
            fitting.append((at, _fit(sdp, media, terms, _offered_key(media, terms))))
        except IncompatibleMedia as error:
            reasons.append(str(error))
    if not fitting:
        raise IncompatibleMedia("; ".join(reasons) or "the description has no media")
    return next((fit for fit in fitting if fit[1].crypto is not None), fitting[0])


def fit_answer(sdp: SessionDescription, at: int, terms: Terms, offered: Sequence[Crypto]) -> Choice:
    """What of the answer to our audio line at index `at` we can use; the remote order of codecs decides.

    `offered` are the keys of our offer. Raises `IncompatibleMedia`.
    """
    if at >= len(sdp.media):
        raise IncompatibleMedia("the answer leaves out our audio stream")
    media = sdp.media[at]
    _check_stream(media, terms)
    return _fit(sdp, media, terms, _answered_key(media, terms, offered), theirs_first=True)


def _check_stream(media: MediaDescription, terms: Terms) -> None:
    if media.kind != "audio":
        raise IncompatibleMedia(f"{media.kind[:20]}: only audio is spoken here")
    if media.port == 0:
        raise IncompatibleMedia("audio: refused with port 0")
    spoken = PLAIN if terms.srtp == "refused" else PLAIN + SECURE
    if media.protocol not in spoken:
        raise IncompatibleMedia(f"audio: {media.protocol[:20]} is not spoken here, only {', '.join(spoken)}")


def _offered_key(media: MediaDescription, terms: Terms) -> Crypto | None:
    """The first key of an offered stream that we can use. On RTP/AVP keys are an offer to encrypt where
    possible (RFC 8643), so one that cannot be used is none."""
    if terms.srtp == "refused":
        return None
    keys, reasons = usable(media.values("crypto"))
    if keys:
        return keys[0]
    if media.protocol in SECURE:
        raise IncompatibleMedia(
            f"audio: no key that can be used ({'; '.join(reasons)[:100] or 'there is none'})"
        )
    if terms.srtp == "required":
        raise IncompatibleMedia("audio: only SRTP is spoken here (RTP/SAVP with a crypto line)")
    return None


def _answered_key(media: MediaDescription, terms: Terms, offered: Sequence[Crypto]) -> Crypto | None:
    """The key of an answered stream, which must be to one of ours."""
    lines = media.values("crypto") if offered else []
    keys, reasons = usable(lines)
    asked = {(crypto.tag, crypto.key.suite) for crypto in offered}
    key = next((crypto for crypto in keys if (crypto.tag, crypto.key.suite) in asked), None)
    if key is None and (lines or media.protocol in SECURE or terms.srtp == "required"):
        why = "; ".join(reasons)[:100] or "none is to one of ours"
        raise IncompatibleMedia(f"audio: the answer has no key that can be used ({why})")
    return key


def _fit(
    sdp: SessionDescription,
    media: MediaDescription,
    terms: Terms,
    crypto: Crypto | None,
    *,
    theirs_first: bool = False,
) -> Choice:
    ip = ip_of(sdp.address_of(media))
    if ip is None or ip.is_multicast:
        raise IncompatibleMedia("audio: no unicast IP address to send to")
    if (ip.version == 6) != terms.ipv6 and not ip.is_unspecified:
        raise IncompatibleMedia(f"audio: IPv{ip.version} cannot be sent to from our address")
    maps = media.rtpmaps
    pairs = [(codec, m) for codec in terms.codecs for m in maps if m.matches(codec.name, codec.clock_rate)]
    if not pairs:
        names = ", ".join(m.encoding[:20] for m in maps if not _is_helper(m)) or "none"
        ours = ", ".join(codec.name for codec in terms.codecs)
        raise IncompatibleMedia(f"audio: no common codec (offered: {names[:100]}; spoken here: {ours})")
    codec, audio = min(pairs, key=lambda pair: maps.index(pair[1])) if theirs_first else pairs[0]
    direction = sdp.direction_of(media)
    if ip.is_unspecified:
        # The hold of RFC 2543: nobody can be sent to.
        direction = direction & Direction.SENDONLY
    return Choice(
        address=str(ip),
        port=media.port,
        protocol=media.protocol,
        codec=codec,
        audio=audio,
        noise=_helper(maps, COMFORT_NOISE, audio.clock_rate),
        event=_helper(maps, TELEPHONE_EVENT, audio.clock_rate),
        direction=direction,
        ptime_ms=_ptime_ms(media),
        rtcp=_rtcp(media, str(ip)),
        crypto=crypto,
    )


def _helper(maps: Sequence[Rtpmap], encoding: str, clock_rate: int) -> Rtpmap | None:
    """Comfort noise and keys, which go beside the audio with its clock."""
    found = next((m for m in maps if m.matches(encoding, clock_rate)), None)
    return replace(found, encoding=encoding) if found else None


def _is_helper(rtpmap: Rtpmap) -> bool:
    return rtpmap.encoding.lower() in (TELEPHONE_EVENT, COMFORT_NOISE.lower())


def _ptime_ms(media: MediaDescription) -> int | None:
    """The packet length that the stream asks for, as we can send it; None: unsaid."""
    asked, most = media.ptime_ms, media.maxptime_ms
    if most is not None:
        asked = min(asked or FRAME_MS, most)
    if asked is None:
        return None
    shortest, longest = _PTIMES_MS
    return max(shortest, min(longest, asked // _PTIME_STEP_MS * _PTIME_STEP_MS))


def _rtcp(media: MediaDescription, address: str) -> Address | None:
    """Where RTCP goes (RFC 3605), when that is not the port after the audio's; what cannot be read is passed
    over."""
    words = (media.attribute("rtcp") or "").split()
    if not words or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 5:
        return None
    port = int(words[0])
    ip = ip_of(words[3]) if len(words) == 4 else ip_of(address)
    if ip is None or ip.is_multicast or ip.is_unspecified or not 0 < port < 65536:
        return None
    return None if (str(ip), port) == (address, media.port + 1) else (str(ip), port)
