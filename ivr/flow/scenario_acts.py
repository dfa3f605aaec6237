"""The steps of a scenario: what callers and the world do, and what must be heard and seen of the call
(`ivr.flow.scenarios` lists them)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, assert_never, get_args

import yaml

from ivr.flow.agent_protocol import AGENT_OUTCOMES, AgentOutcome
from ivr.flow.course import HUNG_UP, TRANSFERRED
from ivr.flow.model import Flow
from ivr.flow.nodes import Fields, Reader, place_of
from ivr.flow.problems import ParamError, Rule, did_you_mean
from ivr.flow.signals import UnknownSignal, bind_signal
from ivr.flow.verbs.end import CAUSES as ENDS
from ivr.flow.verbs.voicemail import MACHINE

KEYS: Final = frozenset("0123456789*#ABCD")

CAUSES: Final = (*ENDS, HUNG_UP, TRANSFERRED, MACHINE)
"""How a call may end."""

WhoAnswered = Literal["human", "machine", "unknown"]
TransferOutcome = Literal["done", "busy", "no_answer", "failed"]


@dataclass(frozen=True, slots=True)
class Hears:
    text: str
    to_end: bool = False


@dataclass(frozen=True, slots=True)
class Presses:
    keys: str


@dataclass(frozen=True, slots=True)
class Says:
    """`means` is what a classifier would make of it, if one is asked; None: none answers."""

    text: str
    means: str | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    seconds: float


@dataclass(frozen=True, slots=True)
class LeavesMessage:
    seconds: float


@dataclass(frozen=True, slots=True)
class Consents:
    """`to` is `recording` or the name of an opt-in; not `granted`: refused."""

    to: str
    granted: bool


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    who: WhoAnswered


@dataclass(frozen=True, slots=True)
class HangsUp:
    pass


@dataclass(frozen=True, slots=True)
class Sends:
    endpoint: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replies:
    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Fails:
    reason: str


@dataclass(frozen=True, slots=True)
class Publishes:
    topic: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Signals:
    """`values` fit the flow."""

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TransferGoes:
    outcome: TransferOutcome
    target: str | None = None
    whispers: str | None = None


@dataclass(frozen=True, slots=True)
class IsQueued:
    place: int


@dataclass(frozen=True, slots=True)
class AgentGoes:
    """`slots` are JSON values that the agent found out, `summary` is what it tells a colleague."""

    outcome: AgentOutcome
    slots: Mapping[str, Any]
    summary: str = ""


Act = (
    Hears
    | Presses
    | Says
    | Silence
    | LeavesMessage
    | AnsweredBy
    | Consents
    | HangsUp
    | Sends
    | Replies
    | Fails
    | Publishes
    | Signals
    | TransferGoes
    | AgentGoes
    | IsQueued
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scenario as it is written in `line`."""

    act: Act
    line: int


def describe(act: Act) -> str:
    """A step in words, for what is told of it."""
    match act:
        case Hears(text):
            return f'hears "{text}"'
        case Presses(keys):
            return f'presses "{keys}"'
        case Says(text):
            return f'says "{text}"'
        case Silence(seconds):
            return f"silence {seconds:g}s"
        case LeavesMessage(seconds):
            return f"leaves a message of {seconds:g}s"
        case AnsweredBy(who):
            return f"answered by {who}"
        case Consents(to, granted):
            return f"{'consents to' if granted else 'refuses'} {to}"
        case HangsUp():
            return "hangs up"
        case Sends(endpoint, body):
            return f"sends {endpoint}" + (f" {dict(body)}" if body else "")
        case Publishes(topic, body):
            return f"publishes {topic}" + (f" {dict(body)}" if body else "")
        case Signals(name, values):
            return f"signal {name}" + (f" {dict(values)}" if values else "")
        case Replies(status, _):
            return f"replies {status}"
        case Fails(reason):
            return f"fails {reason}"
        case IsQueued(place):
            return f"queued {place}"
        case AgentGoes(outcome=outcome, slots=slots):
            return f"agent {outcome}" + (f" {dict(slots)}" if slots else "")
        case TransferGoes(outcome, target, whispers):
            told = f' whispers "{whispers}"' if whispers else ""
            return f"transfer {f'to {target} ' if target else ''}{outcome}{told}"
        case _:
            assert_never(act)


