"""menu: a prompt, and keys and intents at once.

    offer:
      menu:
        prompt: offer
        barge_in: any                    # any, keys, speech or none
        choices:
          accept: {key: "1", intent: affirm, set: {decision: accepted}, next: eta}
          later: {key: "3", phrases: {hi: ["बाद में"], en: ["later"]}, next: later}
        retry: {wait: 5s, prompts: [retry]}
        otherwise: report

A choice has a key, an intent, or both. The phrases of an intent are the built-in ones (affirm, deny, repeat,
operator), those of the flow's `intents`, and its own. Where it listens, a key may be said as well ("एक",
"press one"); what means an intent comes first. A key that is no choice is a no-match; without
`retry.prompts` the first no-input or no-match takes `otherwise`. Where the flow has an operator event, the
operator intent and a free key 0 take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import yaml

from ivr.flow.hearing.fold import fold
from ivr.flow.intents import builtin_intents, match_intent
from ivr.flow.model import Assignment, Exit, Flow, Target
from ivr.flow.nodes import Entry, Fields
from ivr.flow.phrases import OPERATOR, collect_phrases, own_phrases, read_phrases
from ivr.flow.problems import Place, Report, Rule, did_you_mean
from ivr.flow.protocol import Option, SpeechSpec
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.slots import spoken_key
from ivr.flow.types import MAX_TEXT
from ivr.flow.understanding import MAX_EXAMPLES, read_understanding
from ivr.flow.verbs.asking import OPERATOR_KEY, Asking, AskingStep, is_certain, read_retry

KEYS = "0123456789*#ABCD"
MAX_CHOICES = 50
MAX_LISTENED = 300
"""Most phrases of all choices together, in one language."""
_MENU_SPEECH_S = 6.0
"""Longest utterance a menu waits for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: its key, its intent, or both."""

    name: str
    place: Place
    key: str | None
    intent: str | None
    phrases: Mapping[str, tuple[str, ...]]
    assigns: tuple[Assignment, ...]
    target: Target


@dataclass(frozen=True, kw_only=True)
class Menu(AskingStep):
    verb = "menu"
    silent = False
    listens = True

    choices: tuple[Choice, ...]
    keys: Mapping[str, Choice]
    intents: Mapping[str, Choice]

    @classmethod
    def read(cls, step: StepReader) -> Menu | None:
        fields = step.body("prompt")
        prompt = step.prompt(fields, "prompt")
        barge_in = step.barge_in(fields)
        retry = read_retry(step, fields)
        otherwise = step.target(fields, "otherwise")
        understanding = read_understanding(step.reader, fields, step.flow.understanding)
        choices = _read_choices(step, fields.need("choices", Rule.CHOICES))
        if "understanding" in fields and not any(choice.intent for choice in choices):
            message = f"{step.what}: nobody can be asked what is meant where no choice can be said"
            step.reader.problem(fields.place, Rule.CHOICES, message, "take understanding out of it")
        fields.finish()
        if prompt is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            prompt=prompt,
            barge_in=barge_in,
            retry=retry,
            otherwise=otherwise,
            understanding=understanding,
            phrases=collect_phrases(
                step.flow, {c.intent: c.phrases for c in choices if c.intent is not None}
            ),
            choices=choices,
            keys={choice.key: choice for choice in choices if choice.key is not None},
            intents={choice.intent: choice for choice in choices if choice.intent is not None},
        )

    def exits(self) -> tuple[Exit, ...]:
        return self._exits

    @cached_property
    def _exits(self) -> tuple[Exit, ...]:
        chosen = (Exit(c.name, c.target, c.assigns) for c in self.choices)
        return (*chosen, Exit("otherwise", self.otherwise))

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return self.waiting_seconds(speaking, _MENU_SPEECH_S if self.intents else 0.0)

    def check(self, flow: Flow, report: Report) -> None:
        """Rule 2 (choices can be told apart) and rule 7."""
        self.check_barge_in(report, keys=bool(self.keys), speech=bool(self.phrases))
        check_choices(self, flow.languages, report)

    def begin(self, run: Run, now: float) -> Asking:
        asking = MenuAsking(run, self, self.speech_spec(run))
        asking.begin(now)
        return asking

    def speech_spec(self, run: Run) -> SpeechSpec | None:
        """What is listened for now, if anything is."""
        listed = self.listened.get(run.language)
        answers = self.phrases.get(run.language, {})
        return SpeechSpec(run.language, listed, max_s=_MENU_SPEECH_S, answers=answers) if listed else None


class MenuAsking(Asking):
    """A menu under way."""

    def __init__(self, run: Run, menu: Menu, spec: SpeechSpec | None) -> None:
        super().__init__(run, menu, spec)
        self._menu = menu

    @property
    def takes_keys(self) -> bool:
        return True

    def pressed(self, key: str, now: float) -> None:
        choice = self._menu.keys.get(key)
        if choice is not None:
            self.take(choice, key)
        elif not (key == OPERATOR_KEY and self.call_operator(key)):
            self.again("no-match", now)

    def understood(self, text: str | None, now: float) -> None:
        said = (text or "")[:MAX_TEXT]
        found = self.intent_of(said)
        if found is None:
            self._named(said, now)
            return
        self.classified(found.name, now)

    def options(self, said: str) -> tuple[Option, ...]:
        found = self.intent_of(said)
        if is_certain(found) or (found is None and self._key_in(said) is not None):
            return ()
        phrases = self._menu.phrases.get(self._run.language, {})
        intents = (Option(intent, phrases.get(intent, ())[:MAX_EXAMPLES]) for intent in self._menu.intents)
        own = tuple(intents)
        return (*own, *(() if OPERATOR in self._menu.intents else self.operator_option())) if own else ()

    def classified(self, option: str, now: float) -> None:
        choice = self._menu.intents.get(option)
        if choice is not None:
            self.take(choice, option)
        elif not (option == OPERATOR and self.call_operator(OPERATOR)):
            self.again("no-match", now)

    def _named(self, said: str, now: float) -> None:
        """A choice may be asked for by its key."""
        key = self._key_in(said)
        if key is None:
            self.again("no-match", now)
        else:
            self.pressed(key, now)

    def _key_in(self, said: str) -> str | None:
        """The key that is named, if it can mean something here."""
        key = spoken_key(said, self._run.language)
        return key if key in self._menu.keys or key == OPERATOR_KEY else None

    def keys_over(self, now: float) -> None:
        """A menu acts at the first key."""

    def take(self, choice: Choice, via: str) -> None:
        if self._run.carry_out(choice.assigns):
            self.choose(choice.name, choice.target, via)


def _read_choices(step: StepReader, node: yaml.Node | None) -> tuple[Choice, ...]:
    if node is None:
        return ()
    entries = step.reader.entries(node, f"choices of {step.what}")
    if not entries and isinstance(node, yaml.MappingNode):
        step.reader.problem(node, Rule.CHOICES, f"{step.what} offers no choice")
    if len(entries) > MAX_CHOICES:
        message = f"{step.what} offers {len(entries)} choices, and at most {MAX_CHOICES} are allowed"
        step.reader.problem(node, Rule.CHOICES, message, "nobody keeps them in mind: make menus of menus")
        return ()
    choices = [_read_choice(step, entry) for entry in entries]
    return tuple(choice for choice in choices if choice is not None)


def _read_choice(step: StepReader, entry: Entry) -> Choice | None:
    what = f"choice {entry.key} of {step.what}"
    fields = step.reader.fields(entry.node, what, "key")
    key, intent, phrases = read_means(step, entry, fields)
    set_node = fields.take("set")
    assigns = () if set_node is None else step.flow.assignments(set_node, f"set of {what}")
    target = step.target(fields, "next")
    fields.finish()
    if target is None:
        return None
    return Choice(entry.key, entry.key_place, key, intent, phrases, assigns, target)


def read_means(
    step: StepReader, entry: Entry, fields: Fields
) -> tuple[str | None, str | None, Mapping[str, tuple[str, ...]]]:
    """How a choice is made: its key, its intent, and the phrases of that beyond the built-in ones."""
    reader, what = step.reader, fields.what
    key_node = fields.take("key")
    key = None if key_node is None else read_key(step, key_node, "key", what)
    intent = fields.read("intent", reader.name, None)
    phrases_node = fields.take("phrases")
    phrases = {} if phrases_node is None else read_phrases(step.flow, phrases_node, f"phrases of {what}")
    if intent is None and phrases:
        intent = entry.key
    if intent is not None:
        phrases = own_phrases(step.flow, intent, phrases)
    if fields.given and key_node is None and intent is None and "intent" not in fields:
        reader.problem(
            entry.key_place,
            Rule.CHOICES,
            f"{what} can neither be pressed nor said",
            "give a key or an intent",
        )
    return key, intent, phrases


def read_key(step: StepReader, node: yaml.Node, label: str, what: str) -> str | None:
    """One key of a telephone."""
    key = step.reader.text(node, f"{label} of {what}")
    if key is None or (len(key) == 1 and key in KEYS):
        return key
    message = f'{label} "{key}" of {what} is not on a telephone'
    step.reader.problem(node, Rule.CHOICES, message, "use 0-9, *, # or A-D")
    return None


_folded = lru_cache(maxsize=8192)(fold)
"""Menus of one flow share most of their phrases."""


def check_choices(menu: Menu, languages: tuple[str, ...], report: Report) -> None:
    """Rule 2: each key and each phrase means one choice."""
    for field in ("key", "intent"):
        first: dict[str, str] = {}
        for choice in menu.choices:
            value = getattr(choice, field)
            other = choice.name if value is None else first.setdefault(value, choice.name)
            if other != choice.name:
                message = f'step {menu.name}: {field} "{value}" stands for both {other} and {choice.name}'
                report.add(choice.place, Rule.CHOICES, message, f"each {field} may stand once in a menu")
    for language in languages:
        listened = len(menu.listened.get(language, ()))
        if listened > MAX_LISTENED:
            message = f"step {menu.name} listens for {listened} phrases in {language}"
            hint = f"at most {MAX_LISTENED} can be told apart: similar ones are heard without being listed"
            report.add(menu.place, Rule.CHOICES, message, hint)
        else:
            _check_phrases(menu, language, report)


def _check_phrases(menu: Menu, language: str, report: Report) -> None:
    phrases = menu.phrases.get(language, {})
    owners: dict[str, str] = {}
    for intent, listed in phrases.items():
        place = menu.intents[intent].place if intent in menu.intents else menu.place
        for phrase in listed:
            other = owners.setdefault(_folded(phrase), intent)
            if other != intent:
                message = f'step {menu.name}: "{phrase}" ({language}) means both {other} and {intent}'
                report.add(place, Rule.CHOICES, message, "take the phrase out of one of them")
    for choice in menu.choices:
        if choice.intent is None:
            continue
        if choice.intent not in phrases:
            message = f'step {menu.name}: intent "{choice.intent}" has no phrases in {language}'
            report.add(choice.place, Rule.CHOICES, message, _phrases_hint(choice.intent, language))
            continue
        for phrase in choice.phrases.get(language, ()):
            found = match_intent(phrase, language, phrases)
            if owners[_folded(phrase)] == choice.intent and (found is None or found.name != choice.intent):
                taken = "cannot be told apart" if found is None else f"is understood as {found.name}"
                taken = taken if _folded(phrase) else "has no word in it"
                message = f'step {menu.name}: "{phrase}" ({language}) of {choice.name} {taken}'
                report.add(choice.place, Rule.CHOICES, message, "choose words that differ more")


def _phrases_hint(intent: str, language: str) -> str:
    near = did_you_mean(intent, builtin_intents())
    if near.startswith("did"):
        return near
    return f'give them: intents: {{{intent}: {{{language}: ["..."]}}}}'
