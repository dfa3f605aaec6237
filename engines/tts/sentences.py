"""Cuts a text into sentences, so that a neural engine can begin with the first while the rest waits.

Hindi and Marathi end a sentence with a danda, or with a full stop as English does; a full stop also stands in
decimals, abbreviations and initials, where a cut would be heard.
"""

from __future__ import annotations

import re
from typing import Final

from engines.tts.clauses import clauses

LONGEST: Final = 300
"""Characters. A longer sentence is cut between clauses: engines lose the thread in what is much longer."""

# An end mark with what closes after it, when blank space or the end of the text follows: "1.5" stays whole. A
# line that ends is a sentence too: lists and addresses have no marks.
_END: Final = re.compile(r"""(?P<mark>[.!?।॥…]+)["'”’)\]]*(?=\s|$)|(?P<line>\s*\n\s*)""")
_LAST_WORD: Final = re.compile(r"(\S+)$")

_BEFORE_MORE: Final = {
    "en": "dr mr mrs ms prof sr jr st no nos rs inr vs fig dept approx govt smt shri adv capt col gen hon "
    "e.g i.e cf ph ext",
    "hi": "डॉ श्री सुश्री प्रो रु नं क्र सं ले पं कि.मी मो",
    "mr": "डॉ श्री श्रीमती सौ कु प्रा रु क्र नं ता जि मो कि.मी",
}
"""Abbreviations that always stand before more of the same sentence, without their last full stop."""

_MAYBE_LAST: Final = frozenset(["a.m", "p.m", "etc", "ltd", "co", "pvt", "inc", "ई.पू", "इ.स", "वगैरे"])
"""Abbreviations that may end a sentence as well: they do where a capital letter follows."""

_INITIAL: Final = re.compile(r"(?:[A-Za-z]\.)*[A-Za-z]|[\u0904-\u0939]\u093c?")
"""One letter of a name ("A. P. J.", "म. गांधी"); a Devanagari vowel sign would make it a word."""


def sentences(text: str, language: str) -> list[str]:
    """The sentences in order, without loss save for blanks at the cuts; empty for a text with nothing to
    say. `language` is a code as `hi` or `hi-IN`; of an unknown one no abbreviations are known.
    """
    base = language.partition("-")[0].lower()
    # A prompt mixes languages: English abbreviations stand in Hindi.
    known = frozenset(f"{_BEFORE_MORE['en']} {_BEFORE_MORE.get(base, '')}".split())
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if match["mark"] == "." and not _ends(text, start, match, known):
            continue
        found += _bounded(text[start : match.end()])
        start = match.end()
    return found + _bounded(text[start:])


def _ends(text: str, start: int, match: re.Match[str], known: frozenset[str]) -> bool:
    """Whether this full stop ends the sentence that began at `start`."""
    before = _LAST_WORD.search(text, start, match.start())
    if before is None:
        return True
    word = before[1].lstrip("([\"'“‘").lower()
    if word in known or _INITIAL.fullmatch(word):
        return word in _MAYBE_LAST and _capital_follows(text, match.end())
    if word in _MAYBE_LAST:
        return _capital_follows(text, match.end())
    # "1. Press the key": a number alone numbers what follows.
    return not (word.isdecimal() and not text[start : before.start()].strip())


def _capital_follows(text: str, at: int) -> bool:
    rest = text[at:].lstrip("\"'”’)] \t")
    return not rest or rest[0].isupper() or rest[0] == "\n"


def _bounded(sentence: str) -> list[str]:
    """The sentence, or where it is too long runs of its clauses, each as long as may be."""
    sentence = " ".join(sentence.split())
    if len(sentence) <= LONGEST:
        return [sentence] if sentence else []
    runs: list[str] = []
    for clause in clauses(sentence):
        if runs and len(runs[-1]) + 1 + len(clause) <= LONGEST:
            runs[-1] += f" {clause}"
        else:
            runs.append(clause)
    return runs
