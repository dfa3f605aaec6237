"""What a model may say to a caller: a sentence goes to the voice, or there is a reason why it does not.

The model may be wrong, or talked into something. So what it says is held against what is known: a number must
have been there before, the language must be the call's, personal data stays where it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ivr.flow.sayas.language import words
from ivr.talking.grounds import Grounds, Number, numbers_in

Personal = frozenset[str]
"""The kinds of personal data that a step allows to be read out (`ivr.flow.agent_protocol.READABLE`)."""


class Fault(Enum):
    """Why a sentence is not spoken."""

    NUMBER = "number"
    PERSONAL = "personal"
    LANGUAGE = "language"
    NO_SPEECH = "no_speech"


@dataclass(frozen=True, slots=True)
class Finding:
    fault: Fault
    about: str
    """What the model is told of it."""


_EMAIL: Final = re.compile(r"[\w.+-]+\s*(?:@|\bat the rate\b)\s*[\w-]+(?:\.|\s+dot\s+)\w+", re.IGNORECASE)
_PHONE: Final = re.compile(r"(?:91|0)?[6-9]\d{9}|1[89]00\d{6,7}|0\d{9,10}")
_CODE: Final = re.compile(r"[{}<>\\]|\]\]|```")

_DEVANAGARI: Final = re.compile("[\u0904-\u0939\u0958-\u0961]")
_LATIN: Final = re.compile("[A-Za-z]")
_OTHER_SCRIPT: Final = re.compile("[\u0370-\u052f\u0590-\u08ff\u0980-\u1fff\u3040-\ud7ff]")
_WORD: Final = re.compile("[\u0900-\u0963\u0970-\u097f]+|[a-z']+")

_LETTERS_ENOUGH: Final = 8
_OTHERS_SHARE: Final = 0.6
"""Names and loan words may be in the other script, the sentence may not."""

_MARKERS: Final[Mapping[str, frozenset[str]]] = {
    "hi": frozenset(
        words(
            """
            है हैं हूँ हूं था थी थे नहीं आपका आपकी आपके आपको और का की के को में से पर यह वह क्या कीजिए कीजिये
            करें रहा रही रहे गया गई चाहिए मुझे मैं हम अभी लिए बताइए दीजिए मेरा मेरी कब कहाँ कहां
            """
        )
    ),
    "mr": frozenset(
        words(
            """
            आहे आहेत आहात होती होता नाही नाहीत तुमचा तुमची तुमचे तुमच्या तुम्हाला आणि मी आम्ही हे ते काय करा
            सांगा झाला झाली झाले होत होईल येईल मध्ये साठी कृपया माझा माझी माझे मला हवं हवे पाहिजे कधी कुठे आता
            """
        )
    ),
    "en": frozenset(
        words(
            """
            the is are was were you your i we it and of to in for on my me have has will can what when where
            please not do does this that with order
            """
        )
    ),
}
"""Small words that tell the language, where the letters do not."""

_SURE: Final = 3
_MIXED: Final = 2
"""With so many small words of its own a sentence is in a language, however many it borrows."""


def warm() -> None:
    """Before the first caller waits: tables are computed when they are first looked into."""
    for language in _MARKERS:
        check("one 1", language, Grounds())


def check(text: str, language: str, grounds: Grounds, readable: Personal = frozenset()) -> Finding | None:
    """The first thing that is wrong with a sentence, or None."""
    if _CODE.search(text):
        return Finding(Fault.NO_SPEECH, "it is no speech")
    fault = _of_language(text, language) or _of_personal(text, language, grounds, readable)
    if fault is not None:
        return fault
    for number in numbers_in(text, language):
        if not grounds.hold(number):
            return Finding(Fault.NUMBER, f'nobody gave you the number "{number.words}"')
    return None


def language_of(text: str, among: tuple[str, ...]) -> str | None:
    """In which of the languages something clearly is said; None where it is not clear."""
    said = _WORD.findall(text.lower())
    counts = {code: sum(word in _MARKERS[code] for word in said) for code in among if code in _MARKERS}
    if not counts:
        return None
    best = max(counts, key=lambda code: counts[code])
    others = max((count for code, count in counts.items() if code != best), default=0)
    return best if counts[best] >= _SURE and counts[best] >= 2 * others + 1 else None


def _of_personal(text: str, language: str, grounds: Grounds, readable: Personal) -> Finding | None:
    if "email" not in readable and _EMAIL.search(text):
        return Finding(Fault.PERSONAL, "e-mail addresses are not read out")
    for number in numbers_in(text, language):
        if number.long and not grounds.tells(number) and not _may_read(number, readable):
            return Finding(Fault.PERSONAL, "phone numbers and other long numbers are not read out")
    return None


def _may_read(number: Number, readable: Personal) -> bool:
    if _PHONE.fullmatch(number.digits):
        return "phone" in readable
    # "₹12,34,567" is an amount: it was said as one, not digit by digit.
    amount = len(number.values) == 1 and number.grouped
    return amount or "number" in readable


def _of_language(text: str, language: str) -> Finding | None:
    indian, latin = len(_DEVANAGARI.findall(text)), len(_LATIN.findall(text))
    foreign = len(_OTHER_SCRIPT.findall(text))
    letters = indian + latin + foreign
    if letters < _LETTERS_ENOUGH or language not in _MARKERS:
        return None
    said = _WORD.findall(text.lower())
    counts = {code: sum(word in markers for word in said) for code, markers in _MARKERS.items()}
    own = latin if language == "en" else indian
    in_others = letters - own > _OTHERS_SHARE * letters and counts[language] < _MIXED
    # Hindi and Marathi share their letters.
    sister = {"hi": counts["mr"], "mr": counts["hi"]}.get(language, 0)
    if in_others or (sister >= _SURE and sister > 2 * counts[language]):
        return Finding(Fault.LANGUAGE, "it is not in the language of the call")
    return None
