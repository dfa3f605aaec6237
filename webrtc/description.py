"""What browsers offer and what they are answered: session descriptions of WebRTC (RFC 8829). Pure.

One audio stream and one data channel over one transport (BUNDLE, RFC 9143; rtcp-mux, RFC 8858). Whatever else
an offer has (video, another audio) is refused line by line, so that the rest may go on; an offer that we
cannot take at all is refused with the reason, in words for who wrote the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from media.codecs import FRAME_MS, PCMA, PCMU, Codec
from media.opus import BIT_RATE, OPUS, SAMPLE_RATE

MAX_SDP: Final = 32_768
"""Characters of an offer; a browser's with every candidate of a machine with many networks has 10,000."""

MAX_LINES: Final = 1_000
MAX_SECTIONS: Final = 16
"""Media lines of an offer; the answer repeats them all."""

CODECS: Final = (OPUS, PCMU, PCMA)
"""What is spoken with browsers, best first; G.711 is what every endpoint must have (RFC 7874 section 3)."""

SCTP_PORT: Final = 5000
MAX_MESSAGE: Final = 65_536
"""Bytes of a message on the data channel."""

Setup = Literal["active", "passive"]
"""Who begins the DTLS handshake: the active one (RFC 8842 section 5)."""


class SdpRefused(ValueError):
    """The offer cannot be taken; the text says why, and has nothing of the offer in it that is private."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of a certificate (RFC 8122): what the media is encrypted for."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Ice:
    """The credentials of one side (RFC 8839 section 5.4). Another fragment is another ICE session: a
    restart."""

    ufrag: str
    password: str
    lite: bool = False


@dataclass(frozen=True, slots=True)
class Audio:
    """The audio that is spoken. `sends` and `receives` are the far end's; `telephone_event` is the number of
    keys, None where they cannot come so."""

    codec: Codec
    payload_type: int
    telephone_event: int | None
    telephone_event_rate: int
    sends: bool
    receives: bool


@dataclass(frozen=True, slots=True)
class _Section:
    """A media line as it was offered; refused ones are answered with port 0."""

    kind: str
    protocol: str
    formats: str
    mid: str


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be taken. `setup` is our part in it. `candidates` are those that came with it, as the
    text behind `a=`; `complete` says that no more follow."""

    ice: Ice
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup
    audio: Audio
    sctp_port: int | None
    candidates: tuple[str, ...]
    complete: bool
    sections: tuple[_Section, ...]
    audio_at: int
    data_at: int | None

    @property
    def has_data(self) -> bool:
        return self.data_at is not None

    def same_session(self, other: Offer) -> bool:
        """Whether both come from one peer connection: its certificate is the same."""
        return set(self.fingerprints) == set(other.fingerprints)


@dataclass(frozen=True, slots=True)
class Local:
    """What our side of a transport is described by."""

    ice: Ice
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[str, ...]
    complete: bool


# What is read


class _Lines:
    """One section's lines: attributes by name, in order."""

    def __init__(self, first: str = "") -> None:
        self.first = first
        self.attributes: list[tuple[str, str]] = []

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.attributes)


_MEDIA: Final = re.compile(r"(\S+) ([0-9]{1,5})(?:/[0-9]+)? (\S+) (\S[^\r\n]*)")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) ([^\s/]+)/([0-9]{1,6})(?:/([0-9]+))?")
_FINGERPRINT: Final = re.compile(r"(sha-256|sha-384|sha-512) ([0-9A-F]{2}(?::[0-9A-F]{2})+)", re.IGNORECASE)
_DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID: Final = re.compile(r"[!-~]{1,32}")
_AUDIO_PROTOCOLS: Final = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF")
"""All mean DTLS-SRTP over whatever ICE finds (RFC 8829 section 5.1.2)."""

_DATA_PROTOCOLS: Final = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")
_DIRECTIONS: Final = {
    "sendrecv": (True, True),
    "sendonly": (True, False),
    "recvonly": (False, True),
    "inactive": (False, False),
}


