"""Marathi as it is heard. Units come in their oblique forms too ("दहा मिनिटांत")."""

from fractions import Fraction

from ivr.flow.hearing.words import DayPart, HeardWords
from ivr.flow.sayas.language import words

_HALF, _QUARTER = Fraction(1, 2), Fraction(1, 4)

_ROMAN = words(
    """
    shunya ek don tin char pach saha saat aath nau
    daha akra bara tera chauda pandhra sola satra athra ekonis
    vis ekvis bavis tevis chovis panchvis savvis sattavis atthavis ekontis
    tis ektis battis tehetis chautis pastis chhattis sadtis adtis ekonchalis
    chalis ekkechalis bechalis trechalis chavvechalis
    panchechalis sehechalis sattechalis atthechalis ekonpannas
    pannas ekkavanna bavanna trepanna chopanna panchavanna chhappanna sattavanna atthavanna ekonsath
    sath eksasht basasht tresasht chausasht pasasht sahasasht sadusasht adusasht ekonsattar
    sattar ekkahattar bahattar tryahattar chauryahattar
    panchahattar shahattar satyahattar atthyahattar ekonainshi
    ainshi ekyainshi byainshi tryainshi chauryainshi panchainshi shahainshi satyainshi atthyainshi ekonnavvad
    navvad ekyannav byannav tryannav chauryannav panchannav shahannav satyannav atthyannav navyannav
    """
)

MARATHI = HeardWords(
    roman=_ROMAN,
    spellings={
        0: "झिरो",
        1: "एका",
        2: "don",
        3: "teen tin",
        4: "char",
        5: "pach paach",
        6: "साहा सह saha",
        7: "saat",
        8: "aath",
        9: "nau",
        10: "daha",
        11: "akra",
        12: "bara",
        13: "तेरह tera",
        14: "chauda",
        15: "pandhra",
        16: "सोला sola",
        17: "satra",
        18: "athra",
        19: "एकोणवीस ekonis",
        20: "विस vis vees",
        25: "पंचविस panchvis panchavis",
        28: "अट्ठावीस",
        30: "tis tees",
        33: "तेहतीस तेतीस",
        34: "चौतिस चवतीस",
        40: "chalis",
        44: "चौरेचाळीस",
        45: "panchechalis",
        46: "शेहेचाळीस सेहेचाळिस शेचाळीस",
        48: "अट्ठेचाळीस",
        50: "पंनास pannas",
        51: "एकावन्न",
        54: "चौपन्न",
        58: "अट्ठावन्न",
        60: "sath saath",
        61: "एकसष्ठ",
        67: "सदसष्ट",
        68: "अडसष्ट",
        70: "sattar",
        71: "एकाहत्तर",
        72: "ब्याहत्तर",
        76: "शाहत्तर",
        77: "सत्त्याहत्तर",
        78: "अट्ठ्याहत्तर",
        80: "अंशी ainshi",
        87: "सत्त्याऐंशी",
        90: "navvad",
        97: "सत्त्याण्णव",
        99: "नव्व्याण्णव",
    },
    hundred="शे शेकडा shambhar she",
    scales={
        12: "डझन dazan",
        1000: "हजार hajar",
        10**5: "लाख lakh laakh",
        10**7: "कोटी koti",
        10**9: "अब्ज abja",
    },
    point="पूर्णांक दशांश पॉइंट purnank dashansh",
    minute="मिनिट मिनिटे मिनिटं मिनिटात मिनिटांत मिनिटांनी मिनिटाने मिनिटांनंतर minit minite minitat",
    hour="taas taasat तास तासात तासांत तासाभरात तासांनी तासांमध्ये तासामध्ये तासाने तासांनंतर तासानंतर",
    rupee="रुपये रुपया रुपयांना rupaye rupaya rupay",
    paisa="पैसे पैसा पैशांचे पैशांना पैशांत paise paisa",
    day_parts={
        DayPart.MORNING: "पहाटे सकाळी सकाळचे सकाळच्या pahate sakali",
        DayPart.NOON: "दुपारी दुपारचे दुपारच्या dupari",
        DayPart.EVENING: "संध्याकाळी सायंकाळी संध्याकाळचे sandhyakali",
        DayPart.NIGHT: "रात्री रात्रीचे मध्यरात्री ratri",
    },
    months=(
        "जानेवारी janevari",
        "फेब्रुवारी february",
        "मार्च",
        "एप्रिल",
        "मे",
        "जून",
        "जुलै julai",
        "ऑगस्ट",
        "सप्टेंबर सप्टेंबरला",
        "ऑक्टोबर",
        "नोव्हेंबर",
        "डिसेंबर डिसेंबरला",
    ),
    weekdays=(
        "सोमवार सोमवारी somvari",
        "मंगळवार मंगळवारी mangalvari",
        "बुधवार बुधवारी budhvari",
        "गुरुवार गुरुवारी guruvari",
        "शुक्रवार शुक्रवारी shukravari",
        "शनिवार शनिवारी shanivari",
        "रविवार रविवारी ravivari",
    ),
    relative_days={0: "आज aaj aj", 1: "उद्या उद्याच्या udya", 2: "परवा परवाच्या parva"},
    languages={"hi": "हिंदी", "mr": "मराठी मराठीत", "en": "इंग्रजी इंग्लिश"},
    standing={
        **dict.fromkeys(("दीड", "deed"), Fraction(3, 2)),
        **dict.fromkeys(("अडीच", "adich"), Fraction(5, 2)),
        **dict.fromkeys(("अर्धा", "अर्ध्या", "ardha"), _HALF),
        **dict.fromkeys(("पाऊण", "paun"), 3 * _QUARTER),
    },
    shifts={
        **dict.fromkeys(("साडे", "sade"), _HALF),
        **dict.fromkeys(("सव्वा", "savva"), _QUARTER),
        **dict.fromkeys(("पावणे", "पाउणे", "पाऊणे", "pavne", "paune"), -_QUARTER),
    },
    joined_hundred="शे she",
    joined_shifts=True,
    repeats={2: "डबल दुहेरी", 3: "ट्रिपल तिहेरी"},
    days={
        1: "दिवस दिवसांनी दिवसांनंतर दिवसात दिवसांत दिवसांमध्ये divas divsani",
        7: "आठवडा आठवड्याने आठवड्यांनी आठवड्यानंतर",
    },
    letters={"H": "हेच", "I": "आई", "V": "वी", "W": "डबलयू डबल्यू", "Y": "वाई", "Z": "झी जेड"},
    day_of_month="तारीख तारखेला tarikh tarkhela",
    to="कमी",
    until="वाजायला",
    clock="वाजून वाजले वाजेपर्यंत vajta vajata",
    later="नंतर दिवसांनी दिवसांनंतर दिवसात दिवसांत आठवड्याने आठवड्यांनी आठवड्यानंतर divsani nantar",
)
