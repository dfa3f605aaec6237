"""The dashboard's words in the languages of its users. Pure: what has no translation is English."""

from __future__ import annotations

from typing import Final, Literal

Language = Literal["en", "hi", "mr"]

LANGUAGES: Final[dict[str, str]] = {"en": "English", "hi": "हिन्दी", "mr": "मराठी"}

_WORDS: Final[dict[str, tuple[str, str]]] = {
    # English: (Hindi, Marathi)
    "Overview": ("सारांश", "आढावा"),
    "Live calls": ("चालू कॉल", "चालू कॉल"),
    "Call records": ("कॉल रिकॉर्ड", "कॉल नोंदी"),
    "Audit log": ("ऑडिट लॉग", "ऑडिट नोंद"),
    "Users": ("उपयोगकर्ता", "वापरकर्ते"),
    "Flows": ("फ़्लो", "फ्लो"),
    "Voice testing": ("आवाज़ की जाँच", "आवाज चाचणी"),
    "Engines": ("इंजन", "इंजिन"),
    "Trunks": ("ट्रंक", "ट्रंक"),
    "Campaigns": ("अभियान", "मोहिमा"),
    "Metrics": ("आँकड़े", "आकडे"),
    "Log out": ("लॉग आउट", "लॉग आउट"),
    "Log out everywhere": ("सब जगह लॉग आउट", "सगळीकडून लॉग आउट"),
    "Language": ("भाषा", "भाषा"),
    "Dark": ("गहरा", "गडद"),
    "Light": ("हल्का", "फिकट"),
    "As the browser": ("ब्राउज़र जैसा", "ब्राउझरप्रमाणे"),
    "Server reachable": ("सर्वर उपलब्ध", "सर्व्हर उपलब्ध"),
    "Server unreachable": ("सर्वर से संपर्क नहीं", "सर्व्हरशी संपर्क नाही"),
    "viewer": ("दर्शक", "दर्शक"),
    "operator": ("ऑपरेटर", "ऑपरेटर"),
    "admin": ("एडमिन", "अ‍ॅडमिन"),
}


def said(text: str, language: str) -> str:
    """The text in that language."""
    known = _WORDS.get(text)
    if known is None or language not in ("hi", "mr"):
        return text
    return known[0 if language == "hi" else 1]
