"""publish: an event to the broker, on a topic of the configuration.

    taken:
      publish:
        to: rider-events                 # a topic of the configuration
        body: {order: "{{ order }}"}     # or result
      next: search

It is stored before the call goes on, and delivered at least once, later if need be: nobody waits for it.
After a hang-up an event that was published before in the call is not published again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.flow.expressions import EvaluationError
from ivr.flow.model import Exit, Reference, Step, Target, Use
from ivr.flow.nodes import place_of
from ivr.flow.payload import Payload, read_payload
from ivr.flow.problems import Rule
from ivr.flow.protocol import Publish as PublishCommand
from ivr.flow.reading import StepReader
from ivr.flow.run import Run

_TOPIC = "name a topic of the configuration: to: TOPIC"


@dataclass(frozen=True, kw_only=True)
class Publish(Step):
    verb = "publish"

    topic: Reference
    body: Payload
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Publish | None:
        fields = step.body("to")
        node = fields.need("to", Rule.NAMES, _TOPIC)
        name = None if node is None else step.reader.name(node, f"to of {step.what}", _TOPIC)
        body_node = fields.take("body")
        body: Payload | None = Payload({})
        if body_node is not None:
            body = read_payload(step.flow, body_node, f"body of {step.what}")
        fields.finish()
        target = step.target(step.fields, "next")
        if node is None or name is None or body is None or target is None:
            return None
        given = None if body.fields is None else frozenset(body.fields)
        topic = Reference("topics", name, place_of(node), given)
        return cls(name=step.name, place=step.place, topic=topic, body=body, target=target)

    def exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target),)

    def uses(self) -> tuple[Use, ...]:
        return self.body.uses()

    def references(self) -> tuple[Reference, ...]:
        return (self.topic,)

    def begin(self, run: Run, now: float) -> None:
        try:
            body = self.body.build(run)
        except EvaluationError as error:
            run.fail(f"publish: {error}")
            return
        run.emit(PublishCommand(self.topic.name, body))
        run.leave("next", self.target)

    def skip(self, run: Run, now: float) -> None:
        """Published once in a call, whether the caller is still there or not."""
        if run.visits(self.name) > 1:
            run.leave("next", self.target, "done before")
        else:
            self.begin(run, now)
