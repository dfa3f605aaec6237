"""A conversation with an agent under way: what the caller does is told to it, what it wants is spoken and
done, within bounds that it cannot move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ivr.flow.agent_protocol import (
    GREETING,
    AgentCalls,
    AgentEvent,
    AgentFills,
    AgentPrepares,
    AgentSays,
    AgentSums,
    Conversed,
    Dropped,
    News,
    NoInput,
    Presumed,
    Said,
    StopConversing,
    Summarise,
    TellAgent,
    ToolDone,
)
from ivr.flow.expressions import MAX_SPOKEN
from ivr.flow.intents import match_intent
from ivr.flow.phrases import OPERATOR
from ivr.flow.protocol import (
    BargeIn,
    Event,
    Heard,
    Key,
    NothingSaid,
    PromptDone,
    Replied,
    RequestFailed,
    SendRequest,
    SpeechBegan,
    SpeechSpec,
    Text,
    Tick,
    Utterance,
    words_of,
)
from ivr.flow.run import Run
from ivr.flow.types import MAX_TEXT, Mismatch, Value, to_json
from ivr.flow.understanding import CERTAIN_MARGIN, CERTAIN_SCORE
from ivr.flow.verbs.agent_transcript import Transcript
from ivr.flow.verbs.asking import OPERATOR_KEY

if TYPE_CHECKING:
    from ivr.flow.verbs.agent import Agent
    from ivr.flow.verbs.agent_reading import AgentTool

UTTERANCE_S = 30.0
"""Longest utterance of the caller."""

NO_INPUT_S = 8.0
"""So long a silence of the caller is told to the agent."""

SUMMARY_S = 2.5
"""So long a summary is waited for before the step is left."""

ANSWER_SLACK_S = 1.0
MAX_CALLS = 8
"""Most uses of tools at one time; more are refused."""


@dataclass(frozen=True, slots=True)
class _Use:
    """A use of a tool under way, until `due`."""

    call: str
    due: float


@dataclass(frozen=True, slots=True)
class _Parting:
    """How the step is left, once the summary is there or `due`."""

    outcome: str
    via: str
    due: float


class _UnfitError(Exception):
    """What the agent asked for cannot be done; the text tells it why."""


class Talk:
    def __init__(self, run: Run, step: Agent, id: str, greeting: tuple[Utterance, ...], now: float) -> None:
        self._run = run
        self._step = step
        self._id = id
        self._greeting = greeting
        self._until = now + step.bounds.time_s
        self._turns = 0
        self._saying: dict[str, str] = {}
        """Marks of the agent's words by the id of the `Say`, in order."""
        self._words: dict[str, str] = {}
        """The words themselves, by the same."""
        self._transcript = Transcript()
        self._uses: dict[str, _Use] = {}
        """Uses of tools by the id of the request."""
        self._silent_from: float | None = None
        """When the caller's turn to speak came; None while it is not, or his silence was told."""
        self._presumed = False
        """What the caller has said may be all."""
        self._parting: _Parting | None = None

    @property
    def due(self) -> float | None:
        if self._parting is not None:
            return self._parting.due
        silent = self._until if self._silent_from is None else self._silent_from + NO_INPUT_S
        return min(self._until, silent, *(use.due for use in self._uses.values()))

    def begin(self, now: float) -> None:
        if self._keys_cut:
            while self._open and (key := self._run.take_key()) is not None:
                self._key(key, now)
        else:
            self._run.drop_keys()
        if self._open:
            self._listen()

    @property
    def _open(self) -> bool:
        """Nothing has ended it yet."""
        return self._run.verdict is None and self._parting is None

    def interrupt(self, now: float) -> None:
        """The caller has gone, or the call has failed."""
        self._run.line.likely = ()
        self._run.emit(StopConversing(self._id))
        self._write_transcript()

    def handle(self, event: Event, now: float) -> None:
        if self._parting is not None:
            self._await_summary(event, self._parting, now)
            return
        match event:
            case Key(key):
                if not self._run.is_stray(key):
                    self._key(key, now)
            case SpeechBegan():
                self._speech_began()
            case NothingSaid():
                self._nothing_said(now)
            case Presumed() | Dropped():
                self._presume(event)
            case Heard():
                self._heard(event, now)
            case PromptDone(id):
                self._said(id, now)
            case AgentSays() | AgentPrepares() | AgentFills() | AgentCalls() | AgentSums() | Conversed():
                if event.id == self._id:
                    self._wanted(event, now)
            case Replied(id=id, body=body):
                self._used(id, ToolDone("", body))
            case RequestFailed(id=id, reason=reason):
                self._used(id, ToolDone("", error=reason))
            case Tick():
                self._tick(now)
            case _:
                pass

    # --- what the caller does

    @property
    def _keys_cut(self) -> bool:
        return self._step.barge_in in (BargeIn.KEYS, BargeIn.ANY)

    @property
    def _speech_cuts(self) -> bool:
        return self._step.barge_in in (BargeIn.SPEECH, BargeIn.ANY)

    def _listen(self) -> None:
        if self._speech_cuts or not self._saying:
            self._run.listen(SpeechSpec(self._run.language, (), UTTERANCE_S, self._step.end_silence))

    def _key(self, key: str, now: float) -> None:
        if self._saying and not self._keys_cut:
            return
        if key == OPERATOR_KEY:
            self._part(OPERATOR, key, now)
            return
        self._silent_from = None
        self._cut()
        self._tell(Key(key))

    def _speech_began(self) -> None:
        if self._run.listening:
            self._silent_from = None
            self._cut()
            self._tell(SpeechBegan())

    def _nothing_said(self, now: float) -> None:
        if self._run.listening:
            self._presumed = False
            self._run.line.likely = ()
            self._tell(NothingSaid())
            if not self._saying:
                self._silent_from = now

    def _presume(self, event: Presumed | Dropped) -> None:
        if not self._run.listening or (isinstance(event, Dropped) and not self._presumed):
            return
        self._presumed = isinstance(event, Presumed)
        if not self._presumed:
            self._run.line.likely = ()
        self._tell(event)

    def _heard(self, heard: Heard, now: float) -> None:
        if not self._run.listening:
            return
        self._silent_from, self._presumed = None, False
        self._cut()
        if heard.text is None:
            self._part("otherwise", "not transcribed", now)
            return
        said = heard.text.strip()[:MAX_TEXT]
        if said and self._asks_for_operator(said):
            self._transcript.caller(said)
            self._part(OPERATOR, OPERATOR, now)
            return
        if said:
            self._transcript.caller(said)
        self._turns += 1
        if self._turns > self._step.bounds.turns:
            self._part("otherwise", "turns", now)
        else:
            self._tell(Heard(said, heard.confidence))

    def _asks_for_operator(self, said: str) -> bool:
        """Only the phrase itself: an agent may well talk of persons."""
        language = self._run.language
        match = match_intent(said, language, self._step.phrases.get(language, {}))
        return match is not None and match.score >= CERTAIN_SCORE and match.margin >= CERTAIN_MARGIN

    # --- what the agent says

    def _speak(self, says: AgentSays) -> None:
        self._run.line.likely = ()
        words = _spoken_words(says.text)
        if not words:
            self._tell(Said(says.mark))
            return
        greets = says.mark == GREETING and self._greeting
        self._utter(self._greeting if greets else (self._spoken(says, words),), says.mark)

    def _prepare(self, coming: AgentPrepares) -> None:
        words = _spoken_words(coming.text)
        self._run.line.likely = (self._spoken(coming, words),) if words else ()

    def _spoken(self, says: AgentSays | AgentPrepares, words: str) -> Text:
        run = self._run
        language, manner = run.language, run.flow.manner
        if (respell := manner.say_as.get(language)) is not None:
            words = respell(words)
        return Text(
            words,
            language,
            True,
            manner.voice(language),
            manner.rate,
            "reply",
            says.emotion or self._step.emotion,
            says.intensity,
        )

    def _utter(self, utterances: tuple[Utterance, ...], mark: str) -> None:
        self._silent_from = None
        if not self._speech_cuts:
            self._run.stop_listening()
        self._run.utter(utterances, self._step.barge_in)
        id = self._run.line.saying or ""
        self._saying[id] = mark
        self._words[id] = " ".join(map(words_of, utterances))

    def _said(self, id: str, now: float) -> None:
        self._run.is_said(id)
        mark = self._saying.pop(id, None)
        if mark is not None:
            self._transcript.agent(self._words.pop(id))
            self._tell(Said(mark))
            self._listen()
            if not self._saying:
                self._silent_from = now

    def _cut(self) -> None:
        """What the agent says stops here, and what it still had to say is dropped."""
        if not self._saying:
            return
        self._run.stop_saying()
        for mark, heard in self._break_off():
            self._tell(Said(mark, cut=True, heard=heard))
        self._listen()

    def _break_off(self) -> list[tuple[str, str | None]]:
        """The marks of what is being said, and how much of each was heard."""
        cut, self._saying = self._saying, {}
        self._words.clear()
        found: list[tuple[str, str | None]] = []
        heard: str | None = None
        for id, mark in cut.items():
            begun = self._run.words_out(id)
            # Behind the one that was being said, nothing had been said.
            heard = begun if heard is None else ""
            self._transcript.agent(heard or "", cut=True)
            found.append((mark, heard))
        return found

    # --- what the agent wants

    def _wanted(self, event: AgentEvent, now: float) -> None:
        match event:
            case AgentSays():
                self._speak(event)
            case AgentPrepares():
                self._prepare(event)
            case AgentFills(slots=slots):
                self._fill(slots)
            case AgentCalls():
                self._use(event, now)
            case AgentSums(text=text):
                self._sum_up(text)
            case Conversed(outcome=outcome, slots=slots, reason=reason):
                self._fill(slots)
                if outcome == "operator":
                    self._leave_for_operator(reason or OPERATOR)
                elif outcome == "next":
                    self._done(reason)
                else:
                    self._leave("otherwise", reason or "the agent gave up")

    def _fill(self, slots: Mapping[str, Any]) -> None:
        """What was found out is the flow's at once; what does not fit is as if it had not been said."""
        changes: list[tuple[str, Value]] = []
        for name, raw in slots.items():
            wanted = self._step.wanted.get(name)
            if wanted is None:
                continue
            try:
                changes.append((name, wanted.type.required().accept(raw)))
            except Mismatch:
                continue
        self._run.assign(changes)

    def _sum_up(self, text: str) -> None:
        if self._step.summary is not None and (words := " ".join(text.split())[:MAX_TEXT]):
            self._run.assign([(self._step.summary, words)])

    def _use(self, wants: AgentCalls, now: float) -> None:
        tool = self._step.offered.get(wants.tool)
        if tool is None:
            self._tell(ToolDone(wants.call, error=f"there is no tool {wants.tool[:60]}"))
        elif tool.endpoint is None:
            if tool.action == "transfer":
                self._leave_for_operator(tool.name)
            else:
                self._done(tool.name)
        elif len(self._uses) >= MAX_CALLS:
            self._tell(ToolDone(wants.call, error="too many tools are in use"))
        else:
            try:
                arguments = _fitting(tool, wants.arguments)
            except _UnfitError as error:
                self._tell(ToolDone(wants.call, error=str(error)))
                return
            id = self._run.next_id("request")
            self._uses[id] = _Use(wants.call, now + tool.timeout_s + ANSWER_SLACK_S)
            request = SendRequest(id, tool.endpoint.name, tool.method, arguments, tool.timeout_s)
            self._run.emit(request)

    def _used(self, id: str, done: ToolDone) -> None:
        use = self._uses.pop(id, None)
        if use is not None:
            self._tell(ToolDone(use.call, done.answer, done.error))

    # --- how it ends

    def _tick(self, now: float) -> None:
        if now >= self._until:
            self._part("otherwise", "time", now)
            return
        if self._silent_from is not None and now >= self._silent_from + NO_INPUT_S:
            self._tell(NoInput(now - self._silent_from))
            self._silent_from = None
        for id in [id for id, use in self._uses.items() if now >= use.due]:
            self._used(id, ToolDone("", error="no answer in time"))

    def _part(self, outcome: str, via: str, now: float) -> None:
        """The step is left by the flow's own word: the agent may still say what a colleague is to know."""
        if self._step.summary is None:
            self._leave(outcome, via)
            return
        self._run.stop_saying()
        self._run.stop_listening()
        self._break_off()
        self._parting = _Parting(outcome, via, now + SUMMARY_S)
        self._tell(Summarise())

    def _await_summary(self, event: Event, parting: _Parting, now: float) -> None:
        match event:
            case AgentSums(id=id, text=text) if id == self._id:
                self._sum_up(text)
            case Conversed(id=id) if id == self._id:
                pass
            case Tick() if now >= parting.due:
                pass
            case _:
                return
        self._leave(parting.outcome, parting.via)

    def _done(self, via: str) -> None:
        values = self._run.values
        missing = [slot.name for slot in self._step.slots if slot.required and values[slot.name] is None]
        if missing:
            self._leave("otherwise", f"missing: {', '.join(missing)}")
        else:
            self._leave("next", via)

    def _leave_for_operator(self, via: str) -> None:
        operator = self._step.operator
        self._stop()
        if operator is not None:
            self._run.leave(OPERATOR, operator, via)
        elif self._run.has_operator:
            self._run.call_operator(via)
        else:
            self._run.leave("otherwise", self._step.otherwise, via)

    def _leave(self, outcome: str, via: str) -> None:
        if outcome == OPERATOR:
            self._leave_for_operator(via)
            return
        self._stop()
        self._run.leave(outcome, self._step.target if outcome == "next" else self._step.otherwise, via)

    def _stop(self) -> None:
        self._run.line.likely = ()
        self._run.emit(StopConversing(self._id))
        self._run.stop_saying()
        self._run.stop_listening()
        self._write_transcript()

    def _write_transcript(self) -> None:
        self._break_off()
        if self._step.transcript is not None:
            self._run.assign([(self._step.transcript, self._transcript.lines)])

    def _tell(self, news: News) -> None:
        self._run.emit(TellAgent(self._id, news))


def _spoken_words(text: str) -> str:
    return " ".join(text.split())[:MAX_SPOKEN]


def _fitting(tool: AgentTool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the endpoint gets them; raises `_UnfitError`."""
    for name in arguments:
        if name not in tool.parameters:
            raise _UnfitError(f"{name[:60]} is no parameter of {tool.name}")
    fitting: dict[str, Any] = {}
    for name, type_ in tool.parameters.items():
        try:
            fitting[name] = to_json(type_.accept(arguments.get(name)))
        except Mismatch as error:
            raise _UnfitError(f"{name} {error}") from error
    return fitting
