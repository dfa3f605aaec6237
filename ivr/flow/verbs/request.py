"""request: HTTP to a named endpoint of the configuration.

    status:
      request:
        get: order-status                # or post, put
        body: {order: "{{ order }}"}     # or result; for get the query
        answer: {state: order.state}     # values filled from the JSON that comes back, by path
        timeout: 2s
        background: false                # true: sent for sure, and no answer awaited
      next: told
      otherwise: report

An answer that is missing or does not fit its type takes `otherwise`, unless the type is optional. After a
hang-up a request that was sent before in the call is not sent again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from ivr.flow.expressions import EvaluationError
from ivr.flow.model import Exit, Reference, Step, Target, Use
from ivr.flow.nodes import place_of
from ivr.flow.payload import Payload, read_payload
from ivr.flow.problems import Place, Rule
from ivr.flow.protocol import Event, Key, Replied, RequestFailed, SendRequest, Tick
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.types import Mismatch, Value, ValueType

Method = Literal["GET", "POST", "PUT"]
_METHODS: Mapping[str, Method] = {"get": "GET", "post": "POST", "put": "PUT"}
_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|\d+))*")
ANSWER_SLACK_S = 1.0
"""How much longer than the timeout the driver's word is awaited."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Fills `name` from the reply's JSON at `path`."""

    name: str
    type: ValueType
    path: tuple[str, ...]

    def find(self, body: Any) -> Value:
        """Raises `Mismatch` when it is not there or does not fit."""
        for key in self.path:
            if isinstance(body, Mapping) and key in body:
                body = body[key]
            elif isinstance(body, list) and key.isdigit() and int(key) < len(body):
                body = body[int(key)]
            else:
                body = None
                break
        return self.type.accept(body)


@dataclass(frozen=True, kw_only=True)
class Request(Step):
    verb = "request"

    method: Method
    endpoint: Reference
    body: Payload | None
    answers: tuple[Answer, ...]
    timeout_s: float
    background: bool
    target: Target
    otherwise: Target

    @classmethod
    def read(cls, step: StepReader) -> Request | None:
        fields = step.body()
        method, endpoint = _read_endpoint(
            step, fields.keys, {m: fields.take(m) for m in _METHODS}, fields.place
        )
        body_node = fields.take("body")
        body = None if body_node is None else read_payload(step.flow, body_node, f"body of {step.what}")
        answer_node = fields.take("answer")
        answers = () if answer_node is None else _read_answers(step, answer_node)
        timeout_s = step.seconds(fields, "timeout", 2.0, 0.1, 30.0)
        background = fields.read("background", step.reader.flag, False)
        if background and answer_node is not None:
            step.reader.problem(
                answer_node, Rule.OUTCOMES, f"{step.what} is sent in the background: no answer can be awaited"
            )
        fields.finish()
        target = step.target(step.fields, "next")
        otherwise = step.target(step.fields, "otherwise", required=not background) or target
        if endpoint is None or target is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            method=method,
            endpoint=endpoint,
            body=body,
            answers=answers,
            timeout_s=timeout_s,
            background=background,
            target=target,
            otherwise=otherwise,
        )

    def exits(self) -> tuple[Exit, ...]:
        filled = frozenset(answer.name for answer in self.answers)
        certain = frozenset(answer.name for answer in self.answers if not answer.type.optional)
        done = Exit("next", self.target, fills=filled, certain=certain, clears=filled - certain)
        return (done, Exit("otherwise", self.otherwise))

    def uses(self) -> tuple[Use, ...]:
        return () if self.body is None else self.body.uses()

    def references(self) -> tuple[Reference, ...]:
        return (self.endpoint,)

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return 0.0 if self.background else self.timeout_s + ANSWER_SLACK_S

    def begin(self, run: Run, now: float) -> _Awaiting | None:
        try:
            body = None if self.body is None else self.body.build(run)
        except EvaluationError as error:
            run.fail(f"request: {error}")
            return None
        id = run.next_id("request")
        run.emit(SendRequest(id, self.endpoint.name, self.method, body, self.timeout_s, self.background))
        if self.background:
            run.leave("next", self.target, "background")
            return None
        return _Awaiting(run, self, id, now + self.timeout_s + ANSWER_SLACK_S)

    def skip(self, run: Run, now: float) -> _Awaiting | None:
        """Sent once in a call, whether the caller is still there or not."""
        if run.visits(self.name) > 1:
            run.leave("next", self.target, "done before")
            return None
        return self.begin(run, now)


class _Awaiting:
    def __init__(self, run: Run, step: Request, id: str, due: float) -> None:
        self._run = run
        self._step = step
        self._id = id
        self.due: float | None = due

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, Key):
            self._run.keep(event.key)
        elif isinstance(event, Replied):
            if event.id == self._id:
                self._replied(event.body)
        elif isinstance(event, RequestFailed):
            if event.id == self._id:
                self._run.leave("otherwise", self._step.otherwise, event.reason)
        elif isinstance(event, Tick) and self.due is not None and now >= self.due:
            self._run.leave("otherwise", self._step.otherwise, "timeout")

    def _replied(self, body: Any) -> None:
        try:
            changes = [(answer.name, answer.find(body)) for answer in self._step.answers]
        except Mismatch as error:
            self._run.leave("otherwise", self._step.otherwise, f"unexpected answer: {error}")
            return
        self._run.assign(changes)
        self._run.leave("next", self._step.target)


def _read_endpoint(
    step: StepReader, keys: tuple[str, ...], nodes: Mapping[str, yaml.Node | None], place: Place
) -> tuple[Method, Reference | None]:
    given = [method for method in _METHODS if method in keys]
    if len(given) != 1:
        step.reader.problem(
            place, Rule.OUTCOMES, f"{step.what} needs one of get, post, put", "such as post: ENDPOINT"
        )
        return "POST", None
    node = nodes[given[0]]
    name = None if node is None else step.reader.text(node, f"endpoint of {step.what}")
    if node is None or name is None:
        return "POST", None
    if not name:
        step.reader.problem(node, Rule.OUTCOMES, f"{step.what} names no endpoint", "such as post: ENDPOINT")
        return "POST", None
    return _METHODS[given[0]], Reference("endpoints", name, place_of(node))


def _read_answers(step: StepReader, node: yaml.Node) -> tuple[Answer, ...]:
    found: list[Answer] = []
    for entry in step.reader.entries(node, f"answer of {step.what}"):
        declared = step.flow.declared(entry.key, entry.key_place, f"answer of {step.what}")
        if declared is None:
            continue
        path = step.reader.text(entry.node, f"{entry.key} in answer of {step.what}")
        if path is None:
            continue
        if not _PATH.fullmatch(path):
            step.reader.problem(
                entry.node,
                Rule.PROMPTS,
                f'"{path}" is not a path into an answer',
                "such as order.state or riders.0.name",
            )
            continue
        found.append(Answer(entry.key, declared, tuple(path.split("."))))
    return tuple(found)
