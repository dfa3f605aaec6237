"""Where a text is cut, and where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.tts.sentences import LONGEST, sentences


@pytest.mark.parametrize(
    ("language", "text", "cut"),
    [
        ("en", "Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("en", "Dr. Rao called Mr. Shah at 5 p.m. today.", ["Dr. Rao called Mr. Shah at 5 p.m. today."]),
        ("en", "We close at 9 p.m. Call tomorrow.", ["We close at 9 p.m.", "Call tomorrow."]),
        ("en", "Milk, bread etc. are here. Eggs etc. We have all.", None),
        ("en", "It costs 1.5 lakh. Version 2.10.3 is out.", ["It costs 1.5 lakh.", "Version 2.10.3 is out."]),
        ("en", "A. P. J. Abdul Kalam was here. So was I.", None),
        ("en", "1. Press one. 2. Press two.", ["1. Press one.", "2. Press two."]),
        ("en", 'He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("en", "Wait... what?! Yes.", ["Wait...", "what?!", "Yes."]),
        ("en", "Rs. 500 is due. Pay no. 7 first.", ["Rs. 500 is due.", "Pay no. 7 first."]),
        ("en", "Shop 4\nMain Road\n\nPune", ["Shop 4", "Main Road", "Pune"]),
        ("hi", "नमस्ते। आपका ऑर्डर तैयार है। धन्यवाद॥", ["नमस्ते।", "आपका ऑर्डर तैयार है।", "धन्यवाद॥"]),
        ("hi", "डॉ. शर्मा आए हैं। श्री. वर्मा नहीं।", ["डॉ. शर्मा आए हैं।", "श्री. वर्मा नहीं।"]),
        ("hi", "रु. 500 दें. फिर रुकें.", ["रु. 500 दें.", "फिर रुकें."]),
        ("hi", "म. गांधी मार्ग। दूरी 1.5 कि.मी. है।", ["म. गांधी मार्ग।", "दूरी 1.5 कि.मी. है।"]),
        ("hi", "ठीक है. Order No. 12 तैयार है.", ["ठीक है.", "Order No. 12 तैयार है."]),
        ("hi-IN", "वे आए। हम गए", ["वे आए।", "हम गए"]),
        ("mr", "नमस्कार. डॉ. जोशी आले. सौ. कुलकर्णी?", ["नमस्कार.", "डॉ. जोशी आले.", "सौ. कुलकर्णी?"]),
        ("mr", "ता. 5 ला या. क्र. 12.", ["ता. 5 ला या.", "क्र. 12."]),
        ("ta", "வணக்கம். நன்றி.", ["வணக்கம்.", "நன்றி."]),
        ("en", "  \n\t ", []),
        ("en", "no mark at all", ["no mark at all"]),
    ],
)
def test_cuts(language: str, text: str, cut: list[str] | None) -> None:
    if cut is None:
        cut = {
            "M": ["Milk, bread etc. are here.", "Eggs etc.", "We have all."],
            "A": ["A. P. J. Abdul Kalam was here.", "So was I."],
        }[text[0]]
    assert sentences(text, language) == cut


def test_a_sentence_without_end_is_cut_between_clauses() -> None:
    text = ", ".join(f"this is clause number {n}" for n in range(60))
    cut = sentences(text, "en")
    assert len(cut) > 3
    assert all(len(piece) <= LONGEST and piece.endswith(",") for piece in cut[:-1])
    assert " ".join(cut) == text


@given(st.text(alphabet="ab. ,।?!\n\"'1डॉ", max_size=400), st.sampled_from(["en", "hi", "mr", "xx"]))
def test_nothing_is_lost_or_too_long(text: str, language: str) -> None:
    cut = sentences(text, language)
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert all(0 < len(piece) <= LONGEST for piece in cut)
