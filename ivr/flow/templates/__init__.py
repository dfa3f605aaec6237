"""Flows to begin with: each passes the check, and its scenarios try all of it, in three languages. The Hindi
and Marathi wording wants a native reader's check."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from typing import Final

PLACE: Final = "flow: NAME\n"
"""The line of a template that gets the name."""


class Template(StrEnum):
    MENU = "menu"
    CONFIRM = "confirm"
    COLLECT = "collect"
    BLANK = "blank"

    def flow(self, name: str) -> str:
        """The text of a flow of this name."""
        return self._text(".yaml", name)

    def scenarios(self, name: str) -> str:
        return self._text(".scenarios.yaml", name)

    def _text(self, suffix: str, name: str) -> str:
        text = (files(__name__) / (self.value + suffix)).read_text(encoding="utf-8")
        return text.replace(PLACE, f"flow: {name}\n", 1)
