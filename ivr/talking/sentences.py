"""Tokens of a language model become sentences for a voice, each as soon as the next one begins.

What a model writes for the eye (headings, bullets, emphasis, tables, emoji, links) is taken out: only words
are left to say. A sentence that has none is no sentence.
"""

from __future__ import annotations

import re
from typing import Final

from engines.tts.emotion import TAGS
from engines.tts.sentences import LONGEST, sentences

_MAY_END: Final = re.compile(r"[.!?।॥…\n]")
_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_URL: Final = re.compile(
    r"(?<![@\w.-])(?:https?://|www\.)\S*[^\s.,!?;:)\]।]"
    r"|(?<![@\w.-])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|in|org|net|io|co|gov|edu|app|dev)(?:/[^\s,!?;)\]।]*)?(?![\w@])",
    re.IGNORECASE,
)
_TAG_OF_A_VOICE: Final = frozenset(TAGS)
_BRACKETED: Final = re.compile(r"\[([^\[\]\n]{0,80})\]")
_ELEMENT: Final = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_HEAD: Final = re.compile(r"^\s*(?:#{1,6}\s+|>\s*|[-*•+–]\s+|\d{1,2}[.)]\s+)+")
_MARKS: Final = re.compile(r"\*+|`+|~~|(?<!\w)_+|_+(?!\w)|^-{3,}$")
_EMOJI: Final = re.compile(
    "[\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\ufe0f\u20e3"
    "\U0001f000-\U0001faff\U000e0020-\U000e007f]\u200d?"
)
_BEFORE_MARK: Final = re.compile(r"\s+([,;:.!?।॥])")
_NO_WORDS: Final = re.compile(r"[\W_]*")


def spoken(text: str) -> str:
    """The words of a sentence, without what is for the eye; empty when there are none."""
    text = _URL.sub("", _LINK.sub(r"\1", text))
    text = _BRACKETED.sub(lambda match: match[0] if match[1].strip().lower() in _TAG_OF_A_VOICE else "", text)
    text = _MARKS.sub("", _HEAD.sub("", _ELEMENT.sub("", text)))
    text = _EMOJI.sub("", text.replace("|", ", "))
    text = _BEFORE_MARK.sub(r"\1", " ".join(text.split())).strip(" ,")
    return "" if _NO_WORDS.fullmatch(text) else text


class SentenceFeed:
    """One answer of a model."""

    def __init__(self, language: str) -> None:
        """`language`: whose abbreviations are known."""
        self._language = language
        self._text = ""

    def feed(self, text: str) -> list[str]:
        """The sentences that are whole now, ready to be spoken. The last waits for what follows it: a full
        stop may stand in a number or after an abbreviation."""
        self._text += text.replace("*", "")  # emphasis hides the end of a sentence
        if not _MAY_END.search(self._text) and len(self._text) <= LONGEST:
            return []
        *whole, last = sentences(self._text, self._language) or [""]
        if whole:
            blank = self._text[len(self._text.rstrip()) :]
            self._text = last + blank
        return _all_spoken(whole)

    def finish(self) -> list[str]:
        """What is left, when no more comes."""
        text, self._text = self._text, ""
        return _all_spoken(sentences(text, self._language))

    def drop(self) -> None:
        """What is left is no whole sentence, and not wanted."""
        self._text = ""


def _all_spoken(found: list[str]) -> list[str]:
    return [words for sentence in found if (words := spoken(sentence))]
