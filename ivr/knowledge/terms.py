"""What a text is found by: the stems of its words, and how they sound. Pure.

SQLite's own tokenisers do not know Indian scripts: `unicode61` cuts Devanagari at every vowel sign (they are
marks, not letters), and its `remove_diacritics` drops them. So texts are cut here, by the rules with which
flows compare speech (`ivr.flow.hearing.fold`), and the index gets terms with spaces between them.

Endings are taken off the same way from a text and from a question, and never so much that nothing is left.
For Hindi after Ramanathan and Rao, "A Lightweight Stemmer for Hindi" (2003); for Marathi its case endings.
What ends a verb or a case may belong to a noun (मिलता and कीमत, कार्डाने and दुकाने): a word has two stems
then, one without its last vowel and one without its ending.

How a word sounds is the row of its consonants, in Latin letters. It brings "रिटर्न" to "return": recognisers
write in Devanagari what shops write in English, and the other way round.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from ivr.flow.hearing.fold import fold

_SHORTEST_STEM: Final = 2
_SHORTEST_SOUND: Final = 3

SOUND_MARK: Final = "\ue000"
"""Of Unicode's private use: no text holds it."""

_CACHED: Final = 50_000

_EMPTY_WORDS: Final = """
a about after all also am an and any are as at be been but by can could did do
does for from get give had has have he her here his how i if in into is it its
just may me my no not of on one only or our please she should so some tell
than that the their them then there they this to too us want was we were what
when where which who why will with would yes you your अगर अपना अपनी अपने आप
आपका आपकी आपके इस इसका इसके इसमें इससे उस उसका उसके उसमें उसे एक और का काफी कि
किस किसी की कुछ के कैसा कैसी कैसे को कोई कौन क्या क्यों कर करके करता करती करते
करना करनी करने करें करो करूँ गया गई गए चाहिए चाहता चाहती जब जी जा जाए जाएगा
जाता जाती जाते जो तक तब तो था थी थे दो दें दे देना ना नहीं ने पर बता बताइए
बताएँ बताओ बारे भी मुझे मेरा मेरी मेरे में मैं यदि यह यहाँ या ये रहा रही रहे
लिए ले वह वहाँ वाला वाली वाले वे सकता सकती सकते साथ से हम हमारा हमारी हमारे ही
हुआ हुई हुए हूँ है हैं हो होगा होगी होता होती होते होना होने अशी असा असे असेल
आणि आम्ही आमचा आमची आमचे आहे आहेत आपण आपला आपली आपले कधी करता करतात करायचे
करायचं करावे करावं करू कसं कशी कसा कसे काय कुठे केली केले कोण कोणता कोणती
कोणते च जर तर तसेच तुम्ही तुमचा तुमची तुमचे तुम्हाला ते तो ती त्या त्याचा नाही
नाहीत पण मला मध्ये माझा माझी माझे माझं मी म्हणजे या याचा वर व शकतो शकता सांगा
हवा हवी हवे हवं हा ही हे होईल होते  मिल मिले मिलेगा मिलेगी मिलेंगे मिलता मिलती
मिलते मिळते मिळतात मिळतो मिळेल मिळतील
"""
_EMPTY: Final = frozenset(word for written in _EMPTY_WORDS.split() for word in fold(written).split())

_ENDINGS_HI: Final = """
ो े ू ु ी ि ा कर ाओ िए ाई ाए ीं ाँ ां ों ें ाकर ाइए ाईं ाया ेगी ेगा ोगी ोगे
ाओं ाएं ुओं ुएं ुआं ाएगी ाएगा ाओगी ाओगे एंगी ेंगी एंगे ेंगे ूंगी ूंगा ियाँ
ियों ियां ाएंगी ाएंगे ाऊंगी ाऊंगा  ने नी ना ते ती ता तीं ाने ाना ाते ाती ाता
ातीं
"""
_ENDINGS_MR: Final = """
ला ाला ीला ेला ांना चा ची चे चं च्या ाचा ाची ाचे ाच्या ीचा ीची ीचे ीच्या ेचा
ेची ेचे ेच्या ांचा ांची ांचे ांच्या ाने ीने ेने ांनी शी ाशी ात ीत ेत ांत ातील
ीतील मध्ये ामध्ये ीमध्ये ांमध्ये साठी ासाठी ीसाठी ांसाठी वर ावर ीवर ांवर कडे
ाकडे ांकडे कडून ाकडून पासून ापासून पर्यंत ापर्यंत पेक्षा ापेक्षा ायला ायचे
ायची ायचा ायचं ण्यासाठी ण्याचे ण्याची ण्याचा ण्यास ्याचा ्याची ्याचे ्याच्या
्याला ्यात ्यावर ्यासाठी ्यांना ्यांचे ्यांच्या ्याने ्या  तो तात ना नी ून
"""
_ENDINGS: Final = tuple(
    sorted({fold(ending) for ending in (_ENDINGS_HI + _ENDINGS_MR).split()} - {""}, key=len, reverse=True)
)
_BY_LENGTH: Final = {
    length: frozenset(ending for ending in _ENDINGS if len(ending) == length)
    for length in sorted({len(ending) for ending in _ENDINGS}, reverse=True)
}
_DEVANAGARI: Final = re.compile("[\u0900-\u097f]")
_LOOSE_END: Final = re.compile("[\u093e-\u094d\u0962\u0963]+$")
"""Vowel signs and the virama."""


