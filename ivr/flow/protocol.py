"""What goes into the flow machine and what comes out: the whole vocabulary between a flow and a live call.

The machine is pure: `machine.start(now)` and `machine.handle(event, now)` return commands, `machine.due` is
the time at which it wants a `Tick`. Times are seconds of any monotonic clock; the machine only compares them.
Whoever drives it (a live call, the simulator, the scenario runner) carries the commands out in order and
feeds back what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from ivr.flow.agent_protocol import AgentCommand, AgentEvent, Dropped, Presumed

Json = Mapping[str, Any]
WaitingSound = Literal["silence", "music", "ringback"]


class BargeIn(Enum):
    """What may interrupt a prompt. Keys that may not interrupt are dropped while it plays."""

    NONE = "none"
    KEYS = "keys"
    SPEECH = "speech"
    ANY = "any"


# --- in


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed: 0-9 * # A-D."""

    key: str


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller began to speak (the no-input timer stops; a prompt with speech barge-in is cut)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance is over. An empty text is a no-match: something was said, nothing was understood.

    A text of None says that no engine here can transcribe what was asked for (free speech with engines of
    small grammars): the words are in the recording only. Free text then takes `next` with its value left
    unset."""

    text: str | None
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class NothingSaid:
    """What began was no speech after all (a cough, a word that takes no turn): as if it had not been. Comes
    in place of `Heard`, and only where nothing was cut for it."""


@dataclass(frozen=True, slots=True)
class SpokenSoFar:
    """So much of the `Say` with this id is out by now, whole words; told before what may cut it."""

    id: str
    words: str


@dataclass(frozen=True, slots=True)
class Classified:
    """What the caller meant, by the word of a classifier: the option of this name, or None: none of them."""

    id: str
    option: str | None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Unclassified:
    """No classifier could answer the `Classify` with this id; what the phrases say counts."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PromptDone:
    """All utterances of the `Say` with this id were played, or cut by `StopSaying`."""

    id: str


@dataclass(frozen=True, slots=True)
class Replied:
    """The endpoint answered the `SendRequest` with this id (2xx); `body` is its JSON or None."""

    id: str
    status: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No answer, a late one, or not 2xx."""

    id: str
    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """The caller waits for somebody to be free, in this place of the queue; 1 is the first. Told when the
    place changes."""

    place: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """How the `Transfer` went. After `done` the call is somebody else's."""

    outcome: Literal["done", "busy", "no_answer", "failed"]


@dataclass(frozen=True, slots=True)
class Signal:
    """Something happened outside; `values` are JSON that fits the flow's types (`ivr.flow.signals`)."""

    name: str
    values: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Who answered the call, as far as that can be told; a key may still tell a human later."""

    who: Literal["human", "machine", "unknown"]


@dataclass(frozen=True, slots=True)
class GreetingOver:
    """The machine that answered takes a message now."""


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The caller stopped speaking so many seconds ago, and may go on; told while a message is kept
    (`KeepMessage`)."""

    ago_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """The message cannot be kept any more (the disk); what there is of it stays."""

    reason: str


@dataclass(frozen=True, slots=True)
class HungUpEvent:
    """The far end is gone; only silent steps run from here."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The call cannot go on as meant (media lost, no voice left); takes the flow's `failure` event."""

    reason: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Somebody else speaks with the caller from now on; `Yield` tells when. Until `GivenBack` or the hang-up
    the flow says nothing, asks nothing and hands nobody over; a silent step goes on beneath, and is left when
    the flow has the caller back."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The flow has the caller again: the step that he was taken out of is entered anew."""


@dataclass(frozen=True, slots=True)
class Tick:
    """`machine.due` was reached."""


Event = (
    AgentEvent
    | Key
    | SpeechBegan
    | Heard
    | Presumed
    | Dropped
    | NothingSaid
    | SpokenSoFar
    | Classified
    | Unclassified
    | PromptDone
    | Replied
    | RequestFailed
    | Queued
    | Transferred
    | Signal
    | AnsweredBy
    | GreetingOver
    | SpeechPaused
    | MessageFailed
    | HungUpEvent
    | Failure
    | TakenOver
    | GivenBack
    | Tick
)

