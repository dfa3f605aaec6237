"""flow: another flow as a part of this one, its result mapped back.

    tongue:
      flow: {name: ask-language, with: {shop: "{{ shop }}"}, result: {spoken: language}}
      next: offer                        # it came to end: normal
      otherwise: offer                   # it failed, took too long, or ended with another cause

`flow: ask-language` alone is enough where nothing is given and nothing taken. `with` are its parameters;
those of type language get the language of the call. In `result` a value of this flow stands first, then the
field of the other's result; it follows that field at once, however the flow ends. Steps, prompts, values and
limits of the flow are its own, and so are its events: an operator that it does not have is that of this flow,
and after a hang-up this flow's `hangup` steps run when its own have. A flow with none but silent steps may
run after a hang-up, once. The flow lies in the same folder, or below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import yaml

from ivr.flow.course import NORMAL, Course, Nested
from ivr.flow.expressions import EvaluationError, Expression
from ivr.flow.graph import edges_of, reached_from
from ivr.flow.model import Assignment, Exit, Flow, Step, Target, Use
from ivr.flow.phrases import OPERATOR
from ivr.flow.problems import Report, Rule, did_you_mean
from ivr.flow.reading import StepReader
from ivr.flow.run import Outer, Run
from ivr.flow.timing import longest_seconds
from ivr.flow.types import Value, ValueType
from ivr.flow.verbs.end import End
from ivr.flow.verbs.voicemail import Voicemail, check_comes_first


@dataclass(frozen=True, slots=True)
class Fill:
    """`mine` takes the value of the field `theirs` of the other flow's result."""

    mine: str
    type: ValueType
    theirs: str


@dataclass(frozen=True, kw_only=True)
class SubFlow(Step):
    verb = "flow"

    child: Flow
    gives: tuple[Assignment, ...]
    fills: tuple[Fill, ...]
    target: Target
    otherwise: Target

    @classmethod
    def read(cls, step: StepReader) -> SubFlow | None:
        if isinstance(step.node, yaml.MappingNode):
            fields = step.body()
            node = fields.need("name", Rule.NAMES, "name the flow: name: FLOW")
            given, wanted = fields.take("with"), fields.take("result")
            fields.finish()
        else:
            node, given, wanted = step.node, None, None
        target = step.target(step.fields, "next")
        otherwise = step.target(step.fields, "otherwise")
        name = None if node is None else step.reader.name(node, f"flow of {step.what}")
        child = None if node is None or name is None else step.flow.child(name, node, step.what)
        if node is None or child is None:
            return None
        gives = () if given is None else _read_gives(step, given, child)
        _all_is_given(step, node, child, gives)
        fills = () if wanted is None else _read_fills(step, wanted, child)
        if target is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            child=child,
            gives=gives,
            fills=fills,
            target=target,
            otherwise=otherwise,
        )

    # --- what is known of it

    def enters(self) -> Flow:
        return self.child

    def exits(self) -> tuple[Exit, ...]:
        return self._exits

    @cached_property
    def _exits(self) -> tuple[Exit, ...]:
        filled = frozenset(fill.mine for fill in self.fills)
        certain = frozenset(f.mine for f in self.fills if not self.child.result[f.theirs].type.optional)
        done = Exit("next", self.target, fills=filled, certain=certain, clears=filled - certain)
        return (done, replace(done, outcome="otherwise", target=self.otherwise))

    def operator_exit(self, operator: Target) -> Exit:
        return replace(self._exits[0], outcome=OPERATOR, target=operator)

    def uses(self) -> tuple[Use, ...]:
        return tuple(
            Use(give.source, give.place, bare=give.type.optional)
            for give in self.gives
            if isinstance(give.source, Expression)
        )

    def check(self, flow: Flow, report: Report) -> None:
        """Rule 1: where who answered is found out within it, nothing is said before it."""
        within = (step for one in self.child.family.values() for step in one.steps.values())
        if any(isinstance(step, Voicemail) for step in within):
            check_comes_first(self, flow, report)

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return self._longest_s

    @property
    def silent(self) -> bool:
        return self._silent

    @property
    def listens(self) -> bool:
        return self._listens

    @property
    def leaves(self) -> bool:
        return self._leaves

    @cached_property
    def _longest_s(self) -> float:
        return longest_seconds(self.child)

    @cached_property
    def _silent(self) -> bool:
        child = self.child
        return all(child.steps[name].silent for name in reached_from(edges_of(child), (child.start.step,)))

    @cached_property
    def _listens(self) -> bool:
        """Where the flow within has no operator, this one's is asked for."""
        return self.child.events.operator is None and any(s.listens for s in self.child.steps.values())

    @cached_property
    def _leaves(self) -> bool:
        """Whether the flow within can come to its normal end only after it has handed over the caller."""
        child = self.child
        handing = [step for step in child.steps.values() if step.leaves]
        if not handing:
            return False
        staying = dict(edges_of(child))
        for step in handing:
            staying[step.name] = tuple(dict.fromkeys(way.target.step for way in step.exits()[1:]))
        reached = reached_from(staying, (child.start.step,))
        ends = (child.steps[name] for name in reached)
        return not any(isinstance(end, End) and end.cause == NORMAL for end in ends)

    # --- in a call

    def given(self, values: Mapping[str, Value], language: str) -> dict[str, Value]:
        """The parameters that the flow within gets; raises `EvaluationError`."""
        given: dict[str, Value] = {give.name: give.evaluate(values) for give in self.gives}
        spoken = self.child.language_name
        if spoken is not None and given.get(spoken) is None:
            given[spoken] = language
        return given

    def begin(self, run: Run, now: float) -> Nested | None:
        try:
            values = self.given(run.values, run.language)
        except EvaluationError as error:
            run.leave("otherwise", self.otherwise, f"with: {error}")
            return None
        language = run.language if self.child.language_name is None else None
        inner = Run(self.child, values, language, run.today, Outer(run, self, self._followers))

        def over(course: Course) -> None:
            self._over(run, course)

        return Nested(Course(inner), over).begin(now)

    @cached_property
    def _followers(self) -> Mapping[str, tuple[tuple[str, ValueType], ...]]:
        followers: dict[str, tuple[tuple[str, ValueType], ...]] = {}
        for fill in self.fills:
            followers[fill.theirs] = (*followers.get(fill.theirs, ()), (fill.mine, fill.type))
        return followers

    def _over(self, run: Run, course: Course) -> None:
        if course.cause == NORMAL:
            run.leave("next", self.target)
        elif course.cause == OPERATOR:
            run.call_operator(course.reason)
        else:
            run.leave("otherwise", self.otherwise, course.reason or course.cause)

    def skip(self, run: Run, now: float) -> Nested | None:
        """A silent flow runs once in a call, whether the caller is still there or not."""
        if not self.silent:
            run.leave("otherwise", self.otherwise, "hangup")
        elif run.visits(self.name) > 1:
            run.leave("next", self.target, "done before")
        else:
            return self.begin(run, now)
        return None