def parse_offer(text: str) -> Offer:
    """Reads an offer; raises `SdpRefused`."""
    session, sections = _split(text)
    media = [_media(section) for section in sections]
    open_ = [
        port > 0 or section.has("bundle-only") for (_, port, *_), section in zip(media, sections, strict=True)
    ]
    audio_at = next((at for at, (kind, *_) in enumerate(media) if kind == "audio" and open_[at]), None)
    if audio_at is None:
        others = ", ".join(sorted({kind for kind, *_ in media}))
        raise SdpRefused(f"the offer has no audio, only {others}" if others else "the offer has no audio")
    _, _, protocol, formats = media[audio_at]
    if protocol not in _AUDIO_PROTOCOLS:
        raise SdpRefused(f"the audio comes by {protocol[:40]}: only DTLS-SRTP is taken (UDP/TLS/RTP/SAVPF)")
    audio = sections[audio_at]
    if not audio.has("rtcp-mux"):
        raise SdpRefused("the offer has no rtcp-mux: audio and its reports share one port here")
    mids = [section.value("mid") or "" for section in sections]
    if any(mid and not _MID.fullmatch(mid) for mid in mids) or len(set(mids)) < len(mids):
        raise SdpRefused("the media lines do not each have an a=mid of their own")
    spoken = _spoken(audio, formats, session)
    data_at = _data_at(media, mids, open_, audio_at, session)
    sctp_port = None
    if data_at is not None:
        sctp_port = _number(sections[data_at].value("sctp-port") or str(SCTP_PORT), 65_535)
    candidates = [
        f"candidate:{value}" for value in (*audio.values("candidate"), *session.values("candidate"))
    ]
    return Offer(
        _ice(audio, session),
        _fingerprints(audio, session),
        _setup(audio.value("setup") or session.value("setup")),
        spoken,
        sctp_port,
        tuple(candidates),
        audio.has("end-of-candidates") or session.has("end-of-candidates"),
        tuple(
            _Section(kind, protocol, formats, mid)
            for (kind, _, protocol, formats), mid in zip(media, mids, strict=True)
        ),
        audio_at,
        data_at,
    )


def _split(text: str) -> tuple[_Lines, list[_Lines]]:
    """The lines of the session, and those of each media line."""
    if len(text) > MAX_SDP:
        raise SdpRefused(f"the offer is longer than {MAX_SDP} characters")
    lines = text.splitlines()
    if not lines or lines[0].strip() != "v=0":
        raise SdpRefused("this is no session description: it does not begin with v=0")
    if len(lines) > MAX_LINES:
        raise SdpRefused(f"the offer has more than {MAX_LINES} lines")
    section = session = _Lines()
    sections: list[_Lines] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line:
            continue
        if line[1:2] != "=":
            raise SdpRefused(f"line {number} is none of a session description")
        if line[0] == "m":
            if len(sections) == MAX_SECTIONS:
                raise SdpRefused(f"the offer has more than {MAX_SECTIONS} media lines")
            section = _Lines(line[2:])
            sections.append(section)
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            section.attributes.append((name.strip().lower(), value.strip()))
    return session, sections


def _media(section: _Lines) -> tuple[str, int, str, str]:
    match = _MEDIA.fullmatch(section.first)
    if match is None or int(match[2]) > 65_535:
        raise SdpRefused("a media line (m=) is malformed")
    return match[1].lower(), int(match[2]), match[3].upper(), match[4]


def _ice(audio: _Lines, session: _Lines) -> Ice:
    ufrag = audio.value("ice-ufrag") or session.value("ice-ufrag")
    password = audio.value("ice-pwd") or session.value("ice-pwd")
    if ufrag is None or password is None:
        raise SdpRefused("the offer has no ice-ufrag and ice-pwd: it is not from a browser (WebRTC)")
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        raise SdpRefused("ice-ufrag or ice-pwd is malformed (RFC 8839)")
    return Ice(ufrag, password, lite=session.has("ice-lite"))


def _fingerprints(audio: _Lines, session: _Lines) -> tuple[Fingerprint, ...]:
    written = audio.values("fingerprint") or session.values("fingerprint")
    found = []
    for match in map(_FINGERPRINT.fullmatch, written):
        if match is None:
            continue  # of an algorithm that is no good any more, beside a better one
        algorithm, value = match[1].lower(), match[2].upper()
        if len(value.split(":")) == _DIGEST_BYTES[algorithm]:
            found.append(Fingerprint(algorithm, value))
    if not found:
        raise SdpRefused("the offer has no fingerprint by SHA-256 or better: its media could be anybody's")
    return tuple(found)


def _setup(theirs: str | None) -> Setup:
    """Our part in DTLS. The offerer leaves the choice to us (actpass), and the active one is sooner ready."""
    match (theirs or "actpass").lower():
        case "actpass" | "passive":
            return "active"
        case "active":
            return "passive"
    raise SdpRefused("a=setup is none of actpass, active and passive")


def _spoken(audio: _Lines, formats: str, session: _Lines) -> Audio:
    maps = _rtpmaps(audio, formats)
    for codec in CODECS:
        number = next(
            (n for n, name, rate in maps if (name, rate) == (codec.name.lower(), codec.clock_rate)), None
        )
        if number is not None:
            break
    else:
        raise SdpRefused("the audio is neither Opus nor G.711 (PCMU, PCMA)")
    events = [(number, rate) for number, name, rate in maps if name == "telephone-event"]
    events.sort(key=lambda event: event[1] != codec.clock_rate)
    event, event_rate = events[0] if events else (None, codec.clock_rate)
    said = next(
        (name for name, _ in (*audio.attributes, *session.attributes) if name in _DIRECTIONS), "sendrecv"
    )
    sends, receives = _DIRECTIONS[said]
    return Audio(codec, number, event, event_rate, sends, receives)


