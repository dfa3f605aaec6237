"""What a call may have to speak next, rendered before it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ivr.flow.course import NORMAL
from ivr.flow.expressions import EvaluationError, Expression
from ivr.flow.graph import exits_of
from ivr.flow.model import Assignment, Exit, Flow, Prompt, Step
from ivr.flow.protocol import Utterance
from ivr.flow.run import Outer, Run
from ivr.flow.sayas import say
from ivr.flow.types import Value, to_json
from ivr.flow.verbs.end import End
from ivr.flow.verbs.flow import SubFlow

Names = frozenset[str]

MAX_STEPS = 64
"""How many steps are looked at; a flow with wider choices is looked ahead in part."""


def first_prompts(run: Run, step: Step) -> tuple[Utterance, ...]:
    """What the first step may speak."""
    return _Look().at(_scene_of(run), step)


def next_prompts(run: Run, step: Step) -> tuple[Utterance, ...]:
    """The first prompts of the steps that this one leads to, and its own retries: what may be needed first
    comes first."""
    return _Look().beyond(_scene_of(run), step)


@dataclass(frozen=True, slots=True)
class _Scene:
    """A flow with the values that would be there: those that are known to have changed on the way, and those
    that nobody can know yet. `back` is where the flow was entered."""

    run: Run
    changed: Mapping[str, Value] = field(default_factory=dict)
    unknown: Names = frozenset()
    back: tuple[_Scene, SubFlow] | None = None
    way: tuple[str, ...] = ()
    """The steps that led into the flow."""

    @property
    def flow(self) -> Flow:
        return self.run.flow

    @property
    def values(self) -> Mapping[str, Value]:
        return {**self.run.values, **self.changed} if self.changed else self.run.values


def _scene_of(run: Run) -> _Scene:
    outer = run.outer
    if outer is None or not isinstance(outer.step, SubFlow):
        return _Scene(run)
    return _entered(_scene_of(outer.run), outer.step, run)


def _entered(scene: _Scene, step: SubFlow, run: Run, unknown: Names = frozenset()) -> _Scene:
    return _Scene(run, {}, unknown, (scene, step), (*scene.way, step.name))


def _names(give: Assignment) -> Names:
    return give.source.names if isinstance(give.source, Expression) else frozenset()


class _Look:
    """Walks over silent steps, into flows and out of them, to the steps that speak."""

    def __init__(self) -> None:
        self._found: dict[Utterance, None] = {}
        self._seen: set[tuple[tuple[str, ...], str, Names, frozenset[tuple[str, Value]]]] = set()

    def at(self, scene: _Scene, step: Step) -> tuple[Utterance, ...]:
        self._arrive(scene, step)
        return tuple(self._found)

    def beyond(self, scene: _Scene, step: Step) -> tuple[Utterance, ...]:
        self._leave(scene, step, exits_of(scene.flow, step.name))
        self._render(scene, step.retries())
        return tuple(self._found)

    def _leave(self, scene: _Scene, step: Step, ways: Iterable[Exit]) -> None:
        for way in ways:
            self._follow(scene, way)
        if isinstance(step, End):
            self._return(scene, "next" if step.cause == NORMAL else "otherwise")

    def _follow(self, scene: _Scene, way: Exit) -> None:
        changed, unknown = dict(scene.changed), scene.unknown | way.fills
        for assign in way.assigns:
            try:
                changed[assign.name] = assign.evaluate({**scene.run.values, **changed})
                unknown -= {assign.name}
            except EvaluationError:
                unknown |= {assign.name}
        self._arrive(replace(scene, changed=changed, unknown=unknown), scene.flow.steps[way.target.step])

    def _arrive(self, scene: _Scene, step: Step) -> None:
        key = (scene.way, step.name, scene.unknown, frozenset(scene.changed.items()))
        if key in self._seen or len(self._seen) >= MAX_STEPS:
            return
        self._seen.add(key)
        prompts = step.prompts()
        if isinstance(step, SubFlow):
            self._enter(scene, step)
            return
        self._render(scene, prompts[:1])
        if step.mute or (step.silent and not prompts):
            self._leave(scene, step, step.exits())

    def _enter(self, scene: _Scene, step: SubFlow) -> None:
        unknown = frozenset(give.name for give in step.gives if scene.unknown & _names(give))
        try:
            values = step.given(scene.values, scene.run.language_of(scene.values))
        except EvaluationError:
            return
        language = scene.run.language_of(scene.values) if step.child.language_name is None else None
        run = Run(step.child, values, language, scene.run.today, Outer(scene.run, step, {}))
        self._arrive(_entered(scene, step, run, unknown), step.child.steps[step.child.start.step])

    def _return(self, scene: _Scene, outcome: str) -> None:
        """The flow is over: the one around it goes on, with what it takes from the result."""
        if scene.back is None:
            return
        outer, step = scene.back
        changed, unknown = dict(outer.changed), outer.unknown
        for fill in step.fills:
            if fill.theirs in scene.unknown:
                unknown |= {fill.mine}
            else:
                changed[fill.mine] = fill.type.accept(to_json(scene.values[fill.theirs]))
                unknown -= {fill.mine}
        target = step.target if outcome == "next" else step.otherwise
        scene = replace(outer, changed=changed, unknown=unknown)
        self._arrive(scene, outer.flow.steps[target.step])

    def _render(self, scene: _Scene, prompts: Iterable[Prompt]) -> None:
        values = scene.values
        language = scene.run.language_of(values)

        def speak(value: Value, kind: str) -> str:
            return say(value, kind, language)

        for prompt in prompts:
            if prompt.names & scene.unknown:
                self._found.update(dict.fromkeys(prompt.fixed(language)))
                continue
            try:
                utterances = scene.run.placed(prompt.utterances(values, language, speak))
            except EvaluationError:
                continue
            self._found.update(dict.fromkeys(utterances))