def _read_gives(step: StepReader, node: yaml.Node, child: Flow) -> tuple[Assignment, ...]:
    what = f"with of {step.what}"
    found: list[Assignment] = []
    for entry in step.reader.entries(node, what):
        declared = child.params.get(entry.key)
        if declared is None:
            message = f'{what}: "{entry.key}" is not a parameter of the flow {child.name}'
            step.reader.problem(entry.key_place, Rule.PROMPTS, message, did_you_mean(entry.key, child.params))
            continue
        source = step.flow.source(entry.node, f"{entry.key} in {what}", declared)
        found.append(Assignment(entry.key, declared, source, entry.place))
    return tuple(found)


def _all_is_given(step: StepReader, node: yaml.Node, child: Flow, gives: tuple[Assignment, ...]) -> None:
    given = {give.name for give in gives}
    for name, declared in child.params.items():
        if name not in given and not declared.optional and declared.kind != "language":
            message = f'{step.what}: the flow {child.name} needs "{name}" ({declared})'
            step.reader.problem(node, Rule.PROMPTS, message, f'give it: with: {{{name}: "{{{{ ... }}}}"}}')


def _read_fills(step: StepReader, node: yaml.Node, child: Flow) -> tuple[Fill, ...]:
    what = f"result of {step.what}"
    found: list[Fill] = []
    for entry in step.reader.entries(node, what):
        mine = step.flow.declared(entry.key, entry.key_place, what)
        theirs = step.reader.text(entry.node, f"{entry.key} in {what}")
        if theirs is None or mine is None:
            continue
        field = child.result.get(theirs)
        if field is None:
            message = f'{what}: the flow {child.name} has no result "{theirs}"'
            step.reader.problem(entry.node, Rule.PROMPTS, message, did_you_mean(theirs, child.result))
        elif not mine.takes(field.type):
            message = f"{what}: {entry.key} is {mine}, and {theirs} of {child.name} is {field.type}"
            step.reader.problem(entry.node, Rule.PROMPTS, message, _fitting(entry.key, mine, field.type))
        else:
            found.append(Fill(entry.key, mine, theirs))
    return tuple(found)


def _fitting(name: str, mine: ValueType, theirs: ValueType) -> str:
    if mine.takes(theirs.required()):
        return f"{name} may be left without a value: declare it optional"
    return f"declare {name} as {theirs}" if theirs.kind != "language" else f"let {name} be of type language"
