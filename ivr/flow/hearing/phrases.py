"""What callers say to agree, refuse, hear it again or ask for a person: the built-in intents, by phrase.

A longer phrase hides the shorter ones within it ("कोई बात नहीं" is no refusal), so phrases that turn a
meaning round belong here too; `UNCLEAR` holds those that mean none of the intents. A native reader's check
of Hindi and Marathi is wanted.
"""

from typing import NamedTuple


class Wordings(NamedTuple):
    """The phrases of an intent in one language, separated by commas. `common` are listened for by
    recognisers of small vocabularies, which a long list would only confuse; `other` are understood as well.
    """

    common: str
    other: str


AFFIRM = {
    "hi": Wordings(
        "हाँ, जी हाँ, हाँ जी, ठीक है, मंज़ूर है, स्वीकार, बिल्कुल, यस, ओके",
        "जी, हां जी हां, हम्म हाँ, बिलकुल, ठीक, सही है, सही, मंज़ूर, स्वीकार है, हो जाएगा, कर "
        "दूँगा, कर दूंगी, कर लूँगा, ले लूँगा, चलेगा, ज़रूर, अच्छा, कर दो, कोई दिक्कत नहीं, कोई बात "
        "नहीं, क्यों नहीं, स्वीकार करता हूँ, स्वीकार करती हूँ, एक्सेप्ट, येस, haan, han, haa, ha, "
        "haan ji, ji haan, ji, bilkul, theek hai, thik hai, theek, thik, sahi hai, manzoor hai, ho "
        "jayega, kar dunga, chalega, zaroor, accha, koi dikkat nahi, koi baat nahi, kyon nahi",
    ),
    "mr": Wordings(
        "हो, होय, ठीक आहे, मान्य आहे, चालेल, स्वीकार, यस, ओके",
        "हो हो, हो जी, जी हो, हो ना, बरोबर, बरं, ठीक, मान्य, स्वीकारतो, स्वीकारते, करतो, करते, "
        "घेतो, घेते, नक्की, जरूर, अवश्य, हरकत नाही, काही हरकत नाही, का नाही, एक्सेप्ट, येस, ho, "
        "hoy, hoye, ho na, barobar, bara, theek aahe, thik ahe, chalel, manya aahe, nakki, harkat "
        "nahi, kahi harkat nahi",
    ),
    "en": Wordings(
        "yes, yeah, okay, sure, accept, correct, all right",
        "yep, yup, yes please, of course, ok, right, that is right, alright, i accept, accepted, "
        "agreed, i agree, confirm, confirmed, fine, go ahead, no problem, no issue, why not, not a "
        "problem, absolutely, definitely, done",
    ),
}
DENY = {
    "hi": Wordings(
        "नहीं, जी नहीं, मना, मना है, नहीं चाहिए, रद्द, नो",
        "नहीं जी, आज नहीं, अभी नहीं, ना, न, मत, नहीं होगा, नहीं हो पाएगा, नहीं कर पाऊँगा, नहीं कर सकता, नहीं कर सकते, "
        "ठीक नहीं है, सही नहीं है, मंज़ूर नहीं, मना करता हूँ, मना करती हूँ, मना कर दो, इनकार, "
        "इंकार, रद्द करो, कैंसिल, रिजेक्ट, अस्वीकार, गलत, गलत है, nahi, nahin, nai, naa, na, ji "
        "nahi, nahi ji, nahi chahiye, nahi hoga, mana, mana hai, radd, cancel karo, mat karo, theek "
        "nahi hai, galat",
    ),
    "mr": Wordings(
        "नाही, नको, मान्य नाही, जमणार नाही, नकार, रद्द, नो",
        "नाही नाही, नाय, नको आहे, ना, होणार नाही, शक्य नाही, करणार नाही, ठीक नाही, बरोबर नाही, "
        "नाकारतो, नाकारते, रद्द करा, कॅन्सल, रिजेक्ट, चुकीचे, चूक, नाही चालणार, चालणार नाही, nahi, "
        "naahi, nay, nako, nako aahe, jamnar nahi, honar nahi, shakya nahi, nakar, radd",
    ),
    "en": Wordings(
        "no, no thanks, reject, cancel, not possible, decline",
        "nope, nah, no thank you, not now, i reject, rejected, i decline, refuse, cannot, can not, "
        "cant, i cant, i cannot, wrong, incorrect, not correct, not right, not okay, not accepted, "
        "not interested, do not, dont, never",
    ),
}
REPEAT = {
    "hi": Wordings(
        "दोबारा, फिर से, फिर से बोलिए, रिपीट",
        "दुबारा, फिर बोलो, फिर बोलिए, दोबारा बोलो, दोबारा बोलिए, फिर से बोलो, फिर से सुनाओ, वापस "
        "बोलो, रिपीट करो, एक बार और, क्या बोला, क्या कहा, सुनाई नहीं दिया, सुना नहीं, समझ नहीं आया, "
        "समझ में नहीं आया, क्या, dobara, dubara, phir se, fir se, phir se bolo, fir se bolo, repeat "
        "karo, ek baar aur, kya bola, kya kaha, samajh nahi aaya, sunai nahi diya, kya",
    ),
    "mr": Wordings(
        "पुन्हा, परत, पुन्हा सांगा, रिपीट",
        "परत सांगा, पुन्हा बोला, परत बोला, पुन्हा एकदा, परत एकदा, रिपीट करा, काय म्हणालात, काय "
        "म्हणाला, ऐकू आले नाही, ऐकू आलं नाही, ऐकू नाही आले, समजले नाही, समजलं नाही, कळले नाही, कळलं "
        "नाही, काय, punha, parat, punha sanga, parat sanga, punha ekda, kay mhanala, samajla nahi, "
        "kalla nahi, kay",
    ),
    "en": Wordings(
        "repeat, again, say that again, pardon",
        "repeat that, please repeat, say again, say it again, once more, one more time, come again, "
        "what, what did you say, i did not hear, i didnt hear, i could not hear, did not "
        "understand, i did not understand, didnt understand, hear it again, i dont understand",
    ),
}
OPERATOR = {
    "hi": Wordings(
        "ऑपरेटर, एजेंट, किसी से बात करनी है, मदद चाहिए",
        "किसी से बात, किसी से बात कराओ, किसी से बात कराइए, बात कराओ, बात करवाओ, आदमी से बात, इंसान "
        "से बात, कस्टमर केयर, मैनेजर, अधिकारी से बात, प्रतिनिधि, सहायता चाहिए, operator, agent, "
        "kisi se baat, kisi se baat karni hai, baat karao, customer care, insaan se baat, madad "
        "chahiye",
    ),
    "mr": Wordings(
        "ऑपरेटर, एजंट, कोणाशी तरी बोलायचे आहे, मदत हवी",
        "कोणाशी तरी बोलायचे, कोणाशी तरी बोलायचं आहे, माणसाशी बोलायचे, माणसाशी बोलायचं आहे, कस्टमर "
        "केअर, मॅनेजर, प्रतिनिधी, अधिकाऱ्याशी बोलायचे आहे, मदत हवी आहे, मदत पाहिजे, operator, "
        "agent, konashi tari bolaycha, mansashi bolaycha, customer care, madat havi",
    ),
    "en": Wordings(
        "operator, agent, talk to someone, i need help",
        "representative, human, real person, speak to someone, talk to a person, speak to a person, "
        "talk to a human, speak to an agent, talk to an agent, customer care, customer service, "
        "manager, help desk",
    ),
}
UNCLEAR = {
    "hi": (
        "पता नहीं, मालूम नहीं, नहीं पता, नहीं मालूम, हाँ या नहीं, रुको, रुकिए, एक मिनट, एक मिनट रुको, "
        "एक मिनट रुकिए, एक सेकंड, सोचना पड़ेगा, देखता हूँ, pata nahi, nahi pata, maloom nahi, ek "
        "minute, ruko, rukiye"
    ),
    "mr": (
        "माहीत नाही, माहिती नाही, हो का नाही, ठाऊक नाही, हो की नाही, थांबा, एक मिनिट, एक मिनिट थांबा, "
        "एक सेकंद, विचार करावा लागेल, बघतो, mahit nahi, ek minute, thamba"
    ),
    "en": (
        "i dont know, i do not know, dont know, do not know, no idea, not sure, yes or no, wait, hold "
        "on, one minute, one moment, just a minute, just a moment, one second, maybe, let me think, "
        "let me see"
    ),
}

