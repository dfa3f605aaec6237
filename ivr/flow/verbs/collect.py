"""collect: a value typed or spoken.

    eta:
      collect:
        prompt: eta
        into: eta                        # a result or a variable; its type decides what fits
        barge_in: any
        keys: {length: 1..3, end: "#", gap: 3s}
        speech: {slot: minutes, max: 10s, end_silence: 400ms..1s}
        accept: "5 <= eta <= 240"
        secret: false                    # true: what is typed and said stands in no record
        retry: {wait: 6s, prompts: [eta]}
        next: booked
        otherwise: desk

An option of a one_of is said by itself, or by the phrases of an intent of that name. The digits are over at
the end key, after the gap, or at once when no more can come (an end key typed after that is taken as part of
them). What does not fit the type or is not accepted is a no-match. Keys where only speech is taken are
ignored. A text that nobody can transcribe takes `next` without a value. A silence ends what is said:
of `end_silence` the shorter when it is complete, the longer when it breaks off ("मुझे ऑर्डर चाहिए और"), and
hardly any behind an option, or yes or no, where those are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import yaml

from ivr.flow.expressions import EvaluationError, Expression
from ivr.flow.intents import builtin_phrases
from ivr.flow.model import Exit, Flow, Phrases, Target, Use
from ivr.flow.nodes import Fields, place_of
from ivr.flow.phrases import OPERATOR, collect_phrases
from ivr.flow.problems import START, Place, Report, Rule
from ivr.flow.protocol import EndSilence, Option, SpeechSpec
from ivr.flow.reading import FlowScope, StepReader
from ivr.flow.run import Run
from ivr.flow.slots import match_option, parse_keys, parse_slot
from ivr.flow.types import ASKED_NAMES, KINDS, MAX_DIGITS, MAX_TEXT, Family, Mismatch, Value, ValueType
from ivr.flow.understanding import MAX_EXAMPLES, read_understanding
from ivr.flow.verbs.asking import Asking, AskingStep, is_certain, read_retry
from ivr.flow.verbs.menu import KEYS, MAX_CHOICES

_LENGTH = re.compile(r"(\d{1,2})(?:\.\.(\d{1,2}))?")
_CHOSEN = ("yes_no", "one_of")
"""Slots that are one of a few."""

_YES_NO = {"yes": "affirm", "no": "deny"}
"""The intents that stand for the values."""

_CERTAIN = 1.0
"""Score from which free text counts as a call for the operator: the phrase itself and nothing else."""


@dataclass(frozen=True, slots=True)
class KeyInput:
    """How many digits, the key that ends them, and how long to wait for the next one."""

    low: int
    high: int
    end: str | None
    gap_s: float


@dataclass(frozen=True, slots=True)
class SpeechInput:
    """Which slot is listened for, for how long, and what silence ends it."""

    slot: str
    max_s: float
    end_silence: EndSilence


@dataclass(frozen=True, kw_only=True)
class Collect(AskingStep):
    verb = "collect"
    silent = False
    listens = True

    into: str
    type: ValueType
    keys: KeyInput | None
    speech: SpeechInput | None
    options: Phrases
    """What may be said for each option of a one_of."""
    accept: Expression | None
    accept_place: Place
    secret: bool
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Collect | None:
        fields = step.body("prompt")
        prompt = step.prompt(fields, "prompt")
        into, declared = _read_into(step, fields)
        keys = _read_keys(step, fields)
        speech = _read_speech(step, fields, declared)
        if "keys" not in fields and "speech" not in fields:
            step.reader.problem(fields.place, Rule.CHOICES, f"{fields.what} takes neither keys nor speech")
        barge_in = step.barge_in(fields)
        retry = read_retry(step, fields)
        understanding = read_understanding(step.reader, fields, step.flow.understanding)
        if "understanding" in fields and (speech is None or speech.slot not in _CHOSEN):
            message = f"{step.what}: nobody can be asked what is meant but of yes_no and one_of"
            step.reader.problem(fields.place, Rule.CHOICES, message, "take understanding out of it")
        accept_node = fields.take("accept")
        accept = None if accept_node is None else step.flow.condition(accept_node, f"accept of {step.what}")
        secret = fields.read("secret", step.reader.flag, False)
        target = step.target(fields, "next")
        otherwise = step.target(fields, "otherwise")
        fields.finish()
        if prompt is None or declared is None or target is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            prompt=prompt,
            barge_in=barge_in,
            retry=retry,
            otherwise=otherwise,
            understanding=understanding,
            phrases=collect_phrases(step.flow, {}) if speech else {},
            into=into,
            type=declared.required(),
            keys=keys,
            speech=speech,
            options=_option_phrases(step.flow, declared),
            accept=accept,
            accept_place=START if accept_node is None else place_of(accept_node),
            secret=secret,
            target=target,
        )

    @property
    def digits(self) -> str:
        """Keys that are part of the value; * is the decimal point of amounts."""
        return "0123456789*" if self.type.kind in ("rupees", "percent") else "0123456789"

    @property
    def certain(self) -> bool:
        """Whether `next` is only taken with a value: free text may be left to the recording."""
        return self.speech is None or self.speech.slot != "text"

    def exits(self) -> tuple[Exit, ...]:
        into = frozenset((self.into,))
        done = Exit("next", self.target, fills=into, certain=into if self.certain else frozenset())
        return (done, Exit("otherwise", self.otherwise))

    def uses(self) -> tuple[Use, ...]:
        return (
            ()
            if self.accept is None
            else (Use(self.accept, self.accept_place, given=frozenset((self.into,))),)
        )

    def check(self, flow: Flow, report: Report) -> None:
        self.check_barge_in(report, keys=self.keys is not None, speech=self.speech is not None)
        if self.secret and self.into in flow.result:
            message = f"step {self.name} is secret, and fills {self.into}, a result: it is stored and sent"
            report.add(self.place, Rule.RESULT, message, "fill one of the variables")
        if self.speech is not None and self.speech.slot == "one_of":
            if len(self.type.options) > MAX_CHOICES:
                message = f"step {self.name} listens for {len(self.type.options)} options"
                hint = f"more than {MAX_CHOICES} are not told apart: ask in two steps, or for free text"
                report.add(self.place, Rule.CHOICES, message, hint)
                return
            for language in flow.languages:
                self._options_differ(language, report)

    def _options_differ(self, language: str, report: Report) -> None:
        """Rule 2: what is said for an option means it, and no other."""
        for option in self.type.options:
            for phrase in (option, *self.options.get(language, {}).get(option, ())):
                found = self._option_of(phrase, language)
                if found != option:
                    taken = "cannot be told apart" if found is None else f"is understood as {found}"
                    message = f'step {self.name}: "{phrase}" ({language}) for the option {option} {taken}'
                    report.add(self.place, Rule.CHOICES, message, "choose words that differ more")

    def _option_of(self, phrase: str, language: str) -> Value:
        return parse_slot(
            "one_of", phrase, language, self.type.options, phrases=self.options.get(language, {})
        )

    def seconds(self, speaking: Mapping[str, float]) -> float:
        typed = 0.0 if self.keys is None else self.keys.gap_s * self.keys.high
        said = 0.0 if self.speech is None else self.speech.max_s
        return self.waiting_seconds(speaking, max(typed, said))

    def begin(self, run: Run, now: float) -> Asking:
        spec = None
        if self.speech is not None:
            listed = self._phrases(run.language)
            answers = self._answers(self.speech.slot, run.language)
            spec = SpeechSpec(run.language, listed, self.speech.max_s, self.speech.end_silence, answers)
        asking = _CollectAsking(run, self, spec)
        asking.begin(now)
        return asking

    def _answers(self, slot: str, language: str) -> Mapping[str, tuple[str, ...]]:
        """What ends a turn at once, where it is one of a few that is asked for."""
        if slot == "yes_no":
            return dict.fromkeys(_YES_NO.values(), ())
        if slot == "one_of":
            said = self.options.get(language, {})
            return {option: (option, *said.get(option, ())) for option in self.type.options}
        return {}

    def _phrases(self, language: str) -> tuple[str, ...]:
        """What a recogniser of small vocabularies should know; empty for free speech."""
        if self.speech is None or self.speech.slot != "one_of":
            return ()
        said = chain.from_iterable(self.options.get(language, {}).values())
        return (*self.type.options, *said, *self.listened.get(language, ()))


class _CollectAsking(Asking):
    def __init__(self, run: Run, collect: Collect, spec: SpeechSpec | None) -> None:
        super().__init__(run, collect, spec)
        self._collect = collect
        self._typed = ""

    @property
    def takes_keys(self) -> bool:
        return self._collect.keys is not None

    def pressed(self, key: str, now: float) -> None:
        keys = self._collect.keys
        if keys is None:
            return
        if key == keys.end:
            self._evaluate_keys(keys, now)
        elif key not in self._collect.digits:
            self.again("no-match", now)
        else:
            self._typed += key
            if len(self._typed) < keys.high:
                self.await_keys(keys.gap_s, now)
                return
            self._run.expect_stray(keys.end)
            self._evaluate_keys(keys, now)

    def keys_over(self, now: float) -> None:
        if self._collect.keys is not None:
            self._evaluate_keys(self._collect.keys, now)

    def understood(self, text: str | None, now: float) -> None:
        speech = self._collect.speech
        if speech is None:
            return
        if text is None and speech.slot == "text":
            self.choose("next", self._collect.target, "not transcribed")
            return
        said = (text or "")[:MAX_TEXT]
        value = self._value_of(speech.slot, said) if said else None
        if not self._asked_for_operator(said, value):
            self._offer(value, "speech", now)

    def _value_of(self, slot: str, said: str) -> Value:
        language, collect = self._run.language, self._collect
        phrases = collect.options.get(language, {})
        return parse_slot(slot, said, language, collect.type.options, self._run.today, phrases)

    def options(self, said: str) -> tuple[Option, ...]:
        """Of what is one of a few; numbers, dates and free text are nobody else's business."""
        collect, language = self._collect, self._run.language
        speech = collect.speech
        if speech is None or speech.slot not in _CHOSEN:
            return ()
        phrases = collect.options.get(language, {})
        if is_certain(match_option(speech.slot, said, language, collect.type.options, phrases)):
            return ()
        if (found := self.intent_of(said)) is not None and is_certain(found):
            return ()
        if speech.slot == "one_of":
            own = [Option(option, phrases.get(option, ())[:MAX_EXAMPLES]) for option in collect.type.options]
        else:
            own = [Option(name, builtin_phrases(_YES_NO[name], language)[:MAX_EXAMPLES]) for name in _YES_NO]
        return (*own, *(() if OPERATOR in collect.type.options else self.operator_option()))

    def classified(self, option: str, now: float) -> None:
        if option == OPERATOR and option not in self._collect.type.options:
            self.call_operator(OPERATOR)
        else:
            self._offer(option, "speech", now)

    def again(self, reason: Literal["no-input", "no-match"], now: float) -> None:
        self._typed = ""
        super().again(reason, now)

    def _asked_for_operator(self, said: str, value: Value) -> bool:
        """Free text may speak of an operator; only the phrase by itself asks for one."""
        free = self._collect.speech is not None and self._collect.speech.slot == "text"
        if not said or (value is not None and not free):
            return False
        found = self.intent_of(said)
        if found is None or found.name != OPERATOR or (free and found.score < _CERTAIN):
            return False
        return self.call_operator(OPERATOR)

    def _evaluate_keys(self, keys: KeyInput, now: float) -> None:
        typed, self._typed = self._typed, ""
        declared = self._collect.type
        enough = len(typed) >= keys.low
        self._offer(
            parse_keys(declared.kind, typed, declared.options, self._run.today) if enough else None,
            "keys",
            now,
        )

    def _offer(self, value: Value, via: str, now: float) -> None:
        """Takes the value if it fits its type and the step accepts it."""
        collect = self._collect
        try:
            fitting = collect.type.accept(value)
            accepted = collect.accept is None or collect.accept.holds(
                {**self._run.values, collect.into: fitting}
            )
        except (Mismatch, EvaluationError):
            accepted = False
        if not accepted:
            self.again("no-match", now)
            return
        self._run.assign(((collect.into, fitting),))
        self.choose("next", collect.target, via)


