"""What menu and collect share: a prompt, the wait for keys and speech, and the ladder of retries.

    PROMPT --done--> WAITING --speech begins--> HEARING --heard--> understood, or the next retry
                             <--nothing said---
       \\--key or speech that may cut the prompt--/        WAITING --no input--> the next retry
    TYPING: some keys are in, more may follow (collect only)
    ASKING_OTHERS: the phrases leave a doubt, and a classifier is asked (`ivr.flow.understanding`)

No-input and no-match walk the same ladder; after its last prompt the step is left by `otherwise`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from itertools import chain
from typing import Literal

from ivr.flow.intents import Match, match_intent
from ivr.flow.model import Phrases, Prompt, Reference, Step, Target
from ivr.flow.nodes import Fields
from ivr.flow.phrases import OPERATOR
from ivr.flow.problems import Report, Rule
from ivr.flow.protocol import (
    BargeIn,
    Classified,
    Classify,
    Event,
    Heard,
    Key,
    NothingSaid,
    Option,
    PromptDone,
    SpeechBegan,
    SpeechSpec,
    StopClassifying,
    Tick,
    Unclassified,
)
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.types import MAX_TEXT
from ivr.flow.understanding import (
    CERTAIN_MARGIN,
    CERTAIN_SCORE,
    MAX_EXAMPLES,
    PHRASES_ALONE,
    Understanding,
)

OPERATOR_KEY = "0"
"""Takes the `operator` event in a menu that has no choice of its own for it."""

AFTER_NOTHING_S = 2.0
"""So long, at least, there is still to speak after a cough."""

HEARING_SLACK_S = 5.0
"""How much longer than the longest utterance the answer of the recogniser is awaited."""

DEFAULT_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to wait for input from the end of a prompt, and what to say each time before waiting again."""

    wait_s: float = DEFAULT_WAIT_S
    prompts: tuple[Prompt, ...] = ()


def read_retry(step: StepReader, fields: Fields) -> Retry:
    node = fields.take("retry")
    if node is None:
        return Retry()
    inner = step.reader.fields(node, f"retry of {step.what}")
    wait_s = step.seconds(inner, "wait", DEFAULT_WAIT_S, 0.5, 120.0)
    listed = inner.take("prompts")
    items = [] if listed is None else step.reader.items(listed, f"retry prompts of {step.what}")
    prompts = [step.prompt_at(item, f"{step.name}.retry.{n}") for n, item in enumerate(items, 1)]
    inner.finish()
    return Retry(wait_s, tuple(prompt for prompt in prompts if prompt is not None))


class _Phase(Enum):
    PROMPT = auto()
    WAITING = auto()
    HEARING = auto()
    TYPING = auto()
    ASKING_OTHERS = auto()


_DEAF = (_Phase.TYPING, _Phase.ASKING_OTHERS)
"""What is said then does not count."""


@dataclass(frozen=True, kw_only=True)
class AskingStep(Step):
    """The fields of a step that asks the caller something."""

    prompt: Prompt
    barge_in: BargeIn
    retry: Retry
    otherwise: Target
    phrases: Phrases
    """What is listened for, the operator's phrases included where the flow has one."""
    understanding: Understanding = PHRASES_ALONE

    def prompts(self) -> tuple[Prompt, ...]:
        return (self.prompt, *self.retry.prompts)

    def retries(self) -> tuple[Prompt, ...]:
        return self.retry.prompts

    @cached_property
    def listened(self) -> Mapping[str, tuple[str, ...]]:
        """Per language every phrase that is listened for."""
        return {language: tuple(chain(*intents.values())) for language, intents in self.phrases.items()}

    def references(self) -> tuple[Reference, ...]:
        return self.understanding.by

    def skip(self, run: Run, now: float) -> None:
        run.leave("otherwise", self.otherwise, "hangup")

    def check_barge_in(self, report: Report, *, keys: bool, speech: bool) -> None:
        """Rule 7: what may cut the prompt is something the step takes."""
        hint = "write barge_in: any, or none"
        if self.barge_in is BargeIn.SPEECH and not speech:
            message = f"step {self.name}: speech may cut its prompt, but it listens for none"
            report.add(self.place, Rule.BARGE_IN, message, hint)
        if self.barge_in is BargeIn.KEYS and not keys:
            message = f"step {self.name}: keys may cut its prompt, but it takes none"
            report.add(self.place, Rule.BARGE_IN, message, hint)

    def waiting_seconds(self, speaking: Mapping[str, float], answer_s: float) -> float:
        """Longest time in it: every prompt and the wait after each, then the longest answer."""
        rounds = 1 + len(self.retry.prompts)
        spoken = sum(speaking.get(prompt.name, 0.0) for prompt in self.prompts())
        if self.understanding.by:
            answer_s += self.understanding.within_s
        return spoken + rounds * max(self.retry.wait_s, answer_s)


