"""wait: silence, music or ringing for a time, or until something happens outside.

    search:
      wait:
        for: 45s                         # the longest
        sound: music                     # or ringback; silence without it
        until: rider-found               # a signal from outside ends it (docs/broker.md)
        values: [state, eta]             # that the signal brings
        key: "#"                         # this key ends it too; any: every key
      next: pause
    pause: {wait: 2s, next: status}

Whatever ended it, the step is left by `next`: test the values. A signal that comes before is kept for the
step that waits for it. Keys are typed ahead; the `key` is used up, and with `any` it is kept for the step
after. After a hang-up a wait passes at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

import yaml

from ivr.flow.model import Exit, Step, Target
from ivr.flow.problems import Rule
from ivr.flow.protocol import Event, HungUpEvent, Key, Signal, Tick, WaitingSound
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.types import ValueType

LONGEST_S: Final = 600.0
KEYS: Final = ("any", *"0123456789*#")


@dataclass(frozen=True, slots=True)
class Brought:
    """A declared value that the signal fills."""

    name: str
    type: ValueType


@dataclass(frozen=True, kw_only=True)
class Wait(Step):
    verb = "wait"

    wait_s: float
    sound: WaitingSound
    until: str | None
    values: tuple[Brought, ...]
    key: str | None
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Wait | None:
        target = step.target(step.fields, "next")
        if not isinstance(step.node, yaml.MappingNode):
            wait_s = step.reader.seconds(step.node, f"wait of {step.what}", 0.1, LONGEST_S)
            if wait_s is None or target is None:
                return None
            return cls(
                name=step.name, place=step.place, wait_s=wait_s, sound="silence", until=None, values=(),
                key=None, target=target,
            )  # fmt: skip
        fields = step.body()
        for_node = fields.need("for", Rule.OUTCOMES, "say how long at most: for: 30s")
        wait_s = None
        if for_node is not None:
            wait_s = step.reader.seconds(for_node, f"for of {fields.what}", 0.1, LONGEST_S)
        sounds: tuple[WaitingSound, ...] = get_args(WaitingSound)
        sound = fields.read("sound", lambda node, what: step.reader.one_of(node, what, sounds), "silence")
        until_node = fields.take("until")
        until = None if until_node is None else step.reader.name(until_node, f"until of {fields.what}")
        values_node = fields.take("values")
        values = () if values_node is None else _read_values(step, values_node)
        if values_node is not None and until_node is None:
            message = f"{step.what}: its values come with a signal, and it waits for none"
            step.reader.problem(values_node, Rule.OUTCOMES, message, "name the signal: until: NAME")
        key_node = fields.take("key")
        key = None if key_node is None else _read_key(step, key_node, f"key of {fields.what}")
        fields.finish()
        if wait_s is None or target is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            wait_s=wait_s,
            sound=next(known for known in sounds if known == sound),
            until=until,
            values=values,
            key=key,
            target=target,
        )

    def exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target, fills=frozenset(brought.name for brought in self.values)),)

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return self.wait_s

    def begin(self, run: Run, now: float) -> _Waiting | None:
        if self.ended_by_signal(run) or self._ended_by_typed_ahead(run):
            return None
        run.begin_waiting(self.sound)
        return _Waiting(run, self, now + self.wait_s)

    def skip(self, run: Run, now: float) -> None:
        """What was signalled before counts; nothing more is awaited."""
        if not self.ended_by_signal(run):
            run.leave("next", self.target, "hangup")

    def ended_by_signal(self, run: Run) -> bool:
        """Leaves when the signal is there, with the values that it brought."""
        brought = None if self.until is None else run.take_signal(self.until)
        if brought is None:
            return False
        run.assign((value.name, value.type.accept(brought[value.name])) for value in self.values)
        run.leave("next", self.target, self.until or "")
        return True

    def _ended_by_typed_ahead(self, run: Run) -> bool:
        if not run.typed_ahead or not (self.key == "any" or run.take_key_if(self.key)):
            return False
        run.leave("next", self.target, "key")
        return True


class _Waiting:
    def __init__(self, run: Run, step: Wait, due: float) -> None:
        self._run = run
        self._step = step
        self.due: float | None = due

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, Key):
            self._pressed(event.key)
        elif isinstance(event, Signal):
            self._step.ended_by_signal(self._run)
        elif isinstance(event, HungUpEvent):
            self._run.leave("next", self._step.target, "hangup")
        elif isinstance(event, Tick) and self.due is not None and now >= self.due:
            self._run.leave("next", self._step.target, "time")
        if self._run.verdict is not None:
            self._run.end_waiting()

    def _pressed(self, key: str) -> None:
        if self._run.is_stray(key):
            return
        if key != self._step.key:
            self._run.keep(key)
        if self._step.key in ("any", key):
            self._run.leave("next", self._step.target, "key")


def _read_key(step: StepReader, node: yaml.Node, what: str) -> str | None:
    key = step.reader.text(node, what)
    if key is None or key in KEYS:
        return key
    step.reader.problem(
        node, Rule.CHOICES, f'{what}: "{key}" is no key', 'write one of 0-9 * #, or any: key: "#"'
    )
    return None


def _read_values(step: StepReader, node: yaml.Node) -> tuple[Brought, ...]:
    found: dict[str, Brought] = {}
    for item in step.reader.items(node, f"values of {step.what}"):
        name = step.reader.text(item, f"a value of {step.what}")
        if name is None:
            continue
        declared = step.flow.declared(name, item, f"values of {step.what}")
        if declared is None:
            continue
        if name in found:
            step.reader.problem(item, Rule.PROMPTS, f'values of {step.what}: "{name}" stands there twice')
        else:
            found[name] = Brought(name, declared)
    return tuple(found.values())
