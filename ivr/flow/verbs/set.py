"""set: values, constant or computed, one after the other.

    count: {set: {tries: "{{ tries + 1 }}", decision: unreached}, next: offer}

Any declared value can be set, the language of the call too.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.flow.expressions import Expression
from ivr.flow.model import Assignment, Exit, Step, Target, Use
from ivr.flow.reading import StepReader
from ivr.flow.run import Run


@dataclass(frozen=True, kw_only=True)
class Set(Step):
    verb = "set"

    assigns: tuple[Assignment, ...]
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Set | None:
        assigns = step.flow.assignments(step.node, f"set of {step.what}")
        target = step.target(step.fields, "next")
        if target is None:
            return None
        return cls(name=step.name, place=step.place, assigns=assigns, target=target)

    def exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target, self.assigns),)

    def uses(self) -> tuple[Use, ...]:
        return tuple(Use(a.source, a.place) for a in self.assigns if isinstance(a.source, Expression))

    def begin(self, run: Run, now: float) -> None:
        if run.carry_out(self.assigns):
            run.leave("next", self.target)

    skip = begin
