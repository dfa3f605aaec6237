"""What somebody may do. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """Each may do what those before it may."""

    VIEWER = 1
    """Sees all but personal accounts and the audit log."""
    OPERATOR = 2
    """Acts on calls, trunks, engines and flows."""
    ADMIN = 3
    """Users, the audit log, and what cannot be undone."""

    @property
    def title(self) -> str:
        return self.name.lower()

    @staticmethod
    def named(name: str) -> Role:
        """Raises ValueError."""
        if name not in NAMES:
            raise ValueError(f"there is no role {name!r}: write {', '.join(NAMES)}")
        return Role[name.upper()]


NAMES: Final = tuple(role.title for role in Role)
