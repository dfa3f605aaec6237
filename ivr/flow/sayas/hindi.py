"""Hindi, with number words spelled as in the Central Hindi Directorate's list.

A native reader's check is wanted.
"""

from __future__ import annotations

from datetime import date

from ivr.flow.sayas.language import Language, Noun, words
from ivr.flow.sayas.numbers import indian

NUMBERS = words(
    """
    शून्य एक दो तीन चार पाँच छह सात आठ नौ
    दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस
    बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस
    तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस
    चालीस इकतालीस बयालीस तैंतालीस चवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास
    पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ
    साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर
    सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उनासी
    अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अठासी नवासी
    नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे
    """
)
MONTHS = words("जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर")
ORDINALS = ("पहला", "दूसरा", "तीसरा", "चौथा", "पाँचवाँ", "छठा")
LETTERS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        words(
            """
            ए बी सी डी ई एफ़ जी एच आई जे के एल एम
            एन ओ पी क्यू आर एस टी यू वी डब्ल्यू एक्स वाई ज़ेड
            """
        ),
        strict=True,
    )
)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return NUMBERS[rest]
    return f"{NUMBERS[hundreds]} सौ {NUMBERS[rest]}" if rest else f"{NUMBERS[hundreds]} सौ"


_cardinal = indian(_below_thousand, NUMBERS[0], "हज़ार", "लाख", "करोड़")


def _ordinal(number: int) -> str:
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"{NUMBERS[number]}वाँ"


def _year(year: int) -> str:
    if 1100 <= year < 2000:
        hundreds, rest = divmod(year, 100)
        return f"{NUMBERS[hundreds]} सौ {NUMBERS[rest]}" if rest else f"{NUMBERS[hundreds]} सौ"
    return _cardinal(year)


def _date(day: date) -> str:
    return f"{NUMBERS[day.day]} {MONTHS[day.month - 1]} {_year(day.year)}"


def _part_of_day(hour: int) -> str:
    if 4 <= hour < 12:
        return "सुबह"
    if 12 <= hour < 16:
        return "दोपहर"
    return "शाम" if 16 <= hour < 20 else "रात"


def _clock(hour: int, minute: int) -> str:
    twelve = hour % 12 or 12
    name, following = NUMBERS[twelve], NUMBERS[twelve % 12 + 1]
    match minute:
        case 0:
            spoken = f"{name} बजे"
        case 15:
            spoken = f"सवा {name} बजे"
        case 30 if twelve <= 2:
            spoken = f"{('डेढ़', 'ढाई')[twelve - 1]} बजे"
        case 30:
            spoken = f"साढ़े {name} बजे"
        case 45:
            spoken = f"पौने {following} बजे"
        case _:
            spoken = f"{name} बजकर {NUMBERS[minute]} मिनट"
    return f"{_part_of_day(hour)} {spoken}"


HINDI = Language(
    code="hi",
    digits=NUMBERS[:10],
    cardinal=_cardinal,
    ordinal=_ordinal,
    clock=_clock,
    date=_date,
    minus="माइनस",
    point="दशमलव",
    rupee=Noun("रुपया", "रुपये"),
    paisa=Noun("पैसा", "पैसे"),
    percent=Noun("प्रतिशत", "प्रतिशत"),
    minute=Noun("मिनट", "मिनट"),
    hour=Noun("घंटा", "घंटे"),
    and_=" ",
    conjunction="और",
    through="से",
    yes="हाँ",
    no="नहीं",
    languages={"hi": "हिंदी", "mr": "मराठी", "en": "अंग्रेज़ी"},
    letters=LETTERS,
    signs={"₹": "रुपये", "%": "प्रतिशत", "&": "और", "+": "प्लस", "=": "बराबर", "#": "हैश", "*": "स्टार", "@": "ऐट"},
    scales=("हज़ार", "लाख", "करोड़", "अरब"),
    ordinal_marks=("वाँ", "वां", "वीं", "वें"),
    at_clock=("बजे",),
)