class ActReader:
    """Reads steps; what is wrong with them goes to the reader's report."""

    def __init__(self, reader: Reader, flow: Flow) -> None:
        self._reader = reader
        self._flow = flow
        self._readers: Mapping[str, Callable[[yaml.Node, Fields], Act | None]] = {
            "hears": self._hears,
            "presses": self._presses,
            "says": self._says,
            "silence": self._silence,
            "leaves_message": self._leaves_message,
            "answered_by": self._answered_by,
            "consents": self._consents,
            "refuses": self._refuses,
            "hangs_up": self._hangs_up,
            "sends": self._sends,
            "replies": self._replies,
            "fails": self._fails,
            "publishes": self._publishes,
            "signal": self._signal,
            "queued": self._queued,
            "transfer": self._transfer,
            "agent": self._agent,
        }

    def read(self, node: yaml.Node) -> Step | None:
        """One step; None, and reported, when it cannot be used."""
        readers = self._readers
        fields = self._reader.fields(node, "a step of a scenario")
        kinds = [key for key in fields.keys if key in readers]
        if len(kinds) != 1:
            unknown = next((key for key in fields.keys if key not in readers), "")
            hint = did_you_mean(unknown, readers) if unknown else "one of hears, presses, says, silence, ..."
            self._reader.problem(node, Rule.YAML, "a step of a scenario does one thing", hint)
            return None
        value = fields.take(kinds[0])
        act = None if value is None else readers[kinds[0]](value, fields)
        fields.finish()
        return None if act is None else Step(act, place_of(node).line)

    def _hears(self, node: yaml.Node, fields: Fields) -> Hears | None:
        text = self._reader.text(node, "hears")
        to_end = fields.read("to_end", self._reader.flag, False)
        if text is not None and not text.strip():
            self._reader.problem(node, Rule.YAML, "hears needs a text")
            return None
        return None if text is None else Hears(text, to_end)

    def _presses(self, node: yaml.Node, fields: Fields) -> Presses | None:
        keys = self._reader.text(node, "presses")
        if keys is None or (keys and KEYS.issuperset(keys)):
            return None if keys is None else Presses(keys)
        self._reader.problem(node, Rule.YAML, f'"{keys}" are no keys', 'keys are 0-9, *, # and A-D: "20#"')
        return None

    def _says(self, node: yaml.Node, fields: Fields) -> Says | None:
        text = self._reader.text(node, "says")
        means = fields.read("means", self._reader.name, None)
        return None if text is None else Says(text, means)

    def _silence(self, node: yaml.Node, fields: Fields) -> Silence | None:
        seconds = self._reader.seconds(node, "silence", 0.0, 3600.0)
        return None if seconds is None else Silence(seconds)

    def _leaves_message(self, node: yaml.Node, fields: Fields) -> LeavesMessage | None:
        seconds = self._reader.seconds(node, "leaves_message", 0.2, 3600.0)
        return None if seconds is None else LeavesMessage(seconds)

    def _answered_by(self, node: yaml.Node, fields: Fields) -> AnsweredBy | None:
        options: tuple[WhoAnswered, ...] = get_args(WhoAnswered)
        read = self._reader.one_of(node, "answered_by", options)
        who = next((option for option in options if option == read), None)
        return None if who is None else AnsweredBy(who)

    def _consents(self, node: yaml.Node, fields: Fields) -> Consents | None:
        to = self._reader.text(node, "consents")
        return None if to is None else Consents(to, granted=True)

    def _refuses(self, node: yaml.Node, fields: Fields) -> Consents | None:
        to = self._reader.text(node, "refuses")
        return None if to is None else Consents(to, granted=False)

    def _hangs_up(self, node: yaml.Node, fields: Fields) -> HangsUp | None:
        if self._reader.flag(node, "hangs_up") is False:
            self._reader.problem(node, Rule.YAML, "hangs_up: false does nothing", "leave it out")
        return HangsUp()

    def _sends(self, node: yaml.Node, fields: Fields) -> Sends | None:
        name, body = self._named(node, "sends", "to", "body", "name the endpoint: to: ENDPOINT")
        return None if name is None else Sends(name, body)

    def _publishes(self, node: yaml.Node, fields: Fields) -> Publishes | None:
        name, body = self._named(node, "publishes", "to", "body", "name the topic: to: TOPIC")
        return None if name is None else Publishes(name, body)

    def _signal(self, node: yaml.Node, fields: Fields) -> Signals | None:
        name, values = self._named(node, "signal", "name", "values", "such as name: rider-found")
        if name is None:
            return None
        try:
            bind_signal(self._flow, name, values)
        except UnknownSignal as error:
            self._reader.problem(node, Rule.YAML, str(error))
        except ParamError as error:
            for field, text in error.fields.items():
                self._reader.problem(node, Rule.YAML, f"signal {name}: {field} {text}")
        return Signals(name, values)

    def _named(
        self, node: yaml.Node, what: str, name_key: str, values_key: str, hint: str
    ) -> tuple[str | None, dict[str, Any]]:
        """A name alone, or a mapping of a name and values."""
        if isinstance(node, yaml.ScalarNode):
            return self._reader.text(node, what), {}
        inner = self._reader.fields(node, what)
        name_node = inner.need(name_key, hint=hint)
        name = None if name_node is None else self._reader.text(name_node, f"{name_key} of {what}")
        node_of_values = inner.take(values_key)
        values: dict[str, Any] = {}
        if node_of_values is not None:
            values = read_mapping(self._reader, node_of_values, f"{values_key} of {what}")
        inner.finish()
        return name, values

    def _replies(self, node: yaml.Node, fields: Fields) -> Replies:
        inner = self._reader.fields(node, "replies")
        status = inner.read("status", lambda at, what: self._reader.whole(at, what, 200, 299), 200)
        body_node = inner.take("body")
        body = None if body_node is None else read_data(self._reader, body_node, "body of replies")
        inner.finish()
        return Replies(status, body)

    def _fails(self, node: yaml.Node, fields: Fields) -> Fails | None:
        reason = self._reader.text(node, "fails")
        return None if reason is None else Fails(reason)

    def _queued(self, node: yaml.Node, fields: Fields) -> IsQueued | None:
        place = self._reader.whole(node, "queued", 1, 999)
        return None if place is None else IsQueued(place)

    def _agent(self, node: yaml.Node, fields: Fields) -> AgentGoes | None:
        slots: Mapping[str, Any] = {}
        summary = ""
        if isinstance(node, yaml.MappingNode):
            inner = self._reader.fields(node, "agent")
            given = inner.take("outcome")
            slots_node = inner.take("slots")
            slots = {} if slots_node is None else read_mapping(self._reader, slots_node, "slots of agent")
            summary = inner.read("summary", self._reader.text, "")
            inner.finish()
            if given is None:
                return AgentGoes("next", slots, summary)
            node = given
        read = self._reader.one_of(node, "agent", AGENT_OUTCOMES)
        outcome = next((known for known in AGENT_OUTCOMES if known == read), None)
        return None if outcome is None else AgentGoes(outcome, slots, summary)

    def _transfer(self, node: yaml.Node, fields: Fields) -> TransferGoes | None:
        target = whispers = None
        outcome_node: yaml.Node | None = node
        if isinstance(node, yaml.MappingNode):
            inner = self._reader.fields(node, "transfer")
            to = inner.take("to")
            target = None if to is None else self._reader.text(to, "to of transfer")
            whispers_node = inner.take("whispers")
            whispers = None if whispers_node is None else self._reader.text(whispers_node, "whispers")
            outcome_node = inner.need("outcome")
            inner.finish()
        options: tuple[TransferOutcome, ...] = get_args(TransferOutcome)
        read = None if outcome_node is None else self._reader.one_of(outcome_node, "transfer", options)
        outcome = next((option for option in options if option == read), None)
        return None if outcome is None else TransferGoes(outcome, target, whispers)


def read_mapping(reader: Reader, node: yaml.Node, what: str) -> dict[str, Any]:
    entries = reader.entries(node, what)
    return {entry.key: read_data(reader, entry.node, f"{entry.key} of {what}") for entry in entries}


def read_data(reader: Reader, node: yaml.Node, what: str) -> Any:
    """A value as JSON has it."""
    if isinstance(node, yaml.MappingNode):
        return read_mapping(reader, node, what)
    if isinstance(node, yaml.SequenceNode):
        return [read_data(reader, item, what) for item in node.value]
    return None if reader.is_null(node) else reader.plain(node, what)
