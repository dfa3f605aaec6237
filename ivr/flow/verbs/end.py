"""end: hangs up after what was said has been heard.

    bye: {end: normal}

The cause is normal, busy, rejected, unavailable or failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.flow.model import Exit, Step
from ivr.flow.reading import StepReader
from ivr.flow.run import Run

CAUSES = ("normal", "busy", "rejected", "unavailable", "failed")


@dataclass(frozen=True, kw_only=True)
class End(Step):
    verb = "end"
    ends = True

    cause: str

    @classmethod
    def read(cls, step: StepReader) -> End | None:
        cause = step.reader.one_of(step.node, f"end of {step.what}", CAUSES)
        return None if cause is None else cls(name=step.name, place=step.place, cause=cause)

    def exits(self) -> tuple[Exit, ...]:
        return ()

    def begin(self, run: Run, now: float) -> None:
        run.end(self.cause)

    skip = begin
