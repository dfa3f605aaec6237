"""Keys for SRTP in a session description: the `crypto` attribute (SDES, RFC 4568). Pure.

A key that we could not use (a master key index, a key derivation rate, no encryption) is refused, never
half-understood. Keys stand in no error text, and in no representation of a description.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from media.keys import MasterKey, Suite

Srtp = Literal["refused", "offered", "required"]
"""What a trunk wants: no SRTP at all; SRTP where the far end has it; nothing but SRTP."""

OFFERED: Final = (
    Suite.AES_CM_128_HMAC_SHA1_80,
    Suite.AES_256_CM_HMAC_SHA1_80,
    Suite.AES_CM_128_HMAC_SHA1_32,
)
"""What we offer, the most common first; taken are all suites, in the order of who offers them."""

_LINE: Final = re.compile(r"([0-9]{1,9})\s+(\S+)\s+(\S+)((?:\s+\S+)*)", re.ASCII)
_INLINE: Final = re.compile(r"inline:([A-Za-z0-9+/]+={0,2})((?:\|[^|]*)*)", re.IGNORECASE)
_LIFETIME: Final = re.compile(r"2\^([0-9]{1,2})|([0-9]{1,18})")
_SUITE_NAME: Final = re.compile(r"[A-Z0-9_]{1,40}", re.IGNORECASE | re.ASCII)
_PARAMETERS: Final = frozenset(
    {"KDR", "UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "FEC_ORDER", "FEC_KEY"}
)
"""What may be named in an error; of unknown text nobody can say that it holds no key."""

_MOST_PACKETS: Final = 1 << 48
"""The longest life of a key, in packets (RFC 3711 section 9.2)."""

Random = Callable[[int], bytes]
"""Gives so many bytes that nobody can guess."""


class UnusableKey(ValueError):
    """We cannot encrypt as that line asks; the text says why, and holds no key."""


class Secret(str):
    """Text that a representation does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto` line: the key that its writer sends with. The answer repeats the offer's `tag`."""

    tag: int
    key: MasterKey

    def value(self) -> Secret:
        """The line's text after `a=crypto:`."""
        return Secret(f"{self.tag} {self.key.suite.name} inline:{b64encode(self.key.secret).decode()}")


def parse_crypto(value: str) -> Crypto:
    """Reads the text after `a=crypto:`; raises `UnusableKey`."""
    match = _LINE.fullmatch(value.strip())
    if match is None:
        raise UnusableKey("malformed crypto line")
    tag, name, keys, parameters = match.groups()
    try:
        suite = Suite[name.upper()]
    except KeyError:
        shown = name if _SUITE_NAME.fullmatch(name) else "that suite"
        raise UnusableKey(f"{shown} is not spoken here") from None
    for parameter in parameters.split():
        _check_parameter(parameter)
    return Crypto(int(tag), _master_key(suite, keys))


def usable(lines: Iterable[str | None]) -> tuple[list[Crypto], list[str]]:
    """The lines that we could use, in order, and why we cannot use the others."""
    found: dict[int, Crypto] = {}
    reasons: list[str] = []
    for line in lines:
        try:
            crypto = parse_crypto(line or "")
        except UnusableKey as error:
            reasons.append(str(error))
        else:
            found.setdefault(crypto.tag, crypto)
    return list(found.values()), reasons


def fresh(suite: Suite, random: Random) -> MasterKey:
    """A key that was never used before."""
    return MasterKey(suite, random(suite.master_bytes))


def fresh_lines(random: Random) -> tuple[Crypto, ...]:
    """What we offer at the beginning of a call: a key of its own for each suite."""
    return tuple(Crypto(tag, fresh(suite, random)) for tag, suite in enumerate(OFFERED, start=1))


def _master_key(suite: Suite, text: str) -> MasterKey:
    if ";" in text:
        raise UnusableKey("several keys in one line are not spoken here")
    match = _INLINE.fullmatch(text)
    if match is None:
        raise UnusableKey("the key is not inline, or malformed")
    encoded, rest = match.groups()
    for part in rest.split("|")[1:]:
        _check_extra(part)
    try:
        secret = b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
        return MasterKey(suite, secret)
    except binascii.Error:
        raise UnusableKey("the key is not base64") from None
    except ValueError as error:
        raise UnusableKey(str(error)) from None


def _check_extra(part: str) -> None:
    """A lifetime says how many packets the far end will send with the key, for which a call is too short to
    matter; a master key index would stand in every packet."""
    if ":" in part:
        raise UnusableKey("a master key index (MKI) is not spoken here")
    match = _LIFETIME.fullmatch(part)
    if match is None:
        raise UnusableKey("malformed key lifetime")
    packets = int(match[2]) if match[1] is None else 1 << int(match[1])
    if not 0 < packets <= _MOST_PACKETS:
        raise UnusableKey("impossible key lifetime")


def _check_parameter(parameter: str) -> None:
    """Session parameters change what encryption means, and may only be passed over where they say so (a
    leading `-`, RFC 4568 section 6.3.7); a window size is but a hint."""
    name = parameter.partition("=")[0].upper()
    if parameter.upper() != "KDR=0" and name != "WSH" and not parameter.startswith("-"):
        shown = name if name in _PARAMETERS else "an unknown session parameter"
        raise UnusableKey(f"{shown} is not spoken here")