def terms(text: str) -> list[str]:
    """The stems of the words of a text that say something, in their order."""
    return [stem for word in fold(text).split() if word not in _EMPTY for stem in stems(word)]


@lru_cache(maxsize=_CACHED)
def stems(word: str) -> tuple[str, ...]:
    """One or two of them, of a folded word."""
    if not _DEVANAGARI.search(word):
        return (_stem_english(word) if word.isascii() and word.isalpha() else word,)
    light = _without_vowels(word)
    for length, endings in _BY_LENGTH.items():
        if len(word) - length >= _SHORTEST_STEM and word[-length:] in endings:
            bare = _without_vowels(word[:-length])
            return (light,) if bare == light else (light, bare)
    return (light,)


def _without_vowels(word: str) -> str:
    bare = _LOOSE_END.sub("", word)
    return bare if len(bare) >= _SHORTEST_STEM else word


def _stem_english(word: str) -> str:
    """As Harman's s-stemmer (1991), and -ing, -ed, -able off what is long."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            word = word.removesuffix(ending) + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
            word = word[:-1]
    for ending in ("able", "ing", "ed", "ment"):
        if word.endswith(ending) and len(word) >= len(ending) + 4:
            word = word.removesuffix(ending)
            break
    return word.removesuffix("e") if len(word) > 4 else word


# --- sounds

_LATIN_PAIRS: Final = (
    ("tion", "sn"),
    ("sch", "s"),
    ("ch", "c"),
    ("sh", "s"),
    ("ph", "f"),
    ("ck", "k"),
    ("dge", "j"),
    ("x", "ks"),
    ("qu", "kv"),
    ("q", "k"),
)
_SOFT_C: Final = re.compile("c(?=[eiy])")
_SOFT_G: Final = re.compile("g(?=[ey])")
_C: Final = re.compile("c")
_SILENT: Final = re.compile("[^a-z0-9]|[aeiouyh]")
_LATIN_ALIKE: Final = str.maketrans({"w": "v", "z": "j"})
_TWICE: Final = re.compile(r"(.)\1+")
_LABIAL: Final = re.compile("[ंँ](?=[पफबभम])")
_CONSONANTS: Final = str.maketrans(
    {
        **dict.fromkeys("कख", "k"),
        **dict.fromkeys("गघ", "g"),
        **dict.fromkeys("चछ", "c"),
        **dict.fromkeys("जझ", "j"),
        **dict.fromkeys("टठतथ", "t"),
        **dict.fromkeys("डढदध", "d"),
        **dict.fromkeys("नणञङंँ", "n"),
        **dict.fromkeys("शषस", "s"),
        "प": "p",
        "फ": "f",
        "ब": "b",
        "भ": "b",
        "म": "m",
        "र": "r",
        "ल": "l",
        "ळ": "l",
        "व": "v",
        "ृ": "r",
        "ऋ": "r",
    }
)
_WORDS: Final = re.compile("[\\w\u0900-\u0963\u0966-\u097f]+")


def sounds(text: str) -> list[str]:
    """How the words of a text sound that say something, each after `SOUND_MARK`, so that no word is one.
    Short ones would sound like too many others."""
    found = []
    for word in _WORDS.findall(unicodedata.normalize("NFC", text.casefold())):
        if fold(word) not in _EMPTY:
            sound = sound_of(word)
            if len(sound) >= _SHORTEST_SOUND:
                found.append(SOUND_MARK + sound)
    return found


@lru_cache(maxsize=_CACHED)
def sound_of(word: str) -> str:
    """The consonants of one word in small letters: `return` and `रिटर्न` are both "rtrn"."""
    if _DEVANAGARI.search(word):
        word = _LABIAL.sub("म", unicodedata.normalize("NFC", word)).translate(_CONSONANTS)
        return _TWICE.sub(r"\1", _SILENT.sub("", word))
    sound = _sound_latin(unicodedata.normalize("NFD", word))
    several = word.endswith("s") and not word.endswith("ss") and len(sound) > _SHORTEST_SOUND
    return sound.removesuffix("s") if several else sound


def _sound_latin(plain: str) -> str:
    plain = _SOFT_G.sub("j", _SOFT_C.sub("s", plain))
    for pair, sound in _LATIN_PAIRS:
        plain = plain.replace(pair, sound.replace("c", "C"))
    plain = _C.sub("k", plain).replace("C", "c").translate(_LATIN_ALIKE)
    return _TWICE.sub(r"\1", _SILENT.sub("", plain))
