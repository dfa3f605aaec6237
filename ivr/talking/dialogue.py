"""A conversation of a model with a caller: what happens and the time in, what is to be done out. Pure.

- One request at a time. What the caller says before its answer was spoken ends it, for real.
- An answer is spoken sentence by sentence, each as soon as the next begins (`speaking`).
- At a pause the answer to what was presumed is prepared, its sentences held, the sound of the first made.
  Nothing of it is said, and none of its tools used, before the words are confirmed.
- Where nothing good comes of the model, once it is asked again; then a safe sentence stands in, and after
  three such turns the conversation is given up, by the step's `otherwise`.
"""

from __future__ import annotations

from typing import Final

from ivr.flow.agent_protocol import (
    Converse,
    Dropped,
    NoInput,
    Presumed,
    Said,
    Summarise,
    ToolDone,
)
from ivr.flow.hearing.fold import fold
from ivr.flow.protocol import Heard, Key, NothingSaid, SpeechBegan
from ivr.talking import instructions
from ivr.talking.answer import Answer, Outcome, TooLong, Withheld
from ivr.talking.asking import Style, request_for
from ivr.talking.errands import Errands
from ivr.talking.grounds import Grounds
from ivr.talking.guard import Fault, language_of
from ivr.talking.history import History, Sentence
from ivr.talking.leaving import Leaving
from ivr.talking.protocol import (
    Ask,
    Broke,
    Cancel,
    Command,
    Count,
    Counted,
    Event,
    Find,
    Found,
    Got,
    Spent,
    Wake,
)
from ivr.talking.speaking import Speaking
from ivr.talking.tools import languages_of

OPENING_S: Final = 4.0
"""Without a greeting the flow has asked something before the step, as a rule; who does not begin to answer so
soon is asked."""

KEYS_S: Final = 2.0
"""After so long without another key the number is whole."""

SPEAKS_S: Final = 40.0
"""Longer than any utterance: what is not over by then never was one."""

TOOL_SLOW_S: Final = 0.8
NEXT_FILLER_S: Final = 6.0
FILLERS: Final = 3
"""In one wait."""

SILENCES: Final = 2
"""So often a silent caller is asked whether he is there."""

NOT_UNDERSTOOD: Final = 3
POOR_TURNS: Final = 3
PRESUMPTIONS: Final = 5
"""Answers prepared in one turn of a caller who pauses again and again: each costs."""

ROUNDS: Final = 6
"""Requests for one turn of the caller, tools in between."""

_WITHHELD: Final[dict[Fault, Counted]] = {
    Fault.NUMBER: "withheld_number",
    Fault.PERSONAL: "withheld_personal",
    Fault.LANGUAGE: "withheld_language",
    Fault.NO_SPEECH: "withheld_no_speech",
}


