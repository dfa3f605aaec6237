"""What is an answer where only a few are asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.flow.hearing.fold import fold
from ivr.flow.intents import match_intent
from ivr.flow.understanding import CERTAIN_MARGIN, CERTAIN_SCORE
from ivr.turns.phrasing import IsAnswer


def answer_in(answers: Mapping[str, tuple[str, ...]], language: str) -> IsAnswer:
    """Tells whether a text means one of the answers for certain, and is not the beginning of a longer one."""
    phrases = [f"{fold(phrase)} " for listed in answers.values() for phrase in listed]

    def is_answer(text: str) -> bool:
        match = match_intent(text, language, answers)
        if match is None or match.score < CERTAIN_SCORE or match.margin < CERTAIN_MARGIN:
            return False
        said = f"{fold(text)} "
        return not any(phrase.startswith(said) and phrase != said for phrase in phrases)

    return is_answer
