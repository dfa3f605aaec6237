"""say: speaks a prompt.

    thanks: {say: thanks, next: bye}
    notice: {say: {prompt: notice, barge_in: none}, next: bye}

A prompt is a name or is written in place as a mapping of languages. `barge_in` (any): a key that may cut the
prompt is kept for the step after it; with none, keys typed before or during the prompt are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from ivr.flow.model import Exit, Flow, Prompt, Step, Target
from ivr.flow.problems import Report, Rule
from ivr.flow.protocol import BargeIn, Event, Key, PromptDone
from ivr.flow.reading import StepReader
from ivr.flow.run import Run


@dataclass(frozen=True, kw_only=True)
class Say(Step):
    """A key that may cut the prompt is kept for the step after it."""

    verb = "say"
    silent = False

    prompt: Prompt
    barge_in: BargeIn
    target: Target

    @classmethod
    def read(cls, step: StepReader) -> Say | None:
        target = step.target(step.fields, "next")
        barge_in = BargeIn.ANY
        if _is_detailed(step.node):
            fields = step.body()
            prompt = step.prompt(fields, "prompt")
            barge_in = step.barge_in(fields)
            fields.finish()
        else:
            prompt = step.prompt_at(step.node, f"{step.name}.say")
        if prompt is None or target is None:
            return None
        return cls(name=step.name, place=step.place, prompt=prompt, barge_in=barge_in, target=target)

    def exits(self) -> tuple[Exit, ...]:
        return (Exit("next", self.target),)

    def prompts(self) -> tuple[Prompt, ...]:
        return (self.prompt,)

    def check(self, flow: Flow, report: Report) -> None:
        """Rule 7: nobody listens here, so speech cannot cut the prompt."""
        if self.barge_in is BargeIn.SPEECH:
            message = f"step {self.name}: speech may cut its prompt, but it listens for none"
            report.add(self.place, Rule.BARGE_IN, message, "write barge_in: any, keys or none")

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return speaking.get(self.prompt.name, 0.0)

    def begin(self, run: Run, now: float) -> _Saying | None:
        keys_cut = self.barge_in in (BargeIn.KEYS, BargeIn.ANY)
        if not keys_cut:
            run.drop_keys()
        elif run.typed_ahead:
            run.leave("next", self.target, "key")
            return None
        if run.say(self.prompt, self.barge_in):
            return _Saying(run, self, keys_cut)
        run.leave("next", self.target)
        return None

    def skip(self, run: Run, now: float) -> None:
        run.leave("next", self.target, "hangup")


class _Saying:
    due: float | None = None

    def __init__(self, run: Run, step: Say, keys_cut: bool) -> None:
        self._run = run
        self._step = step
        self._keys_cut = keys_cut

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, PromptDone):
            if self._run.is_said(event.id):
                self._run.leave("next", self._step.target)
        elif isinstance(event, Key) and self._keys_cut and not self._run.is_stray(event.key):
            self._run.keep(event.key)
            self._run.stop_saying()
            self._run.leave("next", self._step.target, "key")


def _is_detailed(node: yaml.Node) -> bool:
    """`say: {prompt: ..., barge_in: ...}`, and not a prompt written in place as a mapping of languages."""
    return isinstance(node, yaml.MappingNode) and any(
        getattr(key, "value", None) in ("prompt", "barge_in") for key, _ in node.value
    )
