"""Whose turn it is: an automaton without a clock. Voice, words and what is being played in; commands out.

    QUIET --voice--> RISING --60 ms--> SPEAKING (nothing is played: the flow is told at once)
                                   --> DOUBTFUL (a prompt is played: softer from here on)
    DOUBTFUL --180 ms of voice--> HELD (the prompt is silent)     DOUBTFUL --pause--> LINGERING (loud again)
    DOUBTFUL, LINGERING, HELD --words--> SPEAKING (the flow is told, and stops its prompt)
                              --a listener's "hmm"--> QUIET (the prompt goes on, from the word broken off)
                              --silence--> JUDGING: what the recogniser makes of it decides between the two
    SPEAKING --silence, an answer, or too long--> QUIET, or DRAINING until an endless talker draws breath

Silence from the caller (no-input) is not looked for here: the flow counts it from the end of its prompt, also
where there is no sound at all, and a false alarm gives it its time back (`NothingSaid`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from ivr.flow.protocol import BargeIn
from ivr.turns.phrasing import COMPLETE, IsAnswer, Weight, completeness, weigh
from ivr.turns.stretch import Stretch
from media.turns import ONSET_PROBABILITY, ONSET_S, RELEASE_PROBABILITY

RISING_PROBABILITY: Final = 0.35
"""The onset may be coming: a prompt is softer at once, and what is heard counts from here."""

HOLD_AFTER_S: Final = 0.18
"""So much voice silences a prompt; with the detector and the way of the packets that is 260 ms for the
caller."""

TURN_AFTER_S: Final = 0.22
"""So much voice takes the turn where nobody can tell any words."""

SURELY_A_TURN_S: Final = 3.0
"""So much voice is no cough and no listener's word, whatever a recogniser makes of it."""

PAUSE_S: Final = 0.2
"""The turn may be over: what was heard is looked at, and a reply prepared."""

SENTENCE_PAUSE_S: Final = 0.06
"""As much behind a full stop, two chunks: a recogniser that writes one takes the sentence for whole."""

ANSWER_PAUSE_S: Final = 0.1
"""Ends a turn that is, word for word, one of the answers that are asked for."""

ANSWER_STANDS_S: Final = 1.0
"""So long an answer stays all that is heard where noise goes on behind it."""

STALE_S: Final = 0.2
"""With more voice behind them, words say nothing about how a turn ends."""

COUGH_S: Final = 0.5
"""A sound so short, without words, was no turn."""

HALF_CHUNK_S: Final = 0.016
"""Silence is counted in chunks of 32 ms: a turn ends with the one that is nearest to what is asked for."""

_UNKNOWN: Final = 0.5
"""How complete a turn is of which no words are known: halfway between floor and ceiling."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The silence that ends a turn is between `floor_s` and `ceiling_s`; `max_s` is the longest turn."""

    floor_s: float
    ceiling_s: float
    max_s: float

    def __post_init__(self) -> None:
        if not 0.0 < self.floor_s <= self.ceiling_s or not self.max_s > 0.0:
            raise ValueError(f"no turn can be ended by {self}")

    def silence_s(self, complete: float) -> float:
        """The silence that ends a turn which is so complete, of 0 to 1."""
        return self.ceiling_s - (self.ceiling_s - self.floor_s) * complete


class Act(Enum):
    """What is to be done."""

    DROP = auto()
    """What it has heard is of no interest."""
    DUCK = auto()
    RESTORE = auto()
    HOLD = auto()
    """What is played is silent at once, and may go on."""
    RESUME = auto()
    """It goes on from the word that was broken off, as loud as ever."""
    BEGAN = auto()
    """The turn is the caller's: the flow is told."""
    DROPPED = auto()
    """The caller goes on: what was presumed does not hold."""
    HEARD = auto()
    """The final words are the flow's."""
    NOTHING = auto()
    """It was no turn after all; the flow, which was told of one, takes it back."""


@dataclass(frozen=True, slots=True)
class Open:
    """A recogniser is to hear the caller, from a little before `since`."""

    since: float


@dataclass(frozen=True, slots=True)
class Paused:
    """The turn may be over, since then; who can tell by the sound is asked (`advise`)."""

    since: float


