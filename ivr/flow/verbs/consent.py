"""consent: announces a recording, or asks for consent, and stores what was answered, with the time.

    recorded:
      consent: {for: recording, prompt: recorded}
      next: offers                       # heard to its end: who goes on agrees
    offers:
      consent:
        for: {opt_in: whatsapp-offers}   # or recording
        prompt: offers
        agree: {key: "1", intent: affirm}
        refuse: {key: "2", intent: deny}
        barge_in: none
        retry: {wait: 5s, prompts: [offers]}
      next: thanks                       # agreed
      otherwise: bye                     # refused, or no answer

Without `agree` it is an announcement, which nothing can cut; an opt-in is always asked for. What is stored
is durable before the next prompt: for what, in which language and words, by key, speech or announcement, and
the flow with its hash. A flow that has a consent for recording is recorded from the moment it is given; a
refusal deletes what there is. Keys typed ahead answer no question that was not heard, and are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import yaml

from ivr.flow.expressions import EvaluationError
from ivr.flow.model import Exit, Flow, Prompt, Step, Target
from ivr.flow.nodes import Entry, Fields
from ivr.flow.phrases import collect_phrases
from ivr.flow.problems import Report, Rule, did_you_mean
from ivr.flow.protocol import BargeIn, Event, Heard, Key, PromptDone, SpeechSpec, StoreConsent, words_of
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.verbs.asking import read_retry
from ivr.flow.verbs.menu import Choice, Menu, MenuAsking, read_means

RECORDING = "recording"
AGREE, REFUSE = "agree", "refuse"
How = Literal["announced", "key", "speech", "no_answer"]

_QUESTION = 'ask for it: agree: {key: "1"}, refuse: {key: "2"}'


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is consented to: the recording of the call (no name), or an opt-in of this name."""

    opt_in: str | None = None

    def __str__(self) -> str:
        return RECORDING if self.opt_in is None else f"opt-in {self.opt_in}"

    def stored(self, run: Run, step: str, how: How, wording: str, *, granted: bool) -> StoreConsent:
        return StoreConsent(
            purpose="recording" if self.opt_in is None else "opt_in",
            name=self.opt_in,
            granted=granted,
            how=how,
            language=run.language,
            wording=wording,
            step=step,
            flow=run.flow.name,
            flow_hash=run.flow.hash,
        )


@dataclass(frozen=True, kw_only=True)
class Consent(Step):
    """An announcement."""

    verb = "consent"
    silent = False

    prompt: Prompt
    purpose: Purpose
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Consent | ConsentQuestion | None:
        fields = step.body("for")
        purpose = _read_purpose(step, fields)
        prompt = step.prompt(fields, "prompt")
        target = step.target(step.fields, "next")
        if AGREE in fields or REFUSE in fields:
            return _read_question(step, fields, prompt, purpose, target)
        if purpose is not None and purpose.opt_in is not None:
            message = f"{fields.what} only announces an opt-in, and nobody agrees by listening"
            step.reader.problem(fields.place, Rule.CHOICES, message, _QUESTION)
        barge_in = fields.take("barge_in")
        if barge_in is not None:
            message = f"{fields.what} is an announcement, which is heard to its end"
            step.reader.problem(barge_in, Rule.BARGE_IN, message, "take barge_in out")
        fields.finish()
        if prompt is None or purpose is None or target is None:
            return None
        return cls(name=step.name, place=step.place, prompt=prompt, purpose=purpose, target=target)

    def exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target),)

    def prompts(self) -> tuple[Prompt, ...]:
        return (self.prompt,)

    def check(self, flow: Flow, report: Report) -> None:
        check_wording(self.name, (self.prompt,), report)

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return speaking.get(self.prompt.name, 0.0)

    def begin(self, run: Run, now: float) -> _Announcing | None:
        run.drop_keys()
        if run.say(self.prompt, BargeIn.NONE):
            return _Announcing(run, self)
        run.fail(f"consent: prompt {self.prompt.name} has no words")
        return None

    def skip(self, run: Run, now: float) -> None:
        run.leave("next", self.target, "hangup")


class _Announcing:
    due: float | None = None

    def __init__(self, run: Run, step: Consent) -> None:
        self._run = run
        self._step = step
        self._wording = wording_of(step.prompt, run)

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, PromptDone) and self._run.is_said(event.id):
            step = self._step
            stored = step.purpose.stored(self._run, step.name, "announced", self._wording, granted=True)
            self._run.emit(stored)
            self._run.leave("next", step.target, "announced")


@dataclass(frozen=True, kw_only=True)
class ConsentQuestion(Menu):
    """A menu of two choices, `agree` and `refuse`, whose answer is stored."""

    verb = "consent"

    purpose: Purpose
    target: Target

    @cached_property
    def _exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target), Exit("otherwise", self.otherwise))

    def check(self, flow: Flow, report: Report) -> None:
        super().check(flow, report)
        check_wording(self.name, self.prompts(), report)

    def begin(self, run: Run, now: float) -> _Asking:
        asking = _Asking(run, self, self.speech_spec(run))
        asking.begin(now)
        return asking


