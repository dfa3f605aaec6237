"""transfer: hands the caller over, blind or attended.

    desk:
      transfer: {to: vendor-desk, context: result, wait: 30s}
      next: report                       # handed over: only silent steps from here
      otherwise: person                  # busy, no answer, failed

    person:
      transfer:
        to: vendor-desk
        mode: attended                   # the agent is called first, then the two are connected
        whisper: brief                   # what he alone hears before
        accept: "1"                      # he must press it, else somebody else is asked
        sound: music                     # what the caller hears meanwhile: music, ringback or silence
        wait: 5m                         # how long the caller waits for an agent
        queued: {prompt: queued, into: place, every: 30s}    # his place in the queue, told now and then
      next: report
      otherwise: report

`to` is a number, a SIP address, a queue of the configuration, or computed: "{{ desk }}".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, get_args

import yaml

from ivr.flow.expressions import EvaluationError, Expression
from ivr.flow.model import Exit, Prompt, Reference, Step, Target, Use
from ivr.flow.nodes import Fields, place_of
from ivr.flow.payload import Payload, read_payload
from ivr.flow.problems import Place, Rule
from ivr.flow.protocol import (
    Attended,
    BargeIn,
    Event,
    PromptDone,
    Queued,
    Tick,
    Transferred,
    WaitingSound,
)
from ivr.flow.protocol import Transfer as TransferCommand
from ivr.flow.reading import StepReader, expression_in
from ivr.flow.run import Run
from ivr.flow.types import Family
from ivr.flow.verbs.menu import read_key

ANSWER_SLACK_S: Final = 2.0
"""How much longer than the wait the driver's word is awaited."""

TAKING_S: Final = 45.0
"""How long an agent who has answered may take to hear the whisper and to say that he takes the call."""

LONGEST_WAIT_S: Final = {"blind": 120.0, "attended": 3600.0}

_ADDRESS = re.compile(r"sips?:[^\s]{1,200}")
_NUMBER = re.compile(r"\+?[0-9]{2,20}")
_WRITTEN_NUMBER = re.compile(r"\+?[0-9(][0-9 ()./-]{2,30}")
"""As a person writes one."""


class Mode(Enum):
    BLIND = "blind"
    ATTENDED = "attended"


SOUNDS: Final[tuple[WaitingSound, ...]] = get_args(WaitingSound)


@dataclass(frozen=True, slots=True)
class Announcing:
    """`into` is filled with the caller's place in the queue, and the prompt said at most every so often."""

    prompt: Prompt
    into: str
    every_s: float


@dataclass(frozen=True, kw_only=True)
class Transfer(Step):
    verb = "transfer"
    silent = False
    leaves = True

    to: str | Expression
    to_place: Place
    mode: Mode
    whisper: Prompt | None
    accept: str | None
    sound: WaitingSound | None
    queued: Announcing | None
    context: Payload | None
    wait_s: float
    target: Target
    otherwise: Target

    @classmethod
    def read(cls, step: StepReader) -> Transfer | None:
        fields = step.body("to")
        node = fields.need("to", Rule.NAMES, "a number, a SIP address or a queue")
        to: str | Expression | None = None
        if node is not None:
            inner = expression_in(node)
            if inner is None:
                to = _read_to(step, node)
            else:
                to = step.flow.compile(inner, node, f"to of {step.what}")
                if to is not None and to.shape.family is not Family.TEXT:
                    step.reader.problem(node, Rule.PROMPTS, f"to of {step.what} must be a text")
        mode = Mode(fields.read("mode", _one_of(step, tuple(mode.value for mode in Mode)), Mode.BLIND.value))
        whisper, accept, queued = _read_attended(step, fields, mode)
        sound = fields.read("sound", _one_of(step, SOUNDS), None)
        context_node = fields.take("context")
        context = (
            None if context_node is None else read_payload(step.flow, context_node, f"context of {step.what}")
        )
        wait_s = step.seconds(fields, "wait", 30.0, 1.0, LONGEST_WAIT_S[mode.value])
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
            mode=mode,
            whisper=whisper,
            accept=accept,
            sound=next((known for known in SOUNDS if known == sound), None),
            queued=queued,
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
        fills = frozenset(() if self.queued is None else (self.queued.into,))
        return (Exit("next", self.target, fills=fills), Exit("otherwise", self.otherwise, fills=fills))

    def prompts(self) -> tuple[Prompt, ...]:
        whisper = () if self.whisper is None else (self.whisper,)
        return whisper if self.queued is None else (*whisper, self.queued.prompt)

    def filled_for(self, prompt: Prompt) -> frozenset[str]:
        """The place is known before it is told."""
        queued = self.queued
        if queued is None or prompt is not queued.prompt or prompt is self.whisper:
            return frozenset()
        return frozenset((queued.into,))

    def uses(self) -> tuple[Use, ...]:
        to = (Use(self.to, self.to_place),) if isinstance(self.to, Expression) else ()
        return to if self.context is None else (*to, *self.context.uses())

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return self.longest_s

    @property
    def longest_s(self) -> float:
        """How long it may last: the wait, and what an agent who answers at its end may take."""
        return self.wait_s + ANSWER_SLACK_S + (TAKING_S if self.mode is Mode.ATTENDED else 0.0)

    def begin(self, run: Run, now: float) -> _Transferring | None:
        try:
            to = self.to(run.values) if isinstance(self.to, Expression) else self.to
            context = {} if self.context is None else self.context.build(run)
            attended = self._attended(run)
        except EvaluationError as error:
            run.fail(f"transfer: {error}")
            return None
        if not isinstance(to, str):
            run.leave("otherwise", self.otherwise, "no target")
            return None
        run.transfer(TransferCommand(to, context, self.wait_s, self.sound, attended))
        return _Transferring(run, self, now)

    def skip(self, run: Run, now: float) -> None:
        run.leave("otherwise", self.otherwise, "hangup")

    def _attended(self, run: Run) -> Attended | None:
        if self.mode is Mode.BLIND:
            return None
        return Attended(() if self.whisper is None else run.render(self.whisper), self.accept)


