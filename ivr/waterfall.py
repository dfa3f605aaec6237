"""What became of the time between the end of a caller's words, or a key, and the first packet of the reply.

Whoever comes to a stage of a turn marks it, with the loop's time:

    waterfall.mark(Stage.SPEECH_END, at)            # ivr.hearing, also Stage.PAUSE and Stage.ENDPOINT
    waterfall.mark(Stage.FINAL, at, "conformer")    # by the recogniser that answered
    waterfall.mark(Stage.FIRST_TOKEN, at, "vllm")   # an agent; a flow of menus marks Stage.INTENT
    turn = waterfall.replying(at)                   # ivr.speaking: the words of the reply are known
    waterfall.began(turn, audio_at, "kokoro", at)   # their first packet was sent: the turn is complete

Stages come in any order and may be left out: with speculation the reply is begun before the turn is over.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal, Protocol

Trigger = Literal["speech", "key"]


class Stage(Enum):
    """The moments of a turn, in the order of cause and effect."""

    KEY = "key"
    """A key was pressed; such a turn has nothing of what is heard."""
    SPEECH_END = "speech_end"
    """The last of the caller's voice came to us, by its position in the audio."""
    PAUSE = "pause"
    """The pause was noticed."""
    ENDPOINT = "endpoint"
    """The turn was found to be over."""
    FINAL = "final"
    """The final transcript was there."""
    INTENT = "intent"
    """The flow knew what follows."""
    FIRST_TOKEN = "first_token"
    FIRST_SENTENCE = "first_sentence"
    """The words to be spoken first were known."""
    FIRST_AUDIO = "first_audio"
    """The voice gave its first audio."""
    FIRST_PACKET = "first_packet"
    """The first RTP packet of the reply was sent."""


CACHE: Final = "cache"
"""Stands for the voice where the audio was there before the turn began."""

_ORDER: Final = {stage: place for place, stage in enumerate(Stage)}
_BEGINNINGS: Final = (Stage.KEY, Stage.SPEECH_END)


@dataclass(frozen=True, slots=True)
class About:
    """Where in the flow, and in which language, a turn began."""

    step: str = ""
    verb: str = ""
    language: str = ""


