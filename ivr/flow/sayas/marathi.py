"""Marathi: hundreds are joined to their count (दोनशे), halves and quarters to the hour (साडेनऊ).

A native reader's check is wanted.
"""

from __future__ import annotations

from datetime import date

from ivr.flow.sayas.language import Language, Noun, words
from ivr.flow.sayas.numbers import indian

NUMBERS = words(
    """
    शून्य एक दोन तीन चार पाच सहा सात आठ नऊ
    दहा अकरा बारा तेरा चौदा पंधरा सोळा सतरा अठरा एकोणीस
    वीस एकवीस बावीस तेवीस चोवीस पंचवीस सव्वीस सत्तावीस अठ्ठावीस एकोणतीस
    तीस एकतीस बत्तीस तेहेतीस चौतीस पस्तीस छत्तीस सदतीस अडतीस एकोणचाळीस
    चाळीस एक्केचाळीस बेचाळीस त्रेचाळीस चव्वेचाळीस पंचेचाळीस सेहेचाळीस सत्तेचाळीस अठ्ठेचाळीस एकोणपन्नास
    पन्नास एक्कावन्न बावन्न त्रेपन्न चोपन्न पंचावन्न छप्पन्न सत्तावन्न अठ्ठावन्न एकोणसाठ
    साठ एकसष्ट बासष्ट त्रेसष्ट चौसष्ट पासष्ट सहासष्ट सदुसष्ट अडुसष्ट एकोणसत्तर
    सत्तर एक्काहत्तर बाहत्तर त्र्याहत्तर चौऱ्याहत्तर पंचाहत्तर शहात्तर सत्याहत्तर अठ्ठ्याहत्तर एकोणऐंशी
    ऐंशी एक्याऐंशी ब्याऐंशी त्र्याऐंशी चौऱ्याऐंशी पंचाऐंशी शहाऐंशी सत्याऐंशी अठ्ठ्याऐंशी एकोणनव्वद
    नव्वद एक्याण्णव ब्याण्णव त्र्याण्णव चौऱ्याण्णव पंचाण्णव शहाण्णव सत्याण्णव अठ्ठ्याण्णव नव्याण्णव
    """
)
MONTHS = words(
    """
    जानेवारी फेब्रुवारी मार्च एप्रिल मे जून जुलै ऑगस्ट सप्टेंबर ऑक्टोबर
    नोव्हेंबर डिसेंबर
    """
)
ORDINALS = ("पहिला", "दुसरा", "तिसरा", "चौथा")
LETTERS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        words(
            """
            ए बी सी डी ई एफ जी एच आय जे के एल एम
            एन ओ पी क्यू आर एस टी यू व्ही डब्ल्यू एक्स वाय झेड
            """
        ),
        strict=True,
    )
)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return NUMBERS[rest]
    if not rest:
        return "शंभर" if hundreds == 1 else f"{NUMBERS[hundreds]}शे"
    return f"{NUMBERS[hundreds]}शे {NUMBERS[rest]}"


_grouped = indian(_below_thousand, NUMBERS[0], "हजार", "लाख", "कोटी")


def _cardinal(number: int) -> str:
    """One hundred alone is शंभर, as the last part of a greater number एकशे (1100: एक हजार एकशे)."""
    return _grouped(number).replace(" शंभर", " एकशे")


def _ordinal(number: int) -> str:
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"{NUMBERS[number]}वा"


def _year(year: int) -> str:
    if 1100 <= year < 2000:
        hundreds, rest = divmod(year, 100)
        return f"{NUMBERS[hundreds]}शे {NUMBERS[rest]}" if rest else f"{NUMBERS[hundreds]}शे"
    return _cardinal(year)


def _date(day: date) -> str:
    return f"{NUMBERS[day.day]} {MONTHS[day.month - 1]} {_year(day.year)}"


def _part_of_day(hour: int) -> str:
    if 4 <= hour < 6:
        return "पहाटे"
    if 6 <= hour < 12:
        return "सकाळी"
    if 12 <= hour < 16:
        return "दुपारी"
    return "संध्याकाळी" if 16 <= hour < 20 else "रात्री"


def _clock(hour: int, minute: int) -> str:
    twelve = hour % 12 or 12
    name, following = NUMBERS[twelve], NUMBERS[twelve % 12 + 1]
    match minute:
        case 0:
            spoken = f"{name} वाजता"
        case 1:
            spoken = f"{name} वाजून एका मिनिटाने"
        case 15:
            spoken = f"सव्वा{name} वाजता"
        case 30 if twelve <= 2:
            spoken = f"{('दीड', 'अडीच')[twelve - 1]} वाजता"
        case 30:
            spoken = f"साडे{name} वाजता"
        case 45 if twelve == 12:
            spoken = "पाऊण वाजता"
        case 45:
            spoken = f"पावणे{following} वाजता"
        case _:
            spoken = f"{name} वाजून {NUMBERS[minute]} मिनिटांनी"
    return f"{_part_of_day(hour)} {spoken}"


MARATHI = Language(
    code="mr",
    digits=NUMBERS[:10],
    cardinal=_cardinal,
    ordinal=_ordinal,
    clock=_clock,
    date=_date,
    minus="उणे",
    point="पूर्णांक",
    rupee=Noun("रुपया", "रुपये"),
    paisa=Noun("पैसा", "पैसे"),
    percent=Noun("टक्का", "टक्के"),
    minute=Noun("मिनिट", "मिनिटे"),
    hour=Noun("तास", "तास"),
    and_=" ",
    conjunction="आणि",
    through="ते",
    yes="हो",
    no="नाही",
    languages={"hi": "हिंदी", "mr": "मराठी", "en": "इंग्रजी"},
    letters=LETTERS,
    signs={"₹": "रुपये", "%": "टक्के", "&": "आणि", "+": "प्लस", "=": "बरोबर", "#": "हॅश", "*": "स्टार", "@": "ॲट"},
    scales=("हजार", "लाख", "कोटी", "अब्ज"),
    ordinal_marks=("वां", "वा", "वी", "वे"),
    at_clock=("वाजता",),
)
