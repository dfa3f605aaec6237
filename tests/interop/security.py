"""Certificates of an authority that exists for a test run only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.sip.certificates import Authority


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM files: who may sign certificates, and a certificate of 127.0.0.1 with its key."""

    ca: str
    certificate: str
    key: str

    @classmethod
    def made(cls, folder: Path) -> Identity:
        authority = Authority(folder)
        return cls(authority.path, *authority.issue("127.0.0.1"))
