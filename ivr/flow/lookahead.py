"""What a call may have to speak next, rendered before it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ivr.flow.expressions import EvaluationError
from ivr.flow.graph import exits_of
from ivr.flow.model import Exit, Prompt, Step
from ivr.flow.protocol import Utterance
from ivr.flow.run import Run
from ivr.flow.sayas import say
from ivr.flow.types import Value

Names = frozenset[str]
Changes = frozenset[tuple[str, Value]]

MAX_STEPS = 64
"""How many steps are looked at; a flow with wider choices is looked ahead in part."""


def first_prompts(run: Run, step: Step) -> tuple[Utterance, ...]:
    """What the first step may speak."""
    return _Look(run).at(step)


def next_prompts(run: Run, step: Step) -> tuple[Utterance, ...]:
    """The retries of this step, and the first prompts of those it leads to."""
    return _Look(run).beyond(step)


class _Look:
    """Walks over silent steps to those that speak, with the values that would have changed on the way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._found: dict[Utterance, None] = {}
        self._seen: set[tuple[str, Names, Changes]] = set()

    def at(self, step: Step) -> tuple[Utterance, ...]:
        self._arrive(step, {}, frozenset())
        return tuple(self._found)

    def beyond(self, step: Step) -> tuple[Utterance, ...]:
        self._render(step.retries(), {}, frozenset())
        for way in exits_of(self._run.flow, step.name):
            self._follow(way, {}, frozenset())
        return tuple(self._found)

    def _follow(self, way: Exit, changed: Mapping[str, Value], unknown: Names) -> None:
        unknown |= way.fills
        if way.assigns:
            after = dict(changed)
            for assign in way.assigns:
                try:
                    after[assign.name] = assign.evaluate({**self._run.values, **after})
                    unknown -= {assign.name}
                except EvaluationError:
                    unknown |= {assign.name}
            changed = after
        self._arrive(self._run.flow.steps[way.target.step], changed, unknown)

    def _arrive(self, step: Step, changed: Mapping[str, Value], unknown: Names) -> None:
        key = (step.name, unknown, frozenset(changed.items()))
        if key in self._seen or len(self._seen) >= MAX_STEPS:
            return
        self._seen.add(key)
        prompts = step.prompts()
        if prompts:
            self._render(prompts[:1], changed, unknown)
        elif step.silent:
            for way in step.exits():
                self._follow(way, changed, unknown)

    def _render(self, prompts: Iterable[Prompt], changed: Mapping[str, Value], unknown: Names) -> None:
        values = {**self._run.values, **changed} if changed else self._run.values
        language = self._run.language_of(values)

        def speak(value: Value, kind: str) -> str:
            return say(value, kind, language)

        for prompt in prompts:
            if prompt.names & unknown:
                continue
            try:
                self._found.update(dict.fromkeys(prompt.utterances(values, language, speak)))
            except EvaluationError:
                continue
