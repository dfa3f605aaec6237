"""As much SRTP as a load generator needs: one crypto suite, one key a call each way (RFC 3711, 4568)."""

from __future__ import annotations

import base64
import secrets
from typing import Final

from pylibsrtp import Policy, Session

SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
_MASTER_BYTES: Final = 30


class Cipher:
    """Encrypts what one call sends, and decrypts what it hears once the other side's key is known."""

    def __init__(self) -> None:
        self._ours: Final = secrets.token_bytes(_MASTER_BYTES)
        self.protect: Final = _session(self._ours, Policy.SSRC_ANY_OUTBOUND).protect
        self._theirs: Session | None = None

    @property
    def offered(self) -> str:
        """Our key, as the value of a crypto attribute."""
        return f"1 {SUITE} inline:{base64.b64encode(self._ours).decode()}"

    def agree(self, key: str) -> None:
        """Takes their key, in base64; raises ValueError."""
        secret = base64.b64decode(key, validate=True)
        if len(secret) != _MASTER_BYTES:
            raise ValueError(f"a master key of {len(secret)} bytes")
        self._theirs = _session(secret, Policy.SSRC_ANY_INBOUND)

    def unprotect(self, packet: bytes) -> bytes:
        """The plain packet; raises `pylibsrtp.Error`."""
        if self._theirs is None:
            raise ValueError("their key is not known")
        return self._theirs.unprotect(packet)


def _session(key: bytes, kind: int) -> Session:
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80))
