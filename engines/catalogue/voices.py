"""The voices that engines have by name, by language, the first choice first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.catalogue.model import codes

Voices = Mapping[str, tuple[str, ...]]

PARLER: Final[Voices] = {
    "hi": ("Divya", "Rohit", "Rani", "Aman"),
    "mr": ("Sunita", "Sanjay", "Radha", "Nikhil", "Varun", "Isha"),
    "en": ("Mary", "Thoma", "Swapna", "Dinesh", "Meera", "Jatin", "Aakash", "Sneha", "Kabir", "Tisha"),
    "gu": ("Neha", "Yash"),
    "bn": ("Aditi", "Arjun", "Tapan", "Rashmi"),
    "ta": ("Jaya", "Kavitha"),
    "te": ("Lalitha", "Prakash", "Kiran"),
    "kn": ("Anu", "Suresh", "Chetan", "Vidya"),
    "ml": ("Anjali", "Harish", "Anju"),
    "or": ("Debjani", "Manas"),
}
"""Speakers of Indic-Parler's card, those it recommends first."""

KOKORO: Final[Voices] = {
    "en": codes(
        "af_heart af_alloy af_aoede af_bella af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky "
        "am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa bf_alice bf_emma "
        "bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis"
    ),
    "hi": ("hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
}
"""Of Kokoro v1.0, those in the languages that we have phonemes for."""