# --- out


Purpose = Literal["prompt", "reply", "number"]
"""What a text is: what the flow's author wrote, what an agent answers, or figures alone."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text to speak: rendered, every value already in words of the language.

    `personal` texts hold values of this call: they are not kept on disk. `voice` is an engine's own name,
    empty for its choice; `rate` a multiple of its normal speed. By its `purpose` an engine is chosen; its
    `emotion` is one of `engines.tts.emotion`, felt with an `intensity` from 0 to 1 by engines that can.
    `pieces` are the same words, cut where sentences with values meet others; empty where nothing is to be
    cut.
    """

    text: str
    language: str
    personal: bool = False
    voice: str = ""
    rate: float = 1.0
    purpose: Purpose = "prompt"
    emotion: str = "neutral"
    intensity: float = 0.5
    pieces: tuple[Text, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A file to play, relative to `folder`, or where that is empty to the folder of the call's flow;
    `instead` is spoken where it cannot be read. `recording` tells the content that is meant from others that
    lay, or will lie, under the same name."""

    path: str
    instead: Text | None = None
    recording: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Beep:
    """The tone after which a message may be spoken."""


Utterance = Text | AudioFile | Beep


def pieces_of(utterance: Utterance) -> tuple[Utterance, ...]:
    """What it is made of, each of which can be made, and kept, alone."""
    if isinstance(utterance, Text) and utterance.pieces:
        return utterance.pieces
    return (utterance,)


def words_of(utterance: Utterance) -> str:
    """What is to be heard of an utterance; an audio file without words goes by its path."""
    match utterance:
        case Beep():
            return "[beep]"
        case AudioFile():
            return utterance.instead.text if utterance.instead else f"[{utterance.path}]"
        case Text():
            return utterance.text


@dataclass(frozen=True, slots=True)
class EndSilence:
    """The silence that ends what is said: between the two, the shorter the more complete it is."""

    floor_s: float = 0.4
    ceiling_s: float = 1.0


@dataclass(frozen=True, slots=True)
class SpeechSpec:
    """What speech is awaited. `phrases` empty: free speech. Where one of a few things is asked for, `answers`
    are what may be said for each, by name: what means one of them for certain ends the turn at once."""

    language: str
    phrases: tuple[str, ...] = ()
    max_s: float = 15.0
    end_silence: EndSilence = EndSilence()
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Enter:
    """A step was entered (for the record; `visit` counts from 1). `flow` is named when it is a flow within
    the call's own. What is typed and said in a `secret` step stands in no record."""

    step: str
    visit: int
    flow: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step was left by one of its outcomes (for the record); `via` is the key, intent or reason. `flow` as
    in `Enter`; `next` is empty when the step led out of it."""

    step: str
    outcome: str
    next: str
    via: str = ""
    flow: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak these in order, then send `PromptDone(id)`. Keys and speech that arrive meanwhile go to the
    machine."""

    id: str
    utterances: tuple[Utterance, ...]
    barge_in: BargeIn


@dataclass(frozen=True, slots=True)
class StopSaying:
    """Stop at the next packet and drop what is queued; `PromptDone` of a dropped `Say` need not be sent."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Listen for speech from now on (keys always arrive). A new `Listen` replaces the one before."""

    speech: SpeechSpec


@dataclass(frozen=True, slots=True)
class StopListening:
    """Speech is not awaited any more; an utterance under way is dropped."""


@dataclass(frozen=True, slots=True)
class Option:
    """What the caller may have meant, with some of the phrases for it."""

    name: str
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Classify:
    """Ask the classifiers of these names, one after the other, which option was meant; then send `Classified`
    or `Unclassified`, within `within_s` altogether. `flow` and `step` tell where it was said."""

    id: str
    text: str
    language: str
    options: tuple[Option, ...]
    by: tuple[str, ...]
    within_s: float
    flow: str
    step: str


@dataclass(frozen=True, slots=True)
class StopClassifying:
    """The answer to the `Classify` with this id is not awaited any more."""

    id: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Store the result as it stands; must be durable before any later command of the batch is carried out."""

    result: Json


SUPPRESS_CALLER: Final = "suppress-caller"
"""The endpoint that the server has itself: whoever is at the far end of the call gets no more calls of
campaigns."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """HTTP to a named endpoint of the configuration. With `background` no answer is awaited: it must survive
    a crash (outbox), and neither `Replied` nor `RequestFailed` is sent."""

    id: str
    endpoint: str
    method: Literal["GET", "POST", "PUT"]
    body: Json | None
    timeout_s: float
    background: bool = False


@dataclass(frozen=True, slots=True)
class Attended:
    """The agent is called before he is connected: he alone hears the whisper, and must press `accept` when it
    is given."""

    whisper: tuple[Utterance, ...] = ()
    accept: str | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """An event on a named topic of the configuration. It must survive a crash (outbox); nobody waits for
    it."""

    topic: str
    body: Json


@dataclass(frozen=True, slots=True)
class BeginWaiting:
    """The caller waits, and hears this until `EndWaiting`; nothing is being said meanwhile."""

    sound: WaitingSound


@dataclass(frozen=True, slots=True)
class EndWaiting:
    """The wait is over."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller over; `target` is a number, a SIP address or the name of a queue of the configuration.
    Blind without `attended`. `sound` is what the caller hears meanwhile (None: as configured)."""

    target: str
    context: Json = field(default_factory=dict)
    wait_s: float = 30.0
    sound: WaitingSound | None = None
    attended: Attended | None = None


@dataclass(frozen=True, slots=True)
class StopTransfer:
    """Nobody is to be found any more; no `Transferred` need be sent."""


@dataclass(frozen=True, slots=True)
class AskWhoAnswered:
    """Find out who answered the call, unless that is known, and tell `AnsweredBy`; with `to_greeting_end`
    tell `GreetingOver` as well after a machine. `timings` are those that are not the usual ones, in
    milliseconds, by their names in `media.amd` and `ivr.screening`."""

    to_greeting_end: bool
    timings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KeepMessage:
    """Keep what the far end says from now on as a message of this name, unique in the call, until
    `EndMessage` or the end of the call. Meanwhile `SpeechBegan` and `SpeechPaused` tell when it speaks."""

    name: str


@dataclass(frozen=True, slots=True)
class EndMessage:
    """The message is over: kept and in the record before any later command is carried out, or deleted."""

    name: str
    kept: bool


@dataclass(frozen=True, slots=True)
class StoreConsent:
    """Keep with the time that consent was given or refused; must be durable before any later command is
    carried out. A recording begins when it is `granted`, and is stopped and deleted when it is not.

    `name` tells opt-ins apart. `wording` is what was heard of the prompts, one a line; it may hold values of
    this call. `flow` is the one that asked, with the hash of its content.
    """

    purpose: Literal["recording", "opt_in"]
    name: str | None
    granted: bool
    how: Literal["announced", "key", "speech", "no_answer"]
    language: str
    wording: str
    step: str
    flow: str
    flow_hash: str


@dataclass(frozen=True, slots=True)
class Yield:
    """Nothing is said or listened for any more: whoever takes the call over may speak."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call (its prompts are already done). `Finish` follows, after the flow's `hangup` steps where a
    step hung up on its own account."""

    cause: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The flow is over, once, always the last command of a call: the final result and how it ended."""

    result: Json
    cause: str


Command = (
    AgentCommand
    | Enter
    | Outcome
    | Say
    | StopSaying
    | Listen
    | StopListening
    | Classify
    | StopClassifying
    | Commit
    | SendRequest
    | Publish
    | BeginWaiting
    | EndWaiting
    | Transfer
    | AskWhoAnswered
    | KeepMessage
    | EndMessage
    | StoreConsent
    | StopTransfer
    | Yield
    | HangUp
    | Finish
)
