"""What two sides encrypt their media with (SRTP, RFC 3711): suites and master keys. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

SALT_BYTES: Final = 14


class Suite(Enum):
    """Crypto suites by their SDP names (RFC 4568 section 6.2, RFC 6188 section 4): bytes of the master key,
    and of the tag that an RTP packet ends with. An RTCP packet ends with ten always."""

    AES_CM_128_HMAC_SHA1_80 = (16, 10)
    AES_CM_128_HMAC_SHA1_32 = (16, 4)
    AES_256_CM_HMAC_SHA1_80 = (32, 10)
    AES_256_CM_HMAC_SHA1_32 = (32, 4)

    @property
    def key_bytes(self) -> int:
        return self.value[0]

    @property
    def tag_bytes(self) -> int:
        return self.value[1]

    @property
    def master_bytes(self) -> int:
        """Length of a master key with its salt."""
        return self.key_bytes + SALT_BYTES


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key that one side sends with: `secret` is the master key followed by the master salt. Its
    representation does not show it."""

    suite: Suite
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != self.suite.master_bytes:
            raise ValueError(
                f"{self.suite.name} needs {self.suite.master_bytes} bytes of key and salt, "
                f"not {len(self.secret)}"
            )


@dataclass(frozen=True, slots=True)
class Security:
    """The keys of one stream: `ours` for what we send, `theirs` for what comes."""

    ours: MasterKey
    theirs: MasterKey