def _read_into(step: StepReader, fields: Fields) -> tuple[str, ValueType | None]:
    node = fields.need("into", Rule.PROMPTS, "name the value to fill, declared in result or variables")
    name = None if node is None else step.reader.text(node, f"into of {step.what}")
    if node is None or name is None:
        return "", None
    declared = step.flow.declared(name, node, f"into of {step.what}")
    if declared is not None and declared.kind not in ASKED_NAMES:
        message = f'into of {step.what}: "{name}" is a {declared.kind}, which no caller gives in one answer'
        step.reader.problem(node, Rule.PROMPTS, message, "ask for one text at a time")
        return name, None
    return name, declared


def _option_phrases(flow: FlowScope, declared: ValueType) -> Phrases:
    """The phrases of those intents of the flow that are named as an option."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for option in declared.options if declared.kind == "one_of" else ():
        for language, phrases in flow.intents.get(option, {}).items():
            found.setdefault(language, {})[option] = phrases
    return found


def _read_keys(step: StepReader, fields: Fields) -> KeyInput | None:
    node = fields.take("keys")
    if node is None:
        return None
    inner = step.reader.fields(node, f"keys of {step.what}")
    length = inner.need("length", Rule.CHOICES, "such as length: 4 or length: 1..3")
    low, high = 1, MAX_DIGITS
    if length is not None:
        match = _LENGTH.fullmatch(getattr(length, "value", "") if isinstance(length.value, str) else "")
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= low <= high <= MAX_DIGITS:
            step.reader.problem(
                length,
                Rule.CHOICES,
                f"length of {inner.what} must be a number or a range",
                "such as 4 or 1..3",
            )
    end = inner.read("end", lambda at, what: read_end(step, at, what, "digits"), None)
    gap_s = step.seconds(inner, "gap", 3.0, 0.2, 30.0)
    inner.finish()
    return KeyInput(low, high, end, gap_s)


def read_end(step: StepReader, node: yaml.Node, what: str, ended: str) -> str | None:
    """The key that ends what is typed or said."""
    key = step.reader.text(node, what)
    if key is not None and (len(key) != 1 or key not in KEYS or key.isdigit()):
        step.reader.problem(node, Rule.CHOICES, f'{what} "{key}" cannot end {ended}', 'use "#" or "*"')
        return None
    return key


def _read_speech(step: StepReader, fields: Fields, declared: ValueType | None) -> SpeechInput | None:
    node = fields.take("speech")
    if node is None:
        return None
    inner = step.reader.fields(node, f"speech of {step.what}")
    slot_node = inner.need("slot", Rule.PROMPTS, "such as slot: minutes")
    slot = None if slot_node is None else step.reader.one_of(slot_node, f"slot of {step.what}", ASKED_NAMES)
    max_s = step.seconds(inner, "max", 10.0, 1.0, 120.0)
    end_silence = step.end_silence(inner)
    inner.finish()
    if slot is None or slot_node is None:
        return None
    if declared is not None and not _fits(slot, declared):
        step.reader.problem(
            slot_node, Rule.PROMPTS, f"slot {slot} does not fit {fields.what}, which fills {declared}"
        )
    return SpeechInput(slot, max_s, end_silence)


def _fits(slot: str, declared: ValueType) -> bool:
    kind = declared.kind
    if slot == kind:
        return True
    if kind == "text":
        return KINDS[slot].family is Family.TEXT
    number = ValueType(slot).family is Family.NUMBER and declared.family is Family.NUMBER
    return number and kind in ("rupees", "percent")