class Asking(ABC):
    """A step that asks, under way."""

    def __init__(self, run: Run, step: AskingStep, spec: SpeechSpec | None) -> None:
        self._run = run
        self._step = step
        self._spec = spec
        self._phase = _Phase.WAITING
        self._attempt = 0
        self._asked: Classify | None = None
        """What a classifier is asked, while it is."""
        self._wait_until = 0.0
        self.due: float | None = None

    # --- what menu and collect decide

    @property
    @abstractmethod
    def takes_keys(self) -> bool: ...

    @abstractmethod
    def pressed(self, key: str, now: float) -> None:
        """A key that counts. Calls `choose`, `again` or `await_keys`."""

    @abstractmethod
    def understood(self, text: str | None, now: float) -> None:
        """An utterance. Calls `choose` or `again`."""

    @abstractmethod
    def options(self, said: str) -> tuple[Option, ...]:
        """What a classifier may choose of; nothing when nobody else need be asked what was said."""

    @abstractmethod
    def classified(self, option: str, now: float) -> None:
        """The option that a classifier has chosen. Calls `choose` or `again`."""

    @abstractmethod
    def keys_over(self, now: float) -> None:
        """No further key came in time."""

    # --- the automaton

    def begin(self, now: float) -> None:
        if not self._keys_cut:
            self._run.drop_keys()
        elif self.takes_keys and self._run.typed_ahead:
            self._take_typed_ahead(now)
            return
        self.speak(self._step.prompt, now)

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, Key):
            self._key(event.key, now)
        elif isinstance(event, SpeechBegan):
            self._speech_began(now)
        elif isinstance(event, NothingSaid):
            self._nothing_said(now)
        elif isinstance(event, Heard):
            self._heard(event.text, now)
        elif isinstance(event, PromptDone):
            if self._run.is_said(event.id) and self._phase is _Phase.PROMPT:
                self._wait(now)
        elif isinstance(event, Classified | Unclassified):
            self._answered(event, now)
        elif isinstance(event, Tick):
            self._tick(now)

    @property
    def _keys_cut(self) -> bool:
        return self._step.barge_in in (BargeIn.KEYS, BargeIn.ANY)

    @property
    def _speech_cuts(self) -> bool:
        return self._step.barge_in in (BargeIn.SPEECH, BargeIn.ANY)

    def _take_typed_ahead(self, now: float) -> None:
        while self._run.verdict is None and self._phase is not _Phase.PROMPT:
            key = self._run.take_key()
            if key is None:
                return
            self.pressed(key, now)

    def speak(self, prompt: Prompt, now: float) -> None:
        if self._spec is not None and not self._speech_cuts:
            self._run.stop_listening()
        self._phase = _Phase.PROMPT
        self.due = None
        if self._run.say(prompt, self._step.barge_in):
            if self._spec is not None and self._speech_cuts:
                self._run.listen(self._spec)
        elif self._run.verdict is None:
            self._wait(now)

    def _wait(self, now: float) -> None:
        self._phase = _Phase.WAITING
        self.due = self._wait_until = now + self._step.retry.wait_s
        if self._spec is not None:
            self._run.listen(self._spec)

    def _key(self, key: str, now: float) -> None:
        if self._phase is _Phase.PROMPT and not self._keys_cut:
            return
        if self._run.is_stray(key) or not self.takes_keys:
            return
        self._run.stop_saying()
        self._ask_no_more()
        self.pressed(key, now)

    def _speech_began(self, now: float) -> None:
        if self._spec is None or not self._run.listening or self._phase in _DEAF:
            return
        self._run.stop_saying()
        self._phase = _Phase.HEARING
        self.due = now + self._spec.max_s + HEARING_SLACK_S

    def _nothing_said(self, now: float) -> None:
        """The wait goes on as if it had not been."""
        if self._phase is _Phase.HEARING:
            self._phase = _Phase.WAITING
            self.due = max(self._wait_until, now + AFTER_NOTHING_S)

    def _heard(self, text: str | None, now: float) -> None:
        if self._spec is None or not self._run.listening or self._phase in _DEAF:
            return
        self._run.stop_saying()
        said = (text or "").strip()[:MAX_TEXT]
        options = self.options(said) if said and self._step.understanding.by else ()
        if options:
            self._ask_others(said, options, now)
        else:
            self.understood(text, now)

    def _ask_others(self, said: str, options: tuple[Option, ...], now: float) -> None:
        run, asked = self._run, self._step.understanding
        self._asked = Classify(
            run.next_id("classify"), said, run.language, options, asked.names, asked.within_s,
            run.flow.name, self._step.name,
        )  # fmt: skip
        run.emit(self._asked)
        self._phase = _Phase.ASKING_OTHERS
        self.due = now + asked.within_s

    def _answered(self, event: Classified | Unclassified, now: float) -> None:
        asked = self._asked
        if asked is None or event.id != asked.id:
            return
        self._asked = None
        if isinstance(event, Unclassified):
            self.understood(asked.text, now)
        elif event.option is None:
            self.again("no-match", now)
        elif any(option.name == event.option for option in asked.options):
            self.classified(event.option, now)
        else:
            self.understood(asked.text, now)

    def _ask_no_more(self) -> str:
        """Nobody's answer is awaited any more; gives what was said."""
        asked, self._asked = self._asked, None
        if asked is None:
            return ""
        self._run.emit(StopClassifying(asked.id))
        return asked.text

    def _tick(self, now: float) -> None:
        if self.due is None or now < self.due:
            return
        if self._phase is _Phase.WAITING:
            self.again("no-input", now)
        elif self._phase is _Phase.HEARING:
            self.again("no-match", now)
        elif self._phase is _Phase.TYPING:
            self.keys_over(now)
        elif self._phase is _Phase.ASKING_OTHERS:
            self.understood(self._ask_no_more(), now)

    # --- what follows

    def await_keys(self, gap_s: float, now: float) -> None:
        """More keys may follow within `gap_s`."""
        self._phase = _Phase.TYPING
        self.due = now + gap_s

    def again(self, reason: Literal["no-input", "no-match"], now: float) -> None:
        """The next prompt of the ladder, or `otherwise` after the last."""
        self._run.stop_saying()
        self._run.drop_keys()
        prompts = self._step.retry.prompts
        if self._attempt < len(prompts):
            self._attempt += 1
            self.speak(prompts[self._attempt - 1], now)
        else:
            self.give_up(reason)

    def give_up(self, reason: Literal["no-input", "no-match"]) -> None:
        """The ladder has been walked to its end."""
        self.choose("otherwise", self._step.otherwise, reason)

    def choose(self, outcome: str, target: Target, via: str) -> None:
        """The step is over."""
        self._run.stop_saying()
        self._run.stop_listening()
        self._run.leave(outcome, target, via)

    def call_operator(self, via: str) -> bool:
        """Takes the operator event of the flow, or of one around it, if there is one."""
        if not self._run.has_operator:
            return False
        self._run.stop_saying()
        self._run.stop_listening()
        self._run.call_operator(via)
        return True

    def intent_of(self, text: str) -> Match | None:
        """The intent of an utterance among the step's phrases."""
        language = self._run.language
        candidates = self._step.phrases.get(language)
        return match_intent(text, language, candidates) if candidates else None

    def operator_option(self) -> tuple[Option, ...]:
        """The operator, where there is one to be asked for."""
        phrases = self._step.phrases.get(self._run.language, {}).get(OPERATOR, ())
        return (Option(OPERATOR, phrases[:MAX_EXAMPLES]),) if self._run.has_operator else ()


def is_certain(match: Match | None) -> bool:
    """Whether nobody else need be asked."""
    return match is not None and match.score >= CERTAIN_SCORE and match.margin >= CERTAIN_MARGIN
