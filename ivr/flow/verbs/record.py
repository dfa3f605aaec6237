"""record: a voice message.

    complaint:
      record:
        prompt: complaint
        barge_in: keys                   # a key goes on to the beep; none: it is heard to its end
        beep: true
        length: 60s                      # the longest message
        silence: 3s                      # so long a pause ends it
        end: "#"                         # so does this key
        into: message                    # a text: the name under which it can be fetched
      next: noted                        # something was said
      otherwise: sorry                   # nothing was

A hang-up ends a message too, and what was said until then is kept and in the result. The name is that of the
step (FLOW.STEP in a flow within the call's), with -2 and so on where it is recorded again. Keys but `end` are
no part of a message and end nothing. Keys typed ahead are kept for the step after it, and go on to the beep,
as in `say`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from ivr.flow.model import Exit, Flow, Prompt, Step, Target
from ivr.flow.nodes import Fields
from ivr.flow.problems import Report, Rule
from ivr.flow.protocol import (
    BargeIn,
    Beep,
    EndMessage,
    Event,
    KeepMessage,
    Key,
    MessageFailed,
    PromptDone,
    SpeechBegan,
    SpeechPaused,
    Tick,
)
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.verbs.collect import read_end

DEFAULT_LENGTH_S = 60.0
DEFAULT_SILENCE_S = 3.0
DEFAULT_END = "#"
BEEP_S = 1.0
"""What the beep takes at the most, with the packets before and behind it."""


@dataclass(frozen=True, kw_only=True)
class Record(Step):
    verb = "record"
    silent = False

    prompt: Prompt
    barge_in: BargeIn
    beep: bool
    length_s: float
    silence_s: float
    end: str
    into: str | None
    target: Target
    otherwise: Target

    @classmethod
    def read(cls, step: StepReader) -> Record | None:
        fields = step.body("prompt")
        prompt = step.prompt(fields, "prompt")
        barge_in = step.barge_in(fields)
        beep = fields.read("beep", step.reader.flag, True)
        length_s = step.seconds(fields, "length", DEFAULT_LENGTH_S, 1.0, 600.0)
        silence_s = step.seconds(fields, "silence", DEFAULT_SILENCE_S, 0.5, 60.0)
        end = fields.read("end", lambda node, what: read_end(step, node, what, "a message"), DEFAULT_END)
        into = _read_into(step, fields)
        fields.finish()
        target = step.target(step.fields, "next")
        otherwise = step.target(step.fields, "otherwise")
        if prompt is None or target is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            prompt=prompt,
            barge_in=barge_in,
            beep=beep,
            length_s=length_s,
            silence_s=silence_s,
            end=end,
            into=into,
            target=target,
            otherwise=otherwise,
        )

    def exits(self) -> tuple[Exit, ...]:
        filled = frozenset(() if self.into is None else (self.into,))
        return (
            Exit("next", self.target, fills=filled, certain=filled),
            Exit("otherwise", self.otherwise, fills=filled),
        )

    def prompts(self) -> tuple[Prompt, ...]:
        return (self.prompt,)

    def check(self, flow: Flow, report: Report) -> None:
        """Rule 7."""
        if self.barge_in is BargeIn.SPEECH:
            message = f"step {self.name}: speech may cut its prompt, but it listens for none before the beep"
            report.add(self.place, Rule.BARGE_IN, message, "write barge_in: keys, or none")

    def seconds(self, speaking: Mapping[str, float]) -> float:
        beep_s = BEEP_S if self.beep else 0.0
        return speaking.get(self.prompt.name, 0.0) + beep_s + self.length_s

    def begin(self, run: Run, now: float) -> _Recording:
        recording = _Recording(run, self)
        recording.begin(now)
        return recording

    def skip(self, run: Run, now: float) -> None:
        run.leave("otherwise", self.otherwise, "hangup")


class _Phase(Enum):
    PROMPT = auto()
    BEEP = auto()
    RECORDING = auto()
    OVER = auto()


class _Recording:
    """PROMPT -> BEEP -> RECORDING -> OVER, whoever ends it."""

    def __init__(self, run: Run, step: Record) -> None:
        self._run = run
        self._step = step
        self._phase = _Phase.PROMPT
        self._name = ""
        self._until = 0.0
        self._quiet_since: float | None = None
        self._said = False

    @property
    def due(self) -> float | None:
        if self._phase is not _Phase.RECORDING:
            return None
        if self._quiet_since is None:
            return self._until
        return min(self._until, self._quiet_since + self._step.silence_s)

    def begin(self, now: float) -> None:
        if not self._keys_cut:
            self._run.drop_keys()
        elif self._run.typed_ahead:
            self._beep(now)
            return
        if not self._run.say(self._step.prompt, self._step.barge_in) and self._run.verdict is None:
            self._beep(now)

    def handle(self, event: Event, now: float) -> None:
        if isinstance(event, PromptDone):
            if self._run.is_said(event.id):
                self._go_on(now)
        elif isinstance(event, Key):
            self._key(event.key, now)
        elif self._phase is _Phase.RECORDING:
            self._heard(event, now)

    def interrupt(self, now: float) -> None:
        """What was said until now is kept."""
        if self._phase is _Phase.RECORDING:
            self._close()

    # --- until the message begins

    @property
    def _keys_cut(self) -> bool:
        return self._step.barge_in in (BargeIn.KEYS, BargeIn.ANY)

    def _go_on(self, now: float) -> None:
        if self._phase is _Phase.PROMPT:
            self._beep(now)
        elif self._phase is _Phase.BEEP:
            self._record(now)

    def _beep(self, now: float) -> None:
        if self._step.beep:
            self._phase = _Phase.BEEP
            self._run.utter((Beep(),), BargeIn.NONE)
        else:
            self._record(now)

    def _record(self, now: float) -> None:
        self._phase = _Phase.RECORDING
        self._until = now + self._step.length_s
        self._quiet_since = now
        self._name = self._run.name_message(self._step.name)
        self._run.emit(KeepMessage(self._name))

    def _key(self, key: str, now: float) -> None:
        if self._run.is_stray(key):
            return
        if self._phase is _Phase.PROMPT and self._keys_cut:
            self._run.stop_saying()
            self._beep(now)
        elif self._phase is _Phase.RECORDING and key == self._step.end:
            self._finish("key")

    # --- the message

    def _heard(self, event: Event, now: float) -> None:
        if isinstance(event, SpeechBegan):
            self._said = True
            self._quiet_since = None
        elif isinstance(event, SpeechPaused):
            self._quiet_since = now - event.ago_s
        elif isinstance(event, MessageFailed):
            self._close()
            self._run.leave("otherwise", self._step.otherwise, event.reason)
        elif isinstance(event, Tick) and self.due is not None and now >= self.due:
            self._finish("length" if now >= self._until else "silence")

    def _finish(self, via: str) -> None:
        self._close()
        if self._said:
            self._run.leave("next", self._step.target, via)
        else:
            self._run.leave("otherwise", self._step.otherwise, via)

    def _close(self) -> None:
        """The message is in the record before the result that names it."""
        self._phase = _Phase.OVER
        self._run.emit(EndMessage(self._name, self._said))
        if self._said and self._step.into is not None:
            self._run.assign(((self._step.into, self._name),))


def _read_into(step: StepReader, fields: Fields) -> str | None:
    """The text that is to name the message."""
    node = fields.take("into")
    name = None if node is None else step.reader.text(node, f"into of {step.what}")
    if node is None or name is None:
        return None
    declared = step.flow.declared(name, node, f"into of {step.what}")
    if declared is not None and declared.kind != "text":
        message = f'into of {step.what}: "{name}" is {declared}, and the name of a message is a text'
        step.reader.problem(node, Rule.PROMPTS, message, f"write {name}: optional text")
    return name
