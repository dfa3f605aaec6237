"""Hindi as it is heard."""

from fractions import Fraction

from ivr.flow.hearing.words import DayPart, HeardWords
from ivr.flow.sayas.language import words

_HALF, _QUARTER = Fraction(1, 2), Fraction(1, 4)

_ROMAN = words(
    """
    shunya ek do teen chaar paanch chhah saat aath nau
    das gyarah barah terah chaudah pandrah solah satrah atharah unnis
    bees ikkis bais teis chaubis pachchis chhabbis sattais atthais untis
    tees ikattis battis taintis chauntis paintis chhattis saintis adtis untalis
    chalis iktalis bayalis taintalis chavalis paintalis chhiyalis saintalis adtalis unchas
    pachas ikyavan bavan tirpan chauvan pachpan chhappan sattavan atthavan unsath
    sath iksath basath tirsath chausath painsath chhiyasath sadsath adsath unhattar
    sattar ikhattar bahattar tihattar chauhattar pachhattar chhihattar sathattar athhattar unasi
    assi ikyasi bayasi tirasi chaurasi pachasi chhiyasi sattasi athasi navasi
    nabbe ikyanve banve tiranve chauranve pachanve chhiyanve sattanve atthanve ninyanve
    """
)

HINDI = HeardWords(
    roman=_ROMAN,
    spellings={
        0: "ज़ीरो सिफ़र जीरो zero shunya",
        1: "इक",
        2: "do",
        3: "teen tin",
        4: "char chaar",
        5: "paanch panch",
        6: "छः छे छै छ chhe chhah chah che",
        7: "saat",
        8: "aath",
        9: "nau",
        10: "das dus",
        11: "ग्यारा gyarah gyara",
        12: "बारा barah bara",
        13: "तेरा terah tera",
        14: "चौदा chaudah chauda",
        15: "पंद्रा पन्द्रह पंदरह pandrah pandra",
        16: "सोला solah sola",
        17: "सतरह सत्तरह सतरा satrah satra",
        18: "अट्ठारह अठारा atharah athara",
        19: "उनीस unnis",
        20: "bees bis",
        21: "इकीस ikkis",
        22: "बाइस bais",
        23: "teis",
        24: "chaubis",
        25: "pachees pachis pachchis",
        28: "अठाईस",
        29: "उन्तीस उनत्तीस",
        30: "tees tis",
        31: "इकत्तीस इकतिस",
        33: "तेतीस तैतीस",
        35: "paintis",
        38: "अड़तिस अठतीस",
        39: "उन्तालीस उनचालीस",
        40: "चालिस chalis chalees",
        41: "इकतालिस",
        42: "ब्यालीस",
        43: "तिरतालीस",
        44: "चौवालीस चौंतालीस चौआलीस",
        45: "paintalis",
        48: "अठतालीस",
        49: "उन्चास",
        50: "pachas pachaas",
        51: "इक्यावन इकावन",
        53: "तिरेपन",
        54: "चौअन",
        55: "pachpan",
        58: "अठावन",
        60: "saath sath",
        61: "इकसठ",
        63: "तिरेसठ",
        64: "चौसठ",
        66: "छयासठ छाछठ",
        67: "सरसठ सड़सठ",
        68: "अरसठ",
        69: "उनहतर",
        70: "sattar",
        74: "चौहतर",
        75: "पिचहत्तर पचहतर pachhattar",
        76: "छियत्तर छिहतर",
        77: "सतत्तर",
        78: "अठत्तर",
        79: "उन्यासी उन्नासी",
        80: "assi",
        85: "पिचासी",
        88: "अट्ठासी अठ्ठासी",
        90: "नब्बै nabbe",
        91: "इक्यानबे इकानवे",
        92: "बानबे",
        93: "तिरानबे",
        94: "चौरानबे",
        95: "पंचानवे पंचानबे पचानबे",
        96: "छियानबे",
        97: "सत्तानबे सतानवे",
        98: "अट्ठानबे अठानवे अंठानवे",
        99: "निन्यानबे निन्नानवे",
    },
    hundred="सौ सैकड़ा sau",
    scales={
        12: "दर्जन darjan",
        1000: "हज़ार हजार hazar hazaar",
        10**5: "लाख लाखों lakh laakh",
        10**7: "करोड़ karod karor",
        10**9: "अरब arab",
    },
    point="दशमलव पॉइंट पॉइन्ट dashamlav",
    minute="मिनट मिनिट मिनटों मिन्ट minat",
    hour="घंटा घंटे घंटों घण्टा घण्टे घंटेभर घंटाभर ghanta ghante",
    rupee="रुपये रुपया रुपयों रूपये रुपए rupaye rupaya rupay rupiya rupaiya",
    paisa="पैसे पैसा paise paisa",
    day_parts={
        DayPart.MORNING: "सुबह सवेरे सबेरे subah savere",
        DayPart.NOON: "दोपहर दुपहर dopahar dopaher",
        DayPart.EVENING: "शाम shaam sham",
        DayPart.NIGHT: "रात raat",
    },
    months=(
        "जनवरी janvari janwari",
        "फ़रवरी फरवरी farvari farwari",
        "मार्च",
        "अप्रैल aprail",
        "मई mai",
        "जून",
        "जुलाई julai",
        "अगस्त agast",
        "सितंबर सितम्बर sitambar",
        "अक्टूबर अक्तूबर aktubar",
        "नवंबर नवम्बर navambar",
        "दिसंबर दिसम्बर disambar",
    ),
    weekdays=(
        "सोमवार somvar somwar",
        "मंगलवार मंगल mangalvar mangalwar",
        "बुधवार बुध budhvar budhwar",
        "गुरुवार बृहस्पतिवार वीरवार guruvar guruwar",
        "शुक्रवार shukravar shukrawar",
        "शनिवार शनिचर shanivar shaniwar",
        "रविवार इतवार संडे ravivar raviwar itvar",
    ),
    relative_days={0: "आज aaj aj", 1: "कल kal", 2: "परसों परसो parson parso"},
    languages={"hi": "हिंदी", "mr": "मराठी", "en": "अंग्रेज़ी अंगरेजी इंग्लिश"},
    standing={
        **dict.fromkeys(("डेढ़", "dedh", "derh"), Fraction(3, 2)),
        **dict.fromkeys(("ढाई", "dhai"), Fraction(5, 2)),
        **dict.fromkeys(("आधा", "आधे", "aadha", "adha"), _HALF),
        **dict.fromkeys(("पौन", "पौना"), 3 * _QUARTER),
    },
    shifts={
        **dict.fromkeys(("साढ़े", "साड़े", "saadhe", "sadhe"), _HALF),
        **dict.fromkeys(("सवा", "sava", "sawa"), _QUARTER),
        **dict.fromkeys(("पौने", "paune"), -_QUARTER),
    },
    common="में",
    repeats={2: "डबल दोहरा", 3: "ट्रिपल तिहरा"},
    days={1: "दिन दिनों din", 7: "हफ़्ते हफ़्ता सप्ताह hafte hafta"},
    letters={"H": "हेच", "W": "डबलयू डबल्यू", "X": "ऐक्स", "Y": "वाय", "Z": "जेड ज़ी"},
    day_of_month="तारीख तारीख़ tarikh tareekh",
    to="कम kam",
    until="बजने bajne",
    clock="बजकर बजके बजे baje bajkar",
    later="बाद में भीतर baad mein",
)