class _Asking(MenuAsking):
    def __init__(self, run: Run, step: ConsentQuestion, spec: SpeechSpec | None) -> None:
        super().__init__(run, step, spec)
        self._question = step
        self._how: How = "key"
        self._said: list[str] = []

    def begin(self, now: float) -> None:
        self._run.drop_keys()
        super().begin(now)

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, Key | Heard):
            self._how = "key" if isinstance(event, Key) else "speech"
        super().handle(event, now)

    def speak(self, prompt: Prompt, now: float) -> None:
        self._said.append(wording_of(prompt, self._run))
        super().speak(prompt, now)

    def take(self, choice: Choice, via: str) -> None:
        agreed = choice.name == AGREE
        self._store(granted=agreed, how=self._how)
        self.choose("next" if agreed else "otherwise", choice.target, via)

    def give_up(self, reason: Literal["no-input", "no-match"]) -> None:
        self._store(granted=False, how="no_answer")
        super().give_up(reason)

    def _store(self, *, granted: bool, how: How) -> None:
        self._run.stop_saying()
        step, wording = self._question, "\n".join(self._said)
        self._run.emit(step.purpose.stored(self._run, step.name, how, wording, granted=granted))


def asks_to_record(flow: Flow) -> bool:
    """Whether the recording of a call in this flow waits for a consent, of a flow within it maybe."""
    return any(
        isinstance(step, Consent | ConsentQuestion) and step.purpose.opt_in is None
        for one in flow.family.values()
        for step in one.steps.values()
    )


def wording_of(prompt: Prompt, run: Run) -> str:
    """What is heard of a prompt now; nothing where it cannot be rendered."""
    try:
        return " ".join(map(words_of, run.render(prompt)))
    except EvaluationError:
        return ""


def check_wording(step: str, prompts: tuple[Prompt, ...], report: Report) -> None:
    """Rule 3: what is consented to has words that can be stored."""
    for prompt in {prompt.name: prompt for prompt in prompts}.values():
        for language, wording in prompt.wordings.items():
            if wording.text is None or not wording.text.pieces:
                message = f"step {step}: the words of prompt {prompt.name} in {language} are to be stored"
                report.add(wording.place, Rule.PROMPTS, message, "give its text, beside audio too")


def _read_purpose(step: StepReader, fields: Fields) -> Purpose | None:
    hint = f"write for: {RECORDING}, or for: {{opt_in: NAME}}"
    node = fields.need("for", Rule.CHOICES, hint)
    if node is None:
        return None
    if isinstance(node, yaml.MappingNode):
        inner = step.reader.fields(node, f"for of {step.what}")
        name_node = inner.need("opt_in", Rule.CHOICES, hint)
        name = None if name_node is None else step.reader.name(name_node, f"opt_in of {step.what}")
        inner.finish()
        return None if name is None else Purpose(name)
    text = step.reader.text(node, f"for of {step.what}")
    if text is None or text == RECORDING:
        return None if text is None else Purpose()
    near = did_you_mean(text, (RECORDING,))
    message = f'{fields.what} is for "{text}", and only "{RECORDING}" stands by itself'
    step.reader.problem(node, Rule.CHOICES, message, near if near.startswith("did") else hint)
    return None


def _read_question(
    step: StepReader, fields: Fields, prompt: Prompt | None, purpose: Purpose | None, target: Target | None
) -> ConsentQuestion | None:
    barge_in = step.barge_in(fields, BargeIn.NONE)
    retry = read_retry(step, fields)
    otherwise = step.target(step.fields, "otherwise")
    choices = [
        _read_choice(step, fields.entry(name), name, to)
        for name, to in ((AGREE, target), (REFUSE, otherwise))
    ]
    fields.finish()
    both = tuple(choice for choice in choices if choice is not None)
    if len(both) < len(choices) or prompt is None or purpose is None or not target or not otherwise:
        return None
    return ConsentQuestion(
        name=step.name,
        place=step.place,
        prompt=prompt,
        barge_in=barge_in,
        retry=retry,
        otherwise=otherwise,
        phrases=collect_phrases(step.flow, {c.intent: c.phrases for c in both if c.intent is not None}),
        choices=both,
        keys={choice.key: choice for choice in both if choice.key is not None},
        intents={choice.intent: choice for choice in both if choice.intent is not None},
        purpose=purpose,
        target=target,
    )


def _read_choice(step: StepReader, entry: Entry | None, name: str, target: Target | None) -> Choice | None:
    if entry is None:
        message = f"{step.verb} of {step.what} has no {name}"
        step.reader.problem(step.place, Rule.CHOICES, message, "who may agree may refuse: give both")
        return None
    fields = step.reader.fields(entry.node, f"{name} of {step.what}", "key")
    key, intent, phrases = read_means(step, entry, fields)
    fields.finish()
    return None if target is None else Choice(name, entry.key_place, key, intent, phrases, (), target)