def _rtpmaps(audio: _Lines, formats: str) -> list[tuple[int, str, int]]:
    """Number, name and clock rate of each format, in the order of the offer."""
    known = {0: ("pcmu", 8000), 8: ("pcma", 8000)}  # need no rtpmap (RFC 3551)
    for match in map(_RTPMAP.fullmatch, audio.values("rtpmap")):
        if match is not None:
            known[int(match[1])] = match[2].lower(), int(match[3])
    numbers = [int(word) for word in formats.split() if re.fullmatch("[0-9]{1,3}", word)]
    return [(number, *known[number]) for number in dict.fromkeys(numbers) if number in known and number < 128]


def _data_at(
    media: Sequence[tuple[str, int, str, str]],
    mids: Sequence[str],
    open_: Sequence[bool],
    audio_at: int,
    session: _Lines,
) -> int | None:
    """Where the data channel is, if it goes over the audio's transport."""
    groups = [words[1:] for words in map(str.split, session.values("group")) if words[:1] == ["BUNDLE"]]
    bundled = next((group for group in groups if mids[audio_at] in group), [])
    for at, (kind, _, protocol, formats) in enumerate(media):
        ours = kind == "application" and protocol in _DATA_PROTOCOLS and formats == "webrtc-datachannel"
        if ours and mids[at] in bundled and open_[at]:
            return at
    return None


def _number(text: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) <= most:
        raise SdpRefused("a=sctp-port is no port")
    return int(text)


# What is written


def answer(offer: Offer, local: Local, session_id: int, version: int) -> str:
    """The answer to an offer (RFC 3264): the same media lines, those that we do not take with port 0."""
    taken = [offer.audio_at, *([] if offer.data_at is None else [offer.data_at])]
    mids = [offer.sections[at].mid for at in sorted(taken)]
    lines = ["v=0", f"o=- {session_id} {version} IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if all(mids):
        lines.append(f"a=group:BUNDLE {' '.join(mids)}")
    lines.append("a=msid-semantic: WMS *")
    for at, section in enumerate(offer.sections):
        if at not in taken:
            lines += [f"m={section.kind} 0 {section.protocol} {section.formats}", "c=IN IP4 0.0.0.0"]
            lines += [f"a=mid:{section.mid}"] if section.mid else []
            lines.append("a=inactive")
        elif at == offer.audio_at:
            lines += _audio_lines(offer, section)
            lines += _transport_lines(offer, section, local, first=at == min(taken))
        else:
            lines += [f"m=application 9 {section.protocol} {section.formats}", "c=IN IP4 0.0.0.0"]
            lines += [f"a=sctp-port:{SCTP_PORT}", f"a=max-message-size:{MAX_MESSAGE}"]
            lines += _transport_lines(offer, section, local, first=at == min(taken))
    return "\r\n".join(lines) + "\r\n"


def _audio_lines(offer: Offer, section: _Section) -> Iterable[str]:
    audio = offer.audio
    numbers = [audio.payload_type]
    channels = "/2" if audio.codec is OPUS else ""  # always 2, whatever is sent (RFC 7587 section 7)
    described = [f"a=rtpmap:{audio.payload_type} {audio.codec.name}/{audio.codec.clock_rate}{channels}"]
    if audio.codec is OPUS:
        # Mono at our rate, and no discontinuous transmission: a caller who is away would look like a silent
        # one.
        described.append(
            f"a=fmtp:{audio.payload_type} minptime={FRAME_MS};useinbandfec=0;usedtx=0;stereo=0;"
            f"sprop-stereo=0;maxplaybackrate={SAMPLE_RATE};sprop-maxcapturerate={SAMPLE_RATE};maxaveragebitrate={BIT_RATE}"
        )
    if audio.telephone_event is not None:
        numbers.append(audio.telephone_event)
        described.append(f"a=rtpmap:{audio.telephone_event} telephone-event/{audio.telephone_event_rate}")
        described.append(f"a=fmtp:{audio.telephone_event} 0-15")
    directions = {flow: name for name, flow in _DIRECTIONS.items()}
    return [
        f"m=audio 9 {section.protocol} {' '.join(map(str, numbers))}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a={directions[audio.receives, audio.sends]}",
        *(["a=msid:ivr audio"] if audio.receives else []),
        "a=rtcp-mux",
        *described,
        f"a=ptime:{FRAME_MS}",
        f"a=maxptime:{FRAME_MS}",
    ]


def _transport_lines(offer: Offer, section: _Section, local: Local, *, first: bool) -> Iterable[str]:
    """Candidates stand once, in the line whose transport the others share."""
    yield from (f"a=mid:{section.mid}",) if section.mid else ()
    if first:
        yield from (f"a={candidate}" for candidate in local.candidates)
        if local.complete:
            yield "a=end-of-candidates"
    yield f"a=ice-ufrag:{local.ice.ufrag}"
    yield f"a=ice-pwd:{local.ice.password}"
    yield "a=ice-options:trickle"
    yield from (f"a=fingerprint:{print_.algorithm} {print_.value}" for print_ in local.fingerprints)
    yield f"a=setup:{offer.setup}"
