"""transfer: hands the caller over, blind.

    desk:
      transfer: {to: vendor-desk, context: result, wait: 30s}
      next: report                       # handed over: only silent steps from here
      otherwise: report                  # busy, no answer, failed

`to` is a number, a SIP address, a queue of the configuration, or computed: "{{ desk }}".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivr.flow.expressions import EvaluationError, Expression
from ivr.flow.model import Exit, Reference, Step, Target, Use
from ivr.flow.nodes import place_of
from ivr.flow.payload import Payload, read_payload
from ivr.flow.problems import Place, Rule
from ivr.flow.protocol import Event, Tick, Transferred
from ivr.flow.protocol import Transfer as TransferCommand
from ivr.flow.reading import StepReader, expression_in
from ivr.flow.run import Run
from ivr.flow.types import Family

ANSWER_SLACK_S = 2.0
"""How much longer than the wait the driver's word is awaited."""

_ADDRESS = re.compile(r"sips?:[^\s]{1,200}")
_NUMBER = re.compile(r"\+?[0-9]{2,20}")


@dataclass(frozen=True, kw_only=True)
class Transfer(Step):
    verb = "transfer"
    silent = False
    leaves = True

    to: str | Expression
    to_place: Place
    context: Payload | None
    wait_s: float
    target: Target
    otherwise: Target

    @classmethod
    def read(cls, step: StepReader) -> Transfer | None:
        fields = step.body()
        node = fields.need("to", Rule.NAMES, "a number, a SIP address or a queue")
        to: str | Expression | None = None
        if node is not None:
            inner = expression_in(node)
            if inner is None:
                to = step.reader.text(node, f"to of {step.what}")
            else:
                to = step.flow.compile(inner, node, f"to of {step.what}")
                if to is not None and to.shape.family is not Family.TEXT:
                    step.reader.problem(node, Rule.PROMPTS, f"to of {step.what} must be a text")
        context_node = fields.take("context")
        context = (
            None if context_node is None else read_payload(step.flow, context_node, f"context of {step.what}")
        )
        wait_s = step.seconds(fields, "wait", 30.0, 1.0, 120.0)
        fields.finish()
        target = step.target(step.fields, "next")
        otherwise = step.target(step.fields, "otherwise")
        if node is None or to is None or target is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            to=to,
            to_place=place_of(node),
            context=context,
            wait_s=wait_s,
            target=target,
            otherwise=otherwise,
        )

    def references(self) -> tuple[Reference, ...]:
        """The queue, unless it is a number, an address or computed."""
        if isinstance(self.to, Expression) or _ADDRESS.fullmatch(self.to) or _NUMBER.fullmatch(self.to):
            return ()
        return (Reference("queues", self.to, self.to_place),)

    def exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target), Exit("otherwise", self.otherwise))

    def uses(self) -> tuple[Use, ...]:
        to = (Use(self.to, self.to_place),) if isinstance(self.to, Expression) else ()
        return to if self.context is None else (*to, *self.context.uses())

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return self.wait_s + ANSWER_SLACK_S

    def begin(self, run: Run, now: float) -> _Transferring | None:
        try:
            to = self.to(run.values) if isinstance(self.to, Expression) else self.to
            context = {} if self.context is None else self.context.build(run)
        except EvaluationError as error:
            run.fail(f"transfer: {error}")
            return None
        if not isinstance(to, str):
            run.leave("otherwise", self.otherwise, "no target")
            return None
        run.emit(TransferCommand(to, context, self.wait_s))
        return _Transferring(run, self, now + self.wait_s + ANSWER_SLACK_S)

    def skip(self, run: Run, now: float) -> None:
        run.leave("otherwise", self.otherwise, "hangup")


class _Transferring:
    def __init__(self, run: Run, step: Transfer, due: float) -> None:
        self._run = run
        self._step = step
        self.due: float | None = due

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, Transferred):
            if event.outcome == "done":
                self._run.leave("next", self._step.target, "done", silently=True)
            else:
                self._run.leave("otherwise", self._step.otherwise, event.outcome)
        elif isinstance(event, Tick) and self.due is not None and now >= self.due:
            self._run.leave("otherwise", self._step.otherwise, "no_answer")
