"""The request for an answer: what the model is told, what was said, and the tools that it has."""

from __future__ import annotations

from dataclasses import dataclass

from engines.llm.contract import ChatRequest, FromCaller, Instruction, Message
from ivr.flow.agent_protocol import Converse
from ivr.talking import instructions
from ivr.talking.answer import Answer
from ivr.talking.errands import Errands
from ivr.talking.history import History
from ivr.talking.sentiment import Mood
from ivr.talking.tools import as_data


@dataclass(frozen=True, slots=True)
class Style:
    """How a model answers: `most_tokens` bound each answer."""

    temperature: float = 0.3
    most_tokens: int = 300


def request_for(
    answer: Answer,
    begin: Converse,
    history: History,
    errands: Errands,
    mood: Mood,
    style: Style,
    *,
    last: bool,
) -> ChatRequest:
    """`last`: the caller has no further turn."""
    notes = (*answer.notes, instructions.LAST_TURN) if last else answer.notes
    aside = "\n".join(filter(None, (*map(as_data, answer.passages), instructions.MOOD.get(mood, ""))))
    without = answer.reply if answer.again else None
    said = history.messages(aside, presumed=answer.presumed or "", without=without)
    first: tuple[Message, ...] = ()
    if not said or not isinstance(said[0], FromCaller):
        # Many models want the first word to be another's.
        first = (FromCaller(instructions.BEGINNING if said else instructions.OPENING),)
    system = Instruction(instructions.system(begin, errands.language, notes))
    return ChatRequest((system, *first, *said), errands.offers, style.temperature, style.most_tokens)