class Place(Protocol):
    """What knows where in the flow a call is."""

    @property
    def step(self) -> str: ...

    @property
    def verb(self) -> str: ...

    @property
    def language(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage as a span of time, in seconds since the turn began: from the last moment that it can have
    waited for until it was reached. `by` is the engine."""

    stage: Stage
    start_s: float
    end_s: float
    by: str


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """One turn of a call; `marks` are times of the loop's clock, in the order of `Stage`."""

    number: int
    about: About
    marks: Mapping[Stage, float]
    by: Mapping[Stage, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not any(stage in self.marks for stage in _BEGINNINGS):
            raise ValueError("a turn begins with a key or the end of speech")

    @property
    def trigger(self) -> Trigger:
        return "key" if Stage.KEY in self.marks else "speech"

    @property
    def began(self) -> float:
        return next(iter(self.marks.values()))

    @property
    def reply_s(self) -> float | None:
        """From its beginning to the first packet of the reply; None when nothing was replied."""
        end = self.marks.get(Stage.FIRST_PACKET)
        return None if end is None else end - self.began

    @property
    def bars(self) -> tuple[Bar, ...]:
        """Every stage but the first; those that ran at the same time overlap."""
        bars = []
        passed: list[float] = []
        for stage, at in self.marks.items():
            if stage not in _BEGINNINGS:
                start = max((time for time in passed if time <= at), default=at)
                bars.append(Bar(stage, start - self.began, at - self.began, self.by.get(stage, "")))
            passed.append(at)
        return tuple(bars)

    def record(self, since: float) -> dict[str, Any]:
        """As it stands in the record of a call, which began at `since`: milliseconds since the turn began."""
        reply_s = self.reply_s
        return {
            "turn": self.number,
            "at_s": round(self.began - since, 3),
            "trigger": self.trigger,
            "step": self.about.step,
            "verb": self.about.verb,
            "language": self.about.language,
            "reply_ms": None if reply_s is None else _ms(reply_s),
            "ms": {stage.value: _ms(at - self.began) for stage, at in self.marks.items()},
            "by": {stage.value: name for stage, name in self.by.items()},
        }

    @staticmethod
    def read(record: Mapping[str, Any]) -> TurnTimes:
        """The turn of a `record`, as if the call had begun at 0. Raises ValueError."""
        try:
            at_s = float(record["at_s"])
            marks = {Stage(name): at_s + float(ms) / 1000 for name, ms in record["ms"].items()}
            by = {Stage(name): str(engine) for name, engine in record["by"].items()}
            about = About(str(record["step"]), str(record["verb"]), str(record["language"]))
            return TurnTimes(int(record["turn"]), about, _sorted(marks), by)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no turn: {error}") from error


class Waterfall:
    """Collects the turns of one call."""

    def __init__(
        self,
        place: Place,
        since: float,
        note: Callable[[str, Mapping[str, Any]], None],
        tell: Callable[[TurnTimes], None] = lambda _turn: None,
    ) -> None:
        """`place` is asked when a turn begins; the call began at `since`. `note` keeps, and `tell` takes,
        each turn that is complete: replied to, or left without a reply by the next one or the end of the
        call."""
        self._place = place
        self._since = since
        self._note = note
        self._tell = tell
        self._serial = 0
        self._turns = 0
        self._where = About()
        self._marks: dict[Stage, float] = {}
        self._by: dict[Stage, str] = {}

    @property
    def turn(self) -> int:
        """Names the turn that has no reply yet; 0 without one."""
        return self._serial if self._marks else 0

    def mark(self, stage: Stage, at: float, by: str = "") -> None:
        """A stage was reached, by this engine. A key, and the end of speech, begin a turn; before its
        endpoint the caller may go on, and what was marked for a draft of the reply is forgotten. Of a stage
        that is reached again the first time counts. Without a turn nothing is marked."""
        if stage in _BEGINNINGS:
            self._begin(stage, at)
        elif self._marks and stage not in self._marks:
            self._marks[stage] = at
            if by:
                self._by[stage] = by

    def replying(self, at: float) -> int:
        """Something will be spoken: the reply to the open turn, which is named as by `turn`."""
        if self._marks:
            if Stage.FIRST_TOKEN not in self._marks:
                self.mark(Stage.INTENT, at)
            self.mark(Stage.FIRST_SENTENCE, at)
        return self.turn

    def began(self, turn: int, audio_at: float, voice: str, at: float) -> None:
        """The first packet of what was spoken in reply to that turn was sent; its audio was there at
        `audio_at`, which may be long before."""
        if turn and turn == self.turn:
            since = self._marks[Stage.FIRST_SENTENCE]
            self.mark(Stage.FIRST_AUDIO, max(audio_at, since), voice if audio_at >= self._began else CACHE)
            self.mark(Stage.FIRST_PACKET, at)
            self._end()

    def close(self) -> None:
        """The call is over: there will be no reply."""
        self._leave()

    @property
    def _began(self) -> float:
        return next(self._marks[stage] for stage in _BEGINNINGS if stage in self._marks)

    def _begin(self, stage: Stage, at: float) -> None:
        self._leave()
        self._serial += 1
        self._where = About(self._place.step, self._place.verb, self._place.language)
        self._marks[stage] = at

    def _leave(self) -> None:
        """Nothing was replied to the open turn. A key or a pause that led to nothing was none."""
        if Stage.ENDPOINT in self._marks:
            self._end()
        else:
            self._forget()

    def _end(self) -> None:
        self._turns += 1
        turn = TurnTimes(self._turns, self._where, _sorted(self._marks), self._by)
        self._forget()
        self._note("turn", turn.record(self._since))
        self._tell(turn)

    def _forget(self) -> None:
        self._marks, self._by = {}, {}


def _sorted(marks: Mapping[Stage, float]) -> dict[Stage, float]:
    return dict(sorted(marks.items(), key=lambda mark: _ORDER[mark[0]]))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