ASKING = "दे कर लिख बता बोल रख डाल लगा बना de kar likh bata bol rakh daal laga bana"
"""Hindi verbs after which "दो" is a request, and not two ("बीस मिनट लिख दो")."""

NOT = "नहीं नाही not nahi nahin"
"""Words that take a number before them back ("एक भी नहीं")."""

HOLD = "रुको रुकिए रुकना ठहरो ठहरिए थांबा थांब wait ruko rukiye rukna thamba hold"
"""Words that ask for patience: a number beside them is no answer ("एक मिनट रुकिए")."""

BUILT_IN = {"affirm": AFFIRM, "deny": DENY, "repeat": REPEAT, "operator": OPERATOR}
"""Intent -> language -> phrases."""

FILLERS = (
    "जी भैया भाई साहब सर मैडम मैम प्लीज़ प्लीज कृपया तो अरे वो उम्म हम्म अच्छा मैं मैंने मुझे "
    "मेरे हैलो दादा ताई अहो मला मी बाबा हॅलो ji bhaiya bhai sir madam maam please uh um hmm er "
    "well so just i the a it to for me my hello hi hey order ऑर्डर आर्डर"
)
"""Words that carry nothing; they do not count against a phrase."""

BESIDE_A_KEY = (
    "press key number option choose choice select button दबाओ दबाइए दबाएँ नंबर बटन विकल्प चुनो "
    "चुनिए वाला वाली दाबा दाबतो क्रमांक पर्याय निवडा dabao dabaiye vikalp daba kramank paryay"
)
"""Words beside the digit when a caller names the key of a choice: "दो नंबर", "press two"."""
