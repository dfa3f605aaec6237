"""Passwords (argon2id, RFC 9106) and one-time codes (RFC 6238)."""

from __future__ import annotations

import hmac
from typing import Final

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LETTERS: Final = 10
STEP_S: Final = 30
_DRIFT_STEPS: Final = 1
"""A telephone's clock may be half a minute off."""

_hasher = PasswordHasher()  # the library's defaults are the second set of RFC 9106
_NOBODY: Final = _hasher.hash("nobody has this password")
"""Is compared with where there is no such user, so that the time taken tells nothing."""


def fault_of(password: str, name: str = "") -> str | None:
    """Why it will not do; None when it will."""
    if len(password) < LEAST_LETTERS:
        return f"a password has {LEAST_LETTERS} letters at least"
    if len(password) > 256:
        return "a password has 256 letters at most"
    if len(set(password)) < 5:
        return "it is made of too few different letters"
    if name and name.lower() in password.lower():
        return "it holds the user's name"
    return None


def hashed(password: str) -> str:
    """Takes some 50 ms and 64 MiB: not on an event loop."""
    return _hasher.hash(password)


def fits(password: str, hash: str | None) -> bool:
    """Whether it is the password of the hash; as slow where there is none. Not on an event loop."""
    try:
        return _hasher.verify(hash or _NOBODY, password) and hash is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(hash: str) -> bool:
    """It was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hash)


def new_totp_secret() -> str:
    """160 bits, as base32."""
    return pyotp.random_base32()


def totp_link(name: str, secret: str) -> str:
    """What an authenticator takes, as text or as a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="ivr admin")


def totp_step(secret: str, code: str, now: float, last_step: int) -> int | None:
    """The time step that the code belongs to; None where it is wrong, or not newer than `last_step`: a code
    that somebody saw over a shoulder is of no use."""
    otp = pyotp.TOTP(secret)
    current = int(now) // STEP_S
    digits = "".join(code.split())
    found = None
    for step in range(current - _DRIFT_STEPS, current + _DRIFT_STEPS + 1):
        if hmac.compare_digest(otp.generate_otp(step).encode(), digits.encode()) and step > last_step:
            found = step
    return found
