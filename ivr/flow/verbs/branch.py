"""branch: conditions in order, with an else.

    size:
      branch:
        - {if: "amount > 1000", next: manager}
        - {else: desk}

The first condition that holds decides. One that cannot be evaluated is a failure of the call.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from ivr.flow.expressions import EvaluationError, Expression
from ivr.flow.model import Exit, Step, Target, Use
from ivr.flow.nodes import place_of
from ivr.flow.problems import Place, Rule
from ivr.flow.reading import StepReader
from ivr.flow.run import Run

_SHAPE = 'such as: branch: [{if: "amount > 1000", next: manager}, {else: desk}]'


@dataclass(frozen=True, slots=True)
class Case:
    condition: Expression
    target: Target
    place: Place


@dataclass(frozen=True, kw_only=True)
class Branch(Step):
    verb = "branch"

    cases: tuple[Case, ...]
    otherwise: Target

    @classmethod
    def read(cls, step: StepReader) -> Branch | None:
        items = step.reader.items(step.node, f"branch of {step.what}")
        cases: list[Case] = []
        otherwise: Target | None = None
        for number, item in enumerate(items, 1):
            if otherwise is not None:
                step.reader.problem(
                    item, Rule.OUTCOMES, f"case {number} of {step.what} comes after else", "put else last"
                )
                break
            read = _read_case(step, item, number)
            if isinstance(read, Target):
                otherwise = read
            elif read is not None:
                cases.append(read)
        complete = len(cases) == len(items) - 1
        if otherwise is None or not complete:
            if not any(_is_else(item) for item in items):
                step.reader.problem(step.node, Rule.OUTCOMES, f"branch of {step.what} has no else", _SHAPE)
            return None
        return cls(name=step.name, place=step.place, cases=tuple(cases), otherwise=otherwise)

    def exits(self) -> tuple[Exit, ...]:
        found: list[Exit] = []
        known: frozenset[str] = frozenset()
        for number, case in enumerate(self.cases, 1):
            found.append(Exit(f"case {number}", case.target, certain=known | case.condition.present))
            known |= case.condition.absent
        return (*found, Exit("else", self.otherwise, certain=known))

    def uses(self) -> tuple[Use, ...]:
        return tuple(Use(case.condition, case.place) for case in self.cases)

    def begin(self, run: Run, now: float) -> None:
        try:
            for number, case in enumerate(self.cases, 1):
                if case.condition.holds(run.values):
                    run.leave(f"case {number}", case.target, case.condition.source)
                    return
        except EvaluationError as error:
            run.fail(f"branch: {error}")
            return
        run.leave("else", self.otherwise)

    skip = begin


def _is_else(item: yaml.Node) -> bool:
    return isinstance(item, yaml.MappingNode) and any(
        getattr(key, "value", None) == "else" for key, _ in item.value
    )


def _read_case(step: StepReader, item: yaml.Node, number: int) -> Case | Target | None:
    what = f"case {number} of {step.what}"
    fields = step.reader.fields(item, what)
    otherwise = fields.take("else")
    if otherwise is not None:
        fields.finish()
        return step.target_at(otherwise, f"else of {step.what}")
    node = fields.need("if", Rule.OUTCOMES, _SHAPE)
    condition = None if node is None else step.flow.condition(node, f"if of {what}")
    target = step.target(fields, "next")
    fields.finish()
    if node is None or condition is None or target is None:
        return None
    return Case(condition, target, place_of(node))
