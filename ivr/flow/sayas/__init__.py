"""Say-as: values in words of a language, so that an engine never sees a figure or a sign.

    say(Decimal("1250.50"), "rupees", "hi")  ->  "एक हज़ार दो सौ पचास रुपये पचास पैसे"
    normalise("1 दबाएँ", "hi")                ->  "एक दबाएँ"

A language is one `Language` in a module of its own, added with `register`.
"""

from ivr.flow.sayas.english import ENGLISH
from ivr.flow.sayas.hindi import HINDI
from ivr.flow.sayas.kinds import known_kinds, say
from ivr.flow.sayas.language import Language, Noun, SayAsError, known_languages, language_of, register
from ivr.flow.sayas.marathi import MARATHI
from ivr.flow.sayas.normalise import normalise

for _language in (HINDI, MARATHI, ENGLISH):
    register(_language)

__all__ = [
    "Language",
    "Noun",
    "SayAsError",
    "known_kinds",
    "known_languages",
    "language_of",
    "normalise",
    "register",
    "say",
]
