"""A caller played by a language model: it is told who it is and what it wants, and what the server said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from engines.contract import EngineError
from engines.llm.contract import (
    ChatRequest,
    FromCaller,
    FromModel,
    Instruction,
    LanguageModel,
    Message,
    Words,
)
from ivr.evaluation.talk.scenario import Improvise

OVER: Final = "GOODBYE"
"""What the model writes when there is nothing left to say."""

_DEADLINE_S: Final = 30.0
_MOST_TOKENS: Final = 80

_ROLE: Final = """\
You play a person who is on the telephone with an automatic service. You are: {persona}
You want: {goal}
Speak {language}, as one does on the telephone: one short sentence at a time, plain words, no digits, no stage
directions. Never say that you are a model. When you have what you want, or cannot get it, write {over}."""

_LANGUAGES: Final = {"hi": "Hindi", "mr": "Marathi", "en": "English"}


class Improviser:
    """Plays callers, one after the other."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def begin(self, role: Improvise, language: str) -> Talk:
        return Talk(self._model, role, language)


class Talk:
    """One call's worth of it."""

    def __init__(self, model: LanguageModel, role: Improvise, language: str) -> None:
        self._model = model
        name = _LANGUAGES.get(language, language)
        self._role = _ROLE.format(persona=role.persona, goal=role.goal, language=name, over=OVER)
        self._messages: list[Message] = []
        self._heard = 0
        self._over = False

    async def next(self, told: Sequence[tuple[str, str]]) -> str | None:
        """The caller's next words, None when he is done. `told` is all that was said so far, by whom. Raises
        `EngineError`."""
        if self._over:
            return None
        server = [text for who, text in told if who == "server"]
        fresh, self._heard = server[self._heard :], len(server)
        self._messages.append(FromCaller(" ".join(fresh) or "(silence)"))
        said = ""
        request = ChatRequest(
            (Instruction(self._role), *self._messages), temperature=0.7, most_tokens=_MOST_TOKENS
        )
        async with aclosing(self._model.chat(request, deadline_s=_DEADLINE_S)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Words):
                    said += piece.text
        self._over = OVER in said
        words = said.replace(OVER, "").strip()
        if not words and not self._over:
            raise EngineError(f"{self._model.name} wrote nothing for the caller")
        self._messages.append(FromModel(words))
        return words or None
