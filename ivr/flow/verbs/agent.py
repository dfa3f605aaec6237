"""agent: a conversation with a language model, within bounds.

    talk:
      agent:
        greeting: {hi: "बताइए, क्या मदद करें?", en: "What can I do for you?"}
        instructions: "You help callers of {{ shop }} with their orders. Be short."
        slots:
          order: "the number of the order"
          eta: {about: "in how many minutes it is wanted", required: false}
        tools:
          order-state: {about: "How an order stands", get: order-status, parameters: {order: digits}}
          person: {about: "The caller wants a person", action: transfer}
          done: {about: "All is said", action: end}
        knowledge: [returns]
        limits: {turns: 12, time: 3m, cost: 5}
        barge_in: any
        end_silence: 400ms..1s
        emotion: calm
        reads_out: [phone]               # personal data that may be told to the caller
        summary: brief                   # a text of the flow that gets what a colleague is to know
        transcript: said                 # a list of the flow that gets what was said, line by line
      next: bye                          # every slot that is required was found out
      otherwise: desk                    # no agent, a bound reached, a slot missing, or it gave up
      operator: desk                     # without it the flow's operator event

The `greeting` is a prompt that is heard where there is an agent to answer; without one the caller speaks
first. `instructions` are one text, or one in each language; a value in them stands as data ("48213", 1250.5),
one that is not there as nothing. A slot is a value of the flow, with what it is; its type decides what fits,
and what was found out is committed at once. Where one is the language of the call, the caller may change it
by speaking another. A tool is a request to an endpoint (get, post or put, its arguments of the types in
`parameters` as the body), or an action: `transfer` leaves by operator, `end` by next. The agent never does
anything itself. It says no number that nobody gave it, and of personal data (`phone`, `email`, other long
numbers: `number`) only what `reads_out` allows, the slots, and what the caller himself said. Where there is
a `summary`, a little time is given for it before the step is left; a `transcript` is there whenever it is
left, also by a hang-up: "caller: ..." and "agent: ...", the last 50 lines. Key 0, and a clear call for the
operator, leave by operator whatever the agent makes of it; other keys are told to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engines.tts.emotion import EMOTIONS
from ivr.flow.agent_protocol import Bounds, Converse, Slot, Tool
from ivr.flow.expressions import EvaluationError, Template
from ivr.flow.model import Exit, Phrases, Prompt, Reference, Step, Target
from ivr.flow.phrases import OPERATOR, collect_phrases
from ivr.flow.problems import Rule
from ivr.flow.protocol import BargeIn, EndSilence, words_of
from ivr.flow.reading import StepReader
from ivr.flow.run import Run
from ivr.flow.types import Value, json_schema, to_json
from ivr.flow.verbs.agent_reading import (
    AgentTool,
    Wanted,
    read_bounds,
    read_instructions,
    read_knowledge,
    read_reads_out,
    read_slots,
    read_summary,
    read_tools,
    read_transcript,
)
from ivr.flow.verbs.agent_talk import SUMMARY_S, Talk

SLACK_S = 5.0
"""How much longer than its bound a conversation may be, for the last words."""


@dataclass(frozen=True, kw_only=True)
class Agent(Step):
    verb = "agent"
    silent = False

    instructions: Mapping[str, Template]
    greeting: Prompt | None
    slots: tuple[Wanted, ...]
    tools: tuple[AgentTool, ...]
    knowledge: tuple[Reference, ...]
    bounds: Bounds
    barge_in: BargeIn
    end_silence: EndSilence
    emotion: str
    reads_out: tuple[str, ...]
    summary: str | None
    """The value that gets the summary."""
    transcript: str | None
    """The value that gets what was said."""
    phrases: Phrases
    """What asks for the operator."""
    target: Target
    otherwise: Target
    operator: Target | None

    @classmethod
    def read(cls, step: StepReader) -> Agent | None:
        fields = step.body("instructions")
        instructions = read_instructions(step, fields)
        greeting_node = fields.take("greeting")
        greeting = None if greeting_node is None else step.prompt_at(greeting_node, f"{step.name}.greeting")
        slots = read_slots(step, fields)
        tools = read_tools(step, fields)
        knowledge = read_knowledge(step, fields)
        bounds = read_bounds(step, fields)
        barge_in = step.barge_in(fields)
        end_silence = step.end_silence(fields)
        emotion = fields.read("emotion", lambda n, what: step.reader.one_of(n, what, EMOTIONS), "neutral")
        reads_out = read_reads_out(step, fields)
        summary = read_summary(step, fields)
        transcript = read_transcript(step, fields)
        fields.finish()
        target = step.target(step.fields, "next")
        otherwise = step.target(step.fields, "otherwise")
        operator = step.target(step.fields, "operator", required=False)
        if operator is None and "operator" not in step.fields and not step.flow.operator:
            message = f"{step.what} has no operator, and the flow has no operator event"
            step.reader.problem(step.place, Rule.OUTCOMES, message, "operator: STEP, for who wants a person")
        if instructions is None or target is None or otherwise is None:
            return None
        return cls(
            name=step.name,
            place=step.place,
            instructions=instructions,
            greeting=greeting,
            slots=slots,
            tools=tools,
            knowledge=knowledge,
            bounds=bounds,
            barge_in=barge_in,
            end_silence=end_silence,
            emotion=emotion,
            reads_out=reads_out,
            summary=summary,
            transcript=transcript,
            phrases=collect_phrases(step.flow, {OPERATOR: {}}),
            target=target,
            otherwise=otherwise,
            operator=operator,
        )

    # --- what is known of it

    def prompts(self) -> tuple[Prompt, ...]:
        return () if self.greeting is None else (self.greeting,)

    @cached_property
    def _filled(self) -> frozenset[str]:
        told = (name for name in (self.summary, self.transcript) if name is not None)
        return frozenset((*(slot.name for slot in self.slots), *told))

    def exits(self) -> tuple[Exit, ...]:
        needed = frozenset(slot.name for slot in self.slots if slot.required)
        done = Exit("next", self.target, fills=self._filled, certain=needed)
        ways = (done, Exit("otherwise", self.otherwise, fills=self._filled))
        return ways if self.operator is None else (*ways, self.operator_exit(self.operator))

    @property
    def listens(self) -> bool:
        return self.operator is None

    def operator_exit(self, operator: Target) -> Exit:
        return Exit(OPERATOR, operator, fills=self._filled)

    def references(self) -> tuple[Reference, ...]:
        asked = (tool.endpoint for tool in self.tools if tool.endpoint is not None)
        return (*asked, *self.knowledge)

    def seconds(self, speaking: Mapping[str, float]) -> float:
        return self.bounds.time_s + SLACK_S + (0.0 if self.summary is None else SUMMARY_S)

    @cached_property
    def wanted(self) -> Mapping[str, Wanted]:
        return {slot.name: slot for slot in self.slots}

    @cached_property
    def offered(self) -> Mapping[str, AgentTool]:
        return {tool.name: tool for tool in self.tools}

    # --- in a call

    def begin(self, run: Run, now: float) -> Talk | None:
        try:
            instructions = self.instructions[run.language].render(run.values, _as_data)
            greeting = () if self.greeting is None else run.render(self.greeting)
        except EvaluationError as error:
            run.fail(f"agent: {error}")
            return None
        known = {name: to_json(run.values[name]) for name in self.wanted if run.values[name] is not None}
        begin = Converse(
            id=run.next_id("agent"),
            instructions=instructions,
            language=run.language,
            slots=tuple(Slot(s.name, s.about, json_schema(s.type), s.required) for s in self.slots),
            tools=tuple(_offer(tool) for tool in self.tools),
            knowledge=tuple(collection.name for collection in self.knowledge),
            bounds=self.bounds,
            barge_in=self.barge_in,
            emotion=self.emotion,
            known=known,
            reads_out=self.reads_out,
            language_slot=next((name for name in self.wanted if name == run.flow.language_name), ""),
            summary=self.summary is not None,
            greeting=" ".join(map(words_of, greeting)),
        )
        run.emit(begin)
        talk = Talk(run, self, begin.id, greeting, now)
        talk.begin(now)
        return talk

    def skip(self, run: Run, now: float) -> None:
        run.leave("otherwise", self.otherwise, "hangup")


def _offer(tool: AgentTool) -> Tool:
    properties = {name: json_schema(type_) for name, type_ in tool.parameters.items()}
    needed = [name for name, type_ in tool.parameters.items() if not type_.optional]
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if needed:
        schema["required"] = needed
    return Tool(tool.name, tool.about, schema, tool.action if tool.endpoint is None else "")


def _as_data(value: Value, kind: str) -> str:
    """Not in words, as for a voice, but as it is."""
    return str(to_json(value))
