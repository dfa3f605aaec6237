"""Words that take no turn, and words that a turn does not end with, in Hindi, Marathi and English.

Folded when they are compared (`ivr.flow.hearing.fold`), so that each stands here in one spelling for each
script. Callers mix languages: all lists count in every language, but for words that mean something else in
another (`ONLY_IN`). A native reader's check of Hindi and Marathi is wanted.
"""

from __future__ import annotations

from typing import Final

BACKCHANNELS: Final = {
    "hi": "हाँ जी अच्छा ठीक है हाँजी सही बिल्कुल ओके haan han haa ji hanji accha acha theek thik hai sahi",
    "mr": "हो होय बरं अच्छा ठीक आहे हं हंहं बरोबर ho hoy bara barobar aahe ahe",
    "en": "yes yeah yep yup okay ok right sure aha uhhuh uh-huh mhm mm-hmm alright fine good great",
}
"""Said while another speaks: go on, I am with you."""

HESITATIONS: Final = {
    "hi": "हम्म हूँ हुँ उम्म अं अरे उह hmm hm hmmm",
    "mr": "हम्म हूं अं अम्म अरे",
    "en": "um umm uh uhh er erm ah eh hmm hm mm mmm",
}
"""Sounds and words that say nothing, whoever speaks; at the end of what was said, more comes."""

MURMURS: Final = {"hi": "हम्म हूँ", "mr": "हम्म हं", "en": "hmm mhm"}
"""Of all those the sounds that a recogniser of a few phrases takes for one of them when it knows no better.
Few: each takes its share of the answers that sound like it."""

CONNECTIVES: Final = {
    "hi": (
        "और लेकिन मगर पर तो मतलब यानी क्योंकि कि अगर जब या फिर ताकि aur lekin magar matlab yani kyonki agar "
        "jab phir taaki"
    ),
    "mr": (
        "आणि पण परंतु म्हणजे कारण की जर जेव्हा किंवा मग म्हणून ani aani pan mhanje karan jar jevha kinva mag mhanun"
    ),
    "en": "and but or because if when which than then",
}
"""They join what was said to what comes, whatever a recogniser writes behind them."""

DANGLING: Final = {
    "hi": (
        "जो वो यह मेरा मेरी मेरे मुझे मैं हम का के को से में ने एक लिए वाला बाद अभी mera meri mere mujhe main "
        "ka ki ke ko se mein ne liye"
    ),
    "mr": "जो माझा माझी माझे मला मी आम्ही तर ते हे चा ची चे ला ने साठी एक आता majha majhi majhe mala",
    "en": "the a an my your to of for with from at in on is are was i we that it this like about by well",
}
"""They want another word behind them, but for those whose sentence is written as over."""

ONLY_IN: Final = {"पर": "hi", "तो": "hi", "हो": "mr", "ho": "mr"}
"""Words that count in one language alone: Marathi तो is "he", Hindi हो a verb."""

EXPECTANT_NUMBERS: Final = (
    "साढ़े सवा पौने डबल ट्रिपल प्लस पॉइंट दशमलव साडे सव्वा पावणे sadhe sava paune double triple plus point minus"
)
"""Words of a number that another must follow."""
