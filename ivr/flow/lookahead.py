"""What a call may have to speak next, rendered before it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ivr.flow.expressions import EvaluationError
from ivr.flow.model import Exit, Prompt, Step
from ivr.flow.protocol import Utterance
from ivr.flow.run import Run
from ivr.flow.sayas import say
from ivr.flow.types import Value

MAX_STEPS = 64
"""How many steps are looked at; a flow with wider choices is looked ahead in part."""


def first_prompts(run: Run, step: Step) -> tuple[Utterance, ...]:
    """What the first step may speak."""
    return _Look(run).at(step)


def next_prompts(run: Run, step: Step) -> tuple[Utterance, ...]:
    """The retries of this step, and the first prompts of those it leads to."""
    return _Look(run).beyond(step)


class _Look:
    """Walks from a step over silent steps to those that speak."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._found: dict[Utterance, None] = {}
        self._seen: set[tuple[str, frozenset[str]]] = set()

    def at(self, step: Step) -> tuple[Utterance, ...]:
        self._arrive(step, self._run.values, frozenset())
        return tuple(self._found)

    def beyond(self, step: Step) -> tuple[Utterance, ...]:
        self._render(step.retries(), self._run.values, frozenset())
        exits: Iterable[Exit] = step.exits()
        for way in exits:
            self._follow(way, self._run.values, frozenset())
        operator = self._run.flow.events.operator
        if step.listens and operator is not None:
            self._arrive(self._run.flow.steps[operator.step], self._run.values, frozenset())
        return tuple(self._found)

    def _follow(self, way: Exit, values: Mapping[str, Value], unknown: frozenset[str]) -> None:
        unknown |= way.fills
        if way.assigns:
            changed = dict(values)
            for assign in way.assigns:
                try:
                    changed[assign.name] = assign.evaluate(changed)
                    unknown -= {assign.name}
                except EvaluationError:
                    unknown |= {assign.name}
            values = changed
        self._arrive(self._run.flow.steps[way.target.step], values, unknown)

    def _arrive(self, step: Step, values: Mapping[str, Value], unknown: frozenset[str]) -> None:
        key = (step.name, unknown)
        if key in self._seen or len(self._seen) >= MAX_STEPS:
            return
        self._seen.add(key)
        prompts = step.prompts()
        if prompts:
            self._render(prompts[:1], values, unknown)
        elif step.silent:
            for way in step.exits():
                self._follow(way, values, unknown)

    def _render(
        self, prompts: Iterable[Prompt], values: Mapping[str, Value], unknown: frozenset[str]
    ) -> None:
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
