"""Every codec that a clip can be made for, by name: those of SIP, and those of the other legs."""

from __future__ import annotations

from typing import Final

from media.codecs import CODECS, L16_8, L16_16, Codec
from media.opus import OPUS

ALL_CODECS: Final[dict[str, Codec]] = {codec.name: codec for codec in (*CODECS.values(), OPUS, L16_8, L16_16)}