class Dialogue:
    """`handle` takes what happens and returns what is to be done; `due` is when it wants a `Wake`."""

    def __init__(self, begin: Converse, now: float, style: Style) -> None:
        self._begin = begin
        self._style = style
        self._readable = frozenset(begin.reads_out)
        self._commands: list[Command] = []
        self._grounds = Grounds()
        self._grounds.add(begin.instructions, begin.language)
        for value in begin.known.values():
            self._grounds.add(str(value), begin.language, open=True)
        self._history = History()
        self._speaking = Speaking(begin, self._emit)
        self._errands = Errands(begin, self._history, self._grounds, self._emit)
        self._leaving = Leaving(begin, self._history, self._errands, self._grounds, self._emit)
        self._ids = 0
        self._cost = 0.0
        # What is under way.
        self._answer: Answer | None = None
        self._cut_short = False
        """An answer was ended when its words were cut: there would have been more."""
        # What is awaited, as times.
        self._opens_at: float | None = now if begin.greeting else now + OPENING_S
        self._keys = ""
        self._keys_at: float | None = None
        self._speaks_until: float | None = None
        """While the caller speaks."""
        self._filler_at: float | None = None
        self._fillers = 0
        # What went before.
        self._turns = 0
        self._rounds = 0
        self._presumptions = 0
        self._poor = 0
        self._silences = 0
        self._unheard = 0

    @property
    def due(self) -> float | None:
        leaving = self._leaving
        if leaving.closing or leaving.over:
            return leaving.due
        times = (self._opens_at, self._keys_at, self._speaks_until, self._filler_at, leaving.due)
        return min((time for time in times if time is not None), default=None)

    @property
    def over(self) -> bool:
        return self._leaving.over

    def handle(self, event: Event, now: float) -> list[Command]:
        if not self.over:
            closing = self._leaving.closing
            if not closing or isinstance(event, Got | Broke | Spent | Wake):
                self._take(event, now)
            if self._speaks_until is None and not closing:
                self._speaking.advance()
            if self._speaking.silent:
                self._leaving.finish()
        commands, self._commands = self._commands, []
        return commands

    def _take(self, event: Event, now: float) -> None:
        match event:
            case Got(id=id, piece=piece):
                if self._answer is not None and id == self._answer.id:
                    sentences, outcome = self._answer.take(piece, now, self._grounds, self._readable)
                    self._advance(self._answer, sentences, outcome, now)
                else:
                    self._leaving.got(id, piece)
            case Broke(id=id, reason=reason):
                self._broke(id, reason)
            case Found(id=id, passages=passages):
                self._found(id, passages)
            case Spent(cost):
                self._cost += cost
            case Summarise():
                self._stop_answer()
                self._leaving.close(now)
            case Said():
                if self._speaking.said(event):
                    self._was_cut()
            case ToolDone():
                if self._errands.used(event):
                    self._filler_at = None
                    if not self._leaving.begun:
                        self._ask_when_free()
            case Wake():
                self._wake(now)
            case _ if not self._leaving.begun:
                self._caller(event, now)
            case _:
                pass

    def _caller(self, event: Event, now: float) -> None:
        match event:
            case SpeechBegan():
                self._opens_at = None
                self._speaks_until = now + SPEAKS_S
            case NothingSaid():
                self._speaks_until = None
                self._drop_presumed()
                self._go_on()
            case Presumed(text=text):
                self._presume(text)
            case Dropped():
                self._drop_presumed()
            case Heard(text=text):
                self._speaks_until = None
                if text:
                    self._heard(text, now)
                else:
                    self._drop_presumed()
                    self._nothing_understood()
            case Key(key=key):
                self._key(key, now)
            case NoInput():
                self._silence()
            case _:
                pass

    def _emit(self, command: Command) -> None:
        self._commands.append(command)

    def _count(self, what: Counted) -> None:
        self._commands.append(Count(what))

    @property
    def _language(self) -> str:
        return self._errands.language

    # --- what the caller says

    def _presume(self, text: str) -> None:
        if self._errands.in_use or self._presumptions >= PRESUMPTIONS:
            return
        if self._answer is not None:
            if self._answer.presumed is not None and fold(self._answer.presumed) == fold(text):
                return
            self._drop_presumed()
            self._drop_unsaid()
        self._opens_at = None
        self._presumptions += 1
        self._grounds.add(text, self._language, open=True)
        self._ask(presumed=text)

    def _drop_presumed(self) -> None:
        self._speaking.prepare_nothing()
        if self._answer is not None and self._answer.presumed is not None:
            self._count("speculation_dropped")
            self._stop_answer()

    def _heard(self, text: str, now: float) -> None:
        self._opens_at = None
        self._turns += 1
        self._rounds = self._presumptions = self._silences = self._unheard = 0
        self._forget_cut()
        self._speaking.temper.hear(text)
        self._follow_language(text)
        self._grounds.add(text, self._language, open=True)
        answer = self._answer
        if answer is not None and answer.presumed is not None:
            if fold(answer.presumed) == fold(text) and answer.language == self._language:
                self._history.heard(text)
                self._confirm(answer, now)
                return
            self._drop_presumed()
        self._drop_unsaid()
        self._history.heard(text)
        self._ask_when_free()

    def _confirm(self, answer: Answer, now: float) -> None:
        """What was prepared is said."""
        self._count("speculation_kept")
        answer.presumed = None
        self._history.reply(answer.reply)
        self._speaking.add(answer.reply.sentences)
        if answer.done:
            self._finished(answer, now)
        elif answer.slow and not answer.reply.sentences:
            self._fill_pause("thinking")

    def _nothing_understood(self) -> None:
        """Something was said, or made a noise."""
        if self._busy or self._speaking.cut or self._cut_short or self._history.owed:
            self._go_on()
            return
        self._count("not_understood")
        self._unheard += 1
        if self._unheard >= NOT_UNDERSTOOD:
            self._give_up("not understood")
        else:
            self._speaking.say("not_understood", self._language)

    def _was_cut(self) -> None:
        self._count("interrupted")
        if self._answer is not None and self._answer.presumed is None:
            self._cut_short = True
            self._stop_answer()

    def _go_on(self) -> None:
        """As if there had been nothing."""
        if self._cut_short:
            self._forget_cut()
            self._ask(notes=(instructions.GO_ON,))
        elif self._speaking.cut:
            self._history.reply(self._speaking.resume())
        elif self._history.owed and not self._busy:
            self._ask()

    def _forget_cut(self) -> None:
        self._cut_short = False
        self._speaking.forget_rest()

    def _key(self, key: str, now: float) -> None:
        self._opens_at = None
        if key.isdigit():
            self._forget_cut()
            self._keys = (self._keys + key)[:32]
            self._keys_at = now + KEYS_S
        elif self._keys:
            self._keyed(now)
        else:
            self._go_on()  # it says nothing, but may have cut us

    def _keyed(self, now: float) -> None:
        keys, self._keys, self._keys_at = self._keys, "", None
        self._heard(instructions.KEYED.format(keys=keys), now)

    def _silence(self) -> None:
        if self._busy or not self._speaking.silent or self._speaks_until is not None:
            return
        if self._history.owed:
            self._ask()
            return
        self._silences += 1
        if self._silences > SILENCES:
            self._give_up("silence")
        else:
            self._speaking.say("still_there", self._language)

    def _follow_language(self, text: str) -> None:
        """Where the flow lets the caller choose the language, what he speaks is his choice."""
        slot = next((slot for slot in self._begin.slots if slot.name == self._begin.language_slot), None)
        if slot is not None:
            spoken = language_of(text, languages_of(slot))
            if spoken is not None and spoken != self._language:
                self._count("language_changed")
                self._errands.fill({slot.name: spoken})

    # --- asking the model

    @property
    def _busy(self) -> bool:
        """Words are on their way to the caller."""
        answering = self._answer is not None and self._answer.presumed is None
        return answering or self._speaking.waiting or self._errands.in_use or self._leaving.begun

    def _ask_when_free(self) -> None:
        """With the answers of all tools that are in use, and not while the caller speaks."""
        if not self._errands.in_use and self._speaks_until is None:
            self._ask()

    def _ask(
        self, *, presumed: str | None = None, notes: tuple[str, ...] = (), again: Answer | None = None
    ) -> None:
        """In the place of whatever is asked now. `again`: for this one, which came to nothing."""
        self._drop_presumed()
        self._stop_answer()
        if self._begin.bounds.cost is not None and self._cost >= self._begin.bounds.cost:
            if presumed is None:
                self._give_up("cost")
            return
        if presumed is None:
            self._rounds += 1
            if self._rounds > ROUNDS:
                self._poor_turn("too many rounds")
                return
        self._ids += 1
        answer = self._answer = Answer(f"a{self._ids}", self._language, presumed, notes=notes)
        if again is not None:
            answer.again, answer.reply, answer.passages = True, again.reply, again.passages
            answer.reply.calls.clear()
        elif presumed is None:
            self._history.reply(answer.reply)
        question = presumed or self._history.last_words
        if self._begin.knowledge and question and again is None:
            self._emit(Find(answer.id, question))
        else:
            self._send(answer)

    def _found(self, id: str, passages: tuple[str, ...]) -> None:
        if self._answer is not None and id == self._answer.id:
            self._answer.passages = passages
            for passage in passages:
                self._grounds.add(passage, self._language)
            self._send(self._answer)

    def _send(self, answer: Answer) -> None:
        last = self._turns + (answer.presumed is not None) >= self._begin.bounds.turns
        mood = self._speaking.temper.now.mood
        request = request_for(answer, self._begin, self._history, self._errands, mood, self._style, last=last)
        self._emit(Ask(answer.id, request))

    def _stop_answer(self) -> None:
        if self._answer is not None:
            self._emit(Cancel(self._answer.id))
            self._answer.reply.calls.clear()  # they are wished for by nobody any more
            self._answer = None

    def _drop_unsaid(self) -> None:
        """The caller has said more before this was: it is no answer any more."""
        self._stop_answer()
        self._speaking.drop()

    def _advance(self, answer: Answer, sentences: list[Sentence], outcome: Outcome, now: float) -> None:
        if answer.presumed is None:
            self._speaking.add(sentences)
        elif sentences and sentences[0] is answer.reply.sentences[0]:
            self._speaking.prepare(sentences[0], answer.presumed)
        match outcome:
            case Withheld(text=text, finding=finding):
                self._count(_WITHHELD[finding.fault])
                self._stop_answer()
                self._withhold(answer, text, finding.about)
                return
            case TooLong():
                self._count("endless")
                self._emit(Cancel(answer.id))
                answer.done = True
                answer.reply.calls.clear()
        if answer.presumed is not None:
            return
        if answer.done:
            self._finished(answer, now)
        elif answer.slow and not answer.reply.sentences:
            answer.slow = False
            self._fill_pause("thinking")

    def _withhold(self, answer: Answer, text: str, about: str) -> None:
        if not answer.again:
            note = instructions.NOT_TO_BE_SAID.format(sentence=text[:300], about=about)
            if said := answer.reply.words:
                note += instructions.SAID_ALREADY.format(said=said)
            self._ask(presumed=answer.presumed, notes=(note,), again=answer)
            return
        answer.done = True
        answer.reply.calls.clear()
        if answer.presumed is not None:
            self._answer = answer
        self._poor_turn("withheld", answer)

    def _finished(self, answer: Answer, now: float) -> None:
        self._answer = None
        if answer.poor:
            self._count_poor(answer.poor)
        elif answer.reply.calls:
            self._use_tools(answer, now)
        elif answer.reply.sentences:
            self._count("turn" if self._turns else "opening")
            self._poor = 0
            self._errands.forgive()
        elif answer.again:
            self._poor_turn("no words", answer)
        else:
            self._count("no_words")
            self._ask(notes=(instructions.NO_WORDS,), again=answer)

    def _use_tools(self, answer: Answer, now: float) -> None:
        granted = self._errands.do(answer.reply.calls)
        if granted.faulty:
            self._count("tool_fault")
        if self._errands.hopeless:
            self._give_up("tool calls that cannot be used")
        elif granted.parting is not None:
            self._count("turn")
            self._leaving.begin(granted.parting, now)
        elif granted.in_use:
            self._fillers, self._filler_at = 0, now + TOOL_SLOW_S
        elif granted.complete and answer.asks:
            self._count("turn")  # "Noted. And when?": it is the caller's turn
            self._poor = 0
        else:
            self._ask_when_free()

    def _broke(self, id: str, reason: str) -> None:
        answer = self._answer
        if answer is None or id != answer.id:
            self._leaving.broke(id)
        else:
            self._answer = None
            if answer.presumed is not None:
                self._speaking.prepare_nothing()
                return  # it is asked again when it is sure
            if answer.reply.sentences:
                self._count("broken_off")
                answer.reply.calls.clear()
                self._poor += 1
                if self._poor >= POOR_TURNS:
                    self._give_up("broken off")
            else:
                self._give_up(f"model: {reason}")

    def _poor_turn(self, reason: str, answer: Answer | None = None) -> None:
        """Nothing good came of the model: a safe sentence stands in, unless it is the last straw."""
        if answer is None:
            answer = Answer("", self._language)
            self._history.reply(answer.reply)
        answer.poor = reason
        safe = self._speaking.safe(self._language)
        answer.reply.sentences.append(safe)
        if answer.presumed is None:
            self._speaking.add([safe])
            self._count_poor(reason)

    def _count_poor(self, reason: str) -> None:
        self._count("safe_sentence")
        self._poor += 1
        if self._poor >= POOR_TURNS:
            self._give_up(reason)

    # --- time

    def _fill_pause(self, kind: str) -> None:
        if self._speaking.silent and self._speaks_until is None:
            self._count("filler")
            self._speaking.say(kind, self._language)

    def _wake(self, now: float) -> None:
        self._leaving.wake(now)
        if self._leaving.closing:
            return
        if self._opens_at is not None and now >= self._opens_at:
            self._opens_at = None
            if self._begin.greeting:
                self._history.reply(self._speaking.greet(self._begin.greeting))
            else:
                self._ask()
        if self._keys_at is not None and now >= self._keys_at:
            self._keyed(now)
        if self._speaks_until is not None and now >= self._speaks_until:
            self._speaks_until = None
            self._drop_presumed()
            self._go_on()
        if self._filler_at is not None and now >= self._filler_at:
            self._fill_wait(now)

    def _fill_wait(self, now: float) -> None:
        """A tool takes its time."""
        if not self._speaking.silent or self._speaks_until is not None:
            self._filler_at = now + TOOL_SLOW_S
            return
        self._fillers += 1
        self._fill_pause("looking")
        self._filler_at = now + NEXT_FILLER_S if self._fillers < FILLERS else None

    def _give_up(self, reason: str) -> None:
        self._stop_answer()
        self._speaking.drop()
        self._leaving.give_up(reason)
