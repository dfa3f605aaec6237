"""What providers want of a trunk, so that nobody has to know it by heart. Pure.

A profile is a set of values for the fields of `ivr.config.Trunk`; what the file says itself goes before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Profile = Literal["exotel"]

_EXOTEL: Final[Mapping[str, Any]] = {
    "proxy": "sip:pstn.in2.exotel.com:5070;transport=tcp",
    "number_format": "e164",
    "country_code": "91",
    "codecs": ["PCMA", "PCMU"],
    "calls_per_minute": 200,
    "destinations": ["+91"],
    "options_s": 30.0,
}
"""Exotel's vSIP trunks: TCP 5070 with plain RTP, or TLS 443 with SRTP; numbers as +91…; 200 calls a minute.

`allow` is not among them: where Exotel's INVITEs come from its customer is told; the addresses that it
publishes are of its media.
"""

_TLS: Final = re.compile(r"sips:|.*;transport=tls\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Media:
    """Where a provider's RTP comes from and goes to, as it publishes it: addresses, and a range of ports."""

    addresses: tuple[str, ...]
    ports: tuple[int, int]


_MEDIA: Final[Mapping[Profile, Media]] = {
    "exotel": Media(("182.76.143.61", "122.15.8.184", "14.194.10.247", "61.246.82.75"), (10_000, 40_000)),
}


def media_of(profile: Profile | None) -> Media | None:
    """What the provider publishes of its media; None where nothing is known."""
    return None if profile is None else _MEDIA.get(profile)


def with_profile(written: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a trunk with those of its profile under them; raises ValueError for what is missing."""
    if written.get("profile") != "exotel":
        return dict(written)
    fields = {**_EXOTEL, **written}
    # Its two ways: plain signalling has plain media, TLS has SRTP.
    fields.setdefault("srtp", "required" if _TLS.match(str(fields["proxy"])) else "refused")
    if not fields.get("caller_id"):
        raise ValueError(
            "caller_id is needed with the profile exotel: a call whose From is not your Exophone is rejected"
        )
    return fields
