"""The dashboard's words in the languages of its users. Pure: what has no translation is English."""

from __future__ import annotations

from typing import Final, Literal

from ivr.admin.translations import WORDS

Language = Literal["en", "hi", "mr"]

LANGUAGES: Final[dict[str, str]] = {"en": "English", "hi": "हिन्दी", "mr": "मराठी"}


def said(text: str, language: str) -> str:
    """The text in that language."""
    known = WORDS.get(text)
    if known is None or language not in ("hi", "mr"):
        return text
    return known[0 if language == "hi" else 1]