@dataclass(frozen=True, slots=True)
class Presume:
    """At a pause: this may be all. A reply may be prepared."""

    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch that is over, its voice since `until`. `told`: the flow knows of it; `cut`: its prompt was
    stopped for it."""

    number: int
    until: float
    voiced_s: float
    told: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """The recogniser is asked for the final words; they go to `TurnTaker.final`."""

    turn: Turn


Output = Act | Open | Paused | Presume | Finish


@dataclass(frozen=True, slots=True)
class Quiet:
    pass


@dataclass(frozen=True, slots=True)
class Rising:
    since: float
    ducked: bool


@dataclass(frozen=True, slots=True)
class Doubtful:
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Lingering:
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Held:
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Judging:
    """`rising_from`: the caller speaks again meanwhile."""

    turn: Turn
    held: bool
    rising_from: float | None = None


@dataclass(frozen=True, slots=True)
class Speaking:
    """`presumed` is what was told to be all, if anything was."""

    stretch: Stretch
    cut: bool
    presumed: str | None = None


@dataclass(frozen=True, slots=True)
class Draining:
    quiet_from: float | None


InDoubt = Doubtful | Lingering | Held
State = Quiet | Rising | Doubtful | Lingering | Held | Judging | Speaking | Draining


class TurnTaker:
    """The turns of one caller under one `Listen` of the flow. Every method gives what is to be done, in
    order."""

    def __init__(
        self,
        limits: Limits,
        language: str,
        is_answer: IsAnswer | None = None,
        playing: BargeIn | None = None,
    ) -> None:
        """`is_answer` tells what is an answer where only a few are asked for; `playing` is by what the prompt
        may be interrupted that is played, None: none is."""
        self._limits = limits
        self._language = language
        self._is_answer = is_answer
        self._playing = playing
        self._state: State = Quiet()
        self._at = 0.0
        self._turns = 0

    @property
    def state(self) -> State:
        return self._state

    # --- what happens

    def voice(self, probability: float, at: float) -> list[Output]:
        """The probability of speech in the chunk that ends at `at`."""
        begun, self._at = self._at, at
        match self._state:
            case Quiet() | Rising():
                return self._hear_quiet(probability, begun, at)
            case Doubtful() | Lingering() | Held():
                return self._hear_doubtful(self._state, probability, at)
            case Judging():
                self._hear_judging(self._state, probability, begun)
                return []
            case Speaking():
                return self._hear_speaking(self._state, probability, at)
            case Draining(quiet_from=quiet_from):
                if probability >= RELEASE_PROBABILITY:
                    self._state = Draining(None)
                elif quiet_from is None:
                    self._state = Draining(begun)
                elif at - quiet_from >= PAUSE_S:
                    self._state = Quiet()
                return []

    def words(self, text: str) -> list[Output]:
        """What the recogniser that was opened last has heard so far."""
        match self._state:
            case Doubtful(stretch) | Lingering(stretch) | Held(stretch):
                self._state = replace(self._state, stretch=stretch.read(text))
                return self._look(self._state)
            case Speaking(stretch=stretch):
                self._state = replace(self._state, stretch=stretch.read(text))
                return self._pausing(self._state) or self._ending()
            case _:
                return []

    def advise(self, probability: float) -> list[Output]:
        """How likely it is by its sound that the turn is over at this pause."""
        if isinstance(self._state, Speaking) and self._state.stretch.quiet_from is not None:
            self._state = replace(self._state, stretch=self._state.stretch.advised(probability))
            return self._ending()
        return []

    def final(self, turn: Turn, text: str | None) -> list[Output]:
        """The final words of a turn; None where nobody could tell any."""
        said = self._weigh(text) if text is not None else None
        if turn.told:
            nothing = said is Weight.NOTHING and turn.voiced_s < COUGH_S and not turn.cut
            return [Act.NOTHING if nothing else Act.HEARD]
        state = self._state
        if not isinstance(state, Judging) or state.turn != turn:
            return []
        since = state.rising_from
        self._state = Quiet() if since is None else Rising(since, ducked=False)
        takes = turn.voiced_s >= TURN_AFTER_S if said is None else said in (Weight.WORDS, Weight.ANSWER)
        if takes:
            return [*self._silence(held=state.held), Act.BEGAN, Act.HEARD]
        return [Act.RESUME] if state.held else []

    def key(self) -> list[Output]:
        """A key was pressed: who types has not been speaking, where keys may interrupt at all."""
        if self._playing not in (BargeIn.KEYS, BargeIn.ANY):
            return []
        return self._let_be() if not isinstance(self._state, Speaking | Draining) else []

    def echo(self) -> list[Output]:
        """What is in doubt was our own voice, come back: whatever is made of it, it is nobody's."""
        return self._let_be() if isinstance(self._state, Rising | InDoubt | Judging) else []

    def leave(self) -> list[Output]:
        """Nobody listens any more: our own voice is as it was."""
        return self._let_be()

    def playing(self, mode: BargeIn | None) -> list[Output]:
        """What is played from now on may be interrupted so; None: nothing is played any more."""
        if mode is self._playing:
            return []
        self._playing = mode
        if mode is None:
            return self._alone()
        if mode not in (BargeIn.SPEECH, BargeIn.ANY):
            return self._let_be()
        if isinstance(self._state, Speaking):
            # The flow speaks although the caller does: what he goes on to say decides anew.
            self._state = Doubtful(Stretch(self._at, self._at))
            return [Act.DUCK]
        return []

    # --- state by state

    @property
    def _interruptible(self) -> bool:
        return self._playing in (BargeIn.SPEECH, BargeIn.ANY)

    def _hear_quiet(self, probability: float, begun: float, at: float) -> list[Output]:
        if self._playing is not None and not self._interruptible:
            return []
        state = self._state
        ducked = isinstance(state, Rising) and state.ducked
        if probability < RISING_PROBABILITY:
            self._state = Quiet()
            return [Act.RESTORE] if ducked else []
        since = state.since if isinstance(state, Rising) else begun
        acts: list[Output] = [Act.DUCK] if self._interruptible and not ducked else []
        if probability < ONSET_PROBABILITY or at - since < ONSET_S:
            self._state = Rising(since, self._interruptible)
            return acts
        stretch = Stretch(since, at, at - since)
        if self._interruptible:
            self._state = Doubtful(stretch)
            return [*acts, Open(since)]
        self._state = Speaking(stretch, cut=False)
        return [Open(since), Act.BEGAN]

    def _hear_doubtful(self, state: InDoubt, probability: float, at: float) -> list[Output]:
        stretch = state.stretch.hear(probability, at)
        acts: list[Output] = []
        now: InDoubt = replace(state, stretch=stretch)
        if not isinstance(state, Held):
            if stretch.voiced_s >= HOLD_AFTER_S and stretch.quiet_from is None:
                now = Held(stretch)
                acts.append(Act.HOLD)
            elif isinstance(state, Doubtful) and stretch.quiet_s >= PAUSE_S:
                now = Lingering(stretch)
                acts.append(Act.RESTORE)
            elif isinstance(state, Lingering) and stretch.quiet_from is None:
                now = Doubtful(stretch)
                acts.append(Act.DUCK)
        self._state = now
        return acts + self._look(now)

    def _look(self, state: InDoubt) -> list[Output]:
        """Whether it is clear by now what it is."""
        stretch = state.stretch
        weight = Weight.NOTHING if stretch.words is None else self._weigh(stretch.words.text)
        if weight in (Weight.WORDS, Weight.ANSWER) or stretch.voiced_s >= SURELY_A_TURN_S:
            self._state = Speaking(stretch, cut=True)
            begun = [*self._silence(held=isinstance(state, Held)), Act.BEGAN]
            return begun + self._ending()
        if weight is Weight.BACKCHANNEL and stretch.quiet_s >= PAUSE_S:
            return self._let_be()
        if stretch.quiet_s >= self._limits.floor_s:
            turn = self._over(stretch, told=False, cut=False)
            self._state = Judging(turn, held=isinstance(state, Held))
            return [Act.RESTORE, Finish(turn)] if isinstance(state, Doubtful) else [Finish(turn)]
        return []

    def _hear_judging(self, state: Judging, probability: float, begun: float) -> None:
        """Who speaks again before it is known what he said is heard from there."""
        if probability < ONSET_PROBABILITY:
            self._state = replace(state, rising_from=None)
        elif state.rising_from is None:
            self._state = replace(state, rising_from=begun)

    def _hear_speaking(self, state: Speaking, probability: float, at: float) -> list[Output]:
        stretch = state.stretch.hear(probability, at)
        paused_before = state.stretch.quiet_s >= PAUSE_S
        acts: list[Output] = []
        if stretch.quiet_from is None and state.presumed is not None:
            acts.append(Act.DROPPED)
            state = replace(state, presumed=None)
        self._state = state = replace(state, stretch=stretch)
        if stretch.quiet_s >= PAUSE_S and not paused_before:
            acts.append(Paused(stretch.voice_until))
        return acts + self._pausing(state) + self._ending()

    def _pausing(self, state: Speaking) -> list[Output]:
        """What may be all is told, once."""
        stretch = state.stretch
        if stretch.quiet_s < SENTENCE_PAUSE_S:
            return []
        text = stretch.text(within_s=0.0)
        whole = stretch.quiet_s >= PAUSE_S or completeness(text, self._language) == COMPLETE
        if not whole or text == state.presumed or self._weigh(text) is Weight.NOTHING:
            return []
        self._state = replace(state, presumed=text)
        return [Presume(text)]

    def _ending(self) -> list[Output]:
        """Whether the turn that goes on is over by now."""
        state = self._state
        if not isinstance(state, Speaking):
            return []
        stretch = state.stretch
        if not (self._is_over(stretch) or stretch.length_s >= self._limits.max_s):
            return []
        self._state = Quiet() if stretch.quiet_from is not None else Draining(None)
        return [Finish(self._over(stretch, told=True, cut=state.cut))]

    def _is_over(self, stretch: Stretch) -> bool:
        text = stretch.text(STALE_S)
        if self._weigh(text) is Weight.ANSWER and stretch.words is not None:
            stood_s = stretch.at - stretch.words.since
            if stretch.quiet_s >= ANSWER_PAUSE_S or stood_s >= ANSWER_STANDS_S:
                return True
        said = completeness(text, self._language)
        complete = _UNKNOWN if said is None else said
        if stretch.advice is not None and complete > 0.0:
            complete = stretch.advice if said is None else (said + stretch.advice) / 2
        needed_s = self._limits.silence_s(complete) - HALF_CHUNK_S
        return stretch.quiet_from is not None and stretch.quiet_s >= needed_s

    # --- together

    def _weigh(self, text: str) -> Weight:
        return weigh(text, self._language, self._is_answer)

    def _over(self, stretch: Stretch, *, told: bool, cut: bool) -> Turn:
        self._turns += 1
        return Turn(self._turns, stretch.voice_until, stretch.voiced_s, told, cut)

    def _silence(self, *, held: bool) -> list[Output]:
        """Our own voice has no business any more; the flow will drop it."""
        return [] if held or self._playing is None else [Act.HOLD]

    def _let_be(self) -> list[Output]:
        """It was no turn, or is none of ours: our own voice goes on."""
        state, self._state = self._state, Quiet()
        match state:
            case Rising(ducked=True):
                return [Act.RESTORE]
            case Doubtful():
                return [Act.DROP, Act.RESTORE]
            case Held():
                return [Act.DROP, Act.RESUME]
            case Judging(held=held):
                return [Act.DROP, Act.RESUME] if held else [Act.DROP]
            case Lingering() | Speaking():
                return [Act.DROP]
            case _:
                return []

    def _alone(self) -> list[Output]:
        """Nothing is played any more: who has been speaking meanwhile has the turn."""
        match self._state:
            case Rising(since=since, ducked=True):
                self._state = Rising(since, ducked=False)
                return [Act.RESTORE]
            case Doubtful(stretch):
                self._state = Speaking(stretch, cut=False)
                return [Act.RESTORE, Act.BEGAN]
            case Held(stretch) | Lingering(stretch):
                self._state = Speaking(stretch, cut=False)
                return [Act.BEGAN]
            case _:
                return []
