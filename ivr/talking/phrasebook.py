"""What is said in the same words by every agent, in each language: while the caller waits, where nothing was
understood, and where the model has nothing that may be said.

A voice may be a man's or a woman's: the words are neither's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Phrases:
    thinking: tuple[str, ...]
    """The model takes its time."""
    looking: tuple[str, ...]
    """A tool does."""
    not_understood: tuple[str, ...]
    still_there: tuple[str, ...]
    safe: tuple[str, ...]
    """In the place of what may not be said, or of no answer at all."""
    summary: str
    """Without a model: what is known and what the caller said last, for a colleague."""


PHRASES: Final[Mapping[str, Phrases]] = {
    "en": Phrases(
        thinking=("One moment.", "Let me think.", "Just a second.", "Let me see."),
        looking=(
            "Let me look that up for you.",
            "I am still looking, thank you for waiting.",
            "It takes a little longer, please stay on the line.",
        ),
        not_understood=(
            "Sorry, I did not catch that. Could you say it again?",
            "I could not hear you well. Please say it once more.",
        ),
        still_there=("Are you still there?", "I am still on the line. What can I do for you?"),
        safe=(
            "I am not sure about that. Could you ask me in another way?",
            "I cannot say that for certain. Is there anything else I can help with?",
        ),
        summary="Known: {known}. The caller said: {words}",
    ),
    "hi": Phrases(
        thinking=("एक पल रुकिए।", "ज़रा सोचने दीजिए।", "बस अभी बताते हैं।", "एक क्षण दीजिए।"),
        looking=(
            "अभी देखकर बताते हैं।",
            "अभी देख रहे हैं, रुकने के लिए धन्यवाद।",
            "थोड़ा समय लग रहा है, लाइन पर बने रहिए।",
        ),
        not_understood=(
            "माफ़ कीजिए, समझ नहीं आया। फिर से बताइए।",
            "आवाज़ साफ़ नहीं आई। कृपया एक बार और कहिए।",
        ),
        still_there=("क्या आप लाइन पर हैं?", "हम लाइन पर हैं। बताइए, क्या मदद करें?"),
        safe=(
            "इस बारे में पक्का नहीं कह सकते। क्या आप दूसरी तरह से पूछेंगे?",
            "यह पक्का बताना मुश्किल है। क्या और कोई मदद चाहिए?",
        ),
        summary="जानकारी: {known}। कॉलर ने कहा: {words}",
    ),
    "mr": Phrases(
        thinking=("एक क्षण थांबा.", "जरा विचार करू द्या.", "थोडं थांबा.", "एक मिनिट द्या."),
        looking=(
            "आत्ता बघून कळवत आहोत.",
            "अजून बघत आहोत, थांबल्याबद्दल धन्यवाद.",
            "थोडा वेळ लागत आहे, कृपया लाइनवर राहा.",
        ),
        not_understood=(
            "माफ करा, समजलं नाही. पुन्हा सांगा.",
            "आवाज नीट आला नाही. कृपया पुन्हा एकदा सांगा.",
        ),
        still_there=("तुम्ही लाइनवर आहात का?", "आम्ही लाइनवर आहोत. सांगा, काय मदत करू?"),
        safe=(
            "याबद्दल खात्रीने सांगता येत नाही. दुसऱ्या शब्दांत विचाराल का?",
            "हे नक्की सांगणं कठीण आहे. आणखी काही मदत हवी आहे का?",
        ),
        summary="माहिती: {known}. कॉलर म्हणाला: {words}",
    ),
}


def phrases(language: str) -> Phrases:
    return PHRASES.get(language.partition("-")[0], PHRASES["en"])


@dataclass(slots=True)
class Rotation:
    """Takes the phrases of each kind in turn, so that none is heard twice in a row."""

    _taken: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, language: str) -> str:
        """`kind` is a field of `Phrases` with several."""
        choices: tuple[str, ...] = getattr(phrases(language), kind)
        place = self._taken.get(kind, 0)
        self._taken[kind] = place + 1
        return choices[place % len(choices)]