class _Transferring:
    def __init__(self, run: Run, step: Transfer, now: float) -> None:
        self._run = run
        self._step = step
        self._until = now + step.longest_s
        self._tell_at: float | None = None
        """When the place is told again; None before it is known."""

    @property
    def due(self) -> float:
        return self._until if self._tell_at is None else min(self._until, self._tell_at)

    def handle(self, event: Event, now: float) -> None:
        run, step = self._run, self._step
        if isinstance(event, Transferred):
            run.transferred()
            run.stop_saying()
            if event.outcome == "done":
                run.leave("next", step.target, "done", silently=True)
            else:
                run.leave("otherwise", step.otherwise, event.outcome)
        elif isinstance(event, PromptDone):
            run.is_said(event.id)
        elif isinstance(event, Queued) and step.queued is not None:
            run.assign(((step.queued.into, event.place),))
            if self._tell_at is None:
                self._tell(step.queued, now)
        elif isinstance(event, Tick):
            if now >= self._until:
                run.stop_transfer()
                run.stop_saying()
                run.leave("otherwise", step.otherwise, "no_answer")
            elif step.queued is not None and self._tell_at is not None and now >= self._tell_at:
                self._tell(step.queued, now)

    def _tell(self, queued: Announcing, now: float) -> None:
        self._tell_at = now + queued.every_s
        self._run.say(queued.prompt, BargeIn.NONE)


def _read_to(step: StepReader, node: yaml.Node) -> str | None:
    """A number as it is dialled, an address, or the name of a queue."""
    what = f"to of {step.what}"
    to = step.reader.text(node, what)
    if to is None or _NUMBER.fullmatch(to) or not _WRITTEN_NUMBER.fullmatch(to):
        return to
    dialled = re.sub(r"[^+0-9]", "", to)
    step.reader.problem(node, Rule.NAMES, f'{what} "{to}" is no number to dial', f'write "{dialled}"')
    return None


def _one_of(step: StepReader, options: tuple[str, ...]) -> Callable[[yaml.Node, str], str | None]:
    return lambda node, what: step.reader.one_of(node, what, options)


def _read_attended(
    step: StepReader, fields: Fields, mode: Mode
) -> tuple[Prompt | None, str | None, Announcing | None]:
    """What only an attended transfer has."""
    given = [(key, fields.entry(key)) for key in ("whisper", "accept", "queued")]
    if mode is Mode.BLIND:
        for key, entry in given:
            if entry is not None:
                message = f"{key} of {step.what} is for a transfer that is attended"
                step.reader.problem(entry.key_place, Rule.YAML, message, "add mode: attended")
        return None, None, None
    whisper_node = fields.take("whisper")
    whisper = None if whisper_node is None else step.prompt_at(whisper_node, f"{step.name}.whisper")
    accept_entry = fields.entry("accept")
    accept = None if accept_entry is None else read_key(step, accept_entry.node, "accept", step.what)
    if accept_entry is not None and whisper_node is None:
        message = f"{step.what} awaits the key {accept} of an agent who is told nothing"
        hint = "add a whisper that says what to press"
        step.reader.problem(accept_entry.key_place, Rule.PROMPTS, message, hint)
    queued_node = fields.take("queued")
    return whisper, accept, None if queued_node is None else _read_queued(step, queued_node)


def _read_queued(step: StepReader, node: yaml.Node) -> Announcing | None:
    fields = step.reader.fields(node, f"queued of {step.what}", "prompt")
    prompt = step.prompt(fields, "prompt")
    into_node = fields.need("into", Rule.PROMPTS, "name a value of type count that gets the place")
    into = None if into_node is None else step.reader.text(into_node, f"into of queued of {step.what}")
    if into_node is not None and into is not None:
        declared = step.flow.declared(into, into_node, f"into of queued of {step.what}")
        if declared is not None and declared.kind != "count":
            message = f'into of queued of {step.what}: "{into}" is {declared}, and a place is a count'
            hint = f"write {into}: {{type: count, default: 1}}"
            step.reader.problem(into_node, Rule.PROMPTS, message, hint)
    every_s = step.seconds(fields, "every", 30.0, 5.0, 600.0)
    fields.finish()
    return None if prompt is None or into is None else Announcing(prompt, into, every_s)
