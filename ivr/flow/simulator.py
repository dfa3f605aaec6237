"""`ivr simulate FLOW`: a call as text in the terminal.

    server: नमस्ते शर्मा भोजनालय। ...
    > 1                       keys, when the line is keys only
    > बीस मिनट                anything else is speech
    > .                       (or an empty line) silence, until something happens
    > /hangup                 the caller hangs up
    > /back                   takes the last line back; /help names the other commands

`Simulation` is pure: a line in, lines out. Prompts are said to their end before the next line is taken.
Values that change are shown as they do. `/back` takes the last line back: the call is played again without
it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, assert_never, get_args

from ivr.flow.agent_protocol import AGENT_OUTCOMES
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.notices import (
    Consented,
    Converses,
    Entered,
    LeftBy,
    Listens,
    Notice,
    Over,
    Published,
    Quiet,
    Records,
    Requested,
    SpeechOver,
    Spoke,
    TransferAsked,
    Waits,
    WhoAsked,
)
from ivr.flow.problems import FlowError, ParamError
from ivr.flow.protocol import Transferred
from ivr.flow.scenario_acts import KEYS, TransferOutcome, WhoAnswered
from ivr.flow.scenarios import SUFFIX, ScenarioError, sample_values
from ivr.flow.signals import UnknownSignal
from ivr.flow.timing import SPEAKING_RATE
from ivr.flow.types import to_json
from ivr.flow.virtual_call import VirtualCall

PROMPT: Final = "> "
HELP: Final = (
    "digits, * and # are keys; anything else is speech; . or an empty line is silence",
    "/hangup            the caller hangs up",
    "/reply [JSON]      the endpoint answers the request",
    "/fail [REASON]     the request fails",
    "/signal NAME JSON  this happens outside; JSON has its values",
    "/agent OUTCOME [JSON]  next, otherwise or operator, with the slots filled",
    "/transfer OUTCOME  done, busy, no_answer or failed",
    "/queued PLACE      the caller waits in this place of the queue",
    "/answered WHO      human, machine or unknown",
    "/back              takes the last line back, and again the one before",
    "/state             the step, the time, and every value",
    "/result            the result as it stands",
)
_MOST_EVENTS: Final = 10_000
"""More than any bounded flow can do by itself between two lines."""


class Simulation:
    """One call, line by line."""

    def __init__(
        self,
        flow: Flow,
        values: Mapping[str, Any],
        language: str | None = None,
        today: date | None = None,
    ) -> None:
        """`values` are those of `flow.bind`, `today` is the day of the call."""
        self._new_call = partial(VirtualCall, flow, values, language, today)
        self._done: list[str] = []
        """The lines that made the call what it is."""
        self._commands: Mapping[str, Callable[[str], list[str]]] = {
            "/help": lambda rest: list(HELP),
            "/state": lambda rest: self._state(),
            "/result": lambda rest: [_json(self._call.machine.result)],
        }
        self._deeds: Mapping[str, Callable[[str], list[str]]] = {
            "/hangup": lambda rest: self._settle(self._call.hang_up()),
            "/reply": self._reply,
            "/fail": self._fail,
            "/signal": self._signal,
            "/transfer": self._transfer,
            "/agent": self._agent,
            "/queued": self._queued,
            "/answered": self._answered,
        }
        self._renew()

    def _renew(self) -> None:
        self._call = self._new_call()
        self._waits_for: Requested | TransferAsked | Converses | Waits | WhoAsked | None = None
        self._shown = dict(self._call.machine.values)
        """The values as they were shown last."""

    @property
    def over(self) -> bool:
        return self._call.over is not None

    def begin(self) -> list[str]:
        """What happens until the flow waits for the caller for the first time."""
        return self._settle(self._call.start())

    def feed(self, line: str) -> list[str]:
        """What happens after a line of input until the flow waits again. Once the call is over, only `/back`
        does something."""
        line = line.strip()
        if line == "/back":
            return self._back()
        if self.over:
            return []
        name, _, rest = line.partition(" ")
        if name in self._commands:
            return self._commands[name](rest.strip())
        if line.startswith("/") and name not in self._deeds:
            return [f"there is no {name}", *HELP]
        self._done.append(line)
        return self._do(line)

    def _do(self, line: str) -> list[str]:
        name, _, rest = line.partition(" ")
        if name in self._deeds:
            return self._deeds[name](rest.strip())
        if line in ("", "."):
            return self._silence()
        if KEYS.issuperset(line):
            return self._press(line)
        return self._say(line)

    def _back(self) -> list[str]:
        """Plays the call again without the last line, and shows what the line before it led to."""
        if not self._done:
            return ["(this is the beginning of the call)"]
        undone = self._done.pop()
        self._renew()
        lines = self.begin()
        for line in self._done:
            lines = self._do(line)
        return [f"(back to before: {undone or '.'})", *lines]

    def _state(self) -> list[str]:
        machine = self._call.machine
        values = [f"    {name} = {_json(to_json(value))}" for name, value in machine.values.items()]
        return [f"[{machine.step}] {self._call.now:.1f} s into the call, in {machine.language}", *values]

    # --- what the caller does

    def _press(self, keys: str) -> list[str]:
        lines: list[str] = []
        for key in keys:
            lines += self._show(self._call.press(key))
        # A line is a whole input: what may still follow it is not waited for.
        waits = self._call.recording or self._waits_for is not None
        if not self._call.speaking and not self.over and not waits:
            lines += self._next()
        return lines + self._settle([])

    def _say(self, text: str) -> list[str]:
        if self._call.recording:
            lines = self._show(self._call.dictate(len(text) / SPEAKING_RATE))
        elif self._call.listening:
            lines = self._show(self._call.say(text))
        else:
            return ["(nobody listens for speech here)"]
        while self._call.hearing:
            lines += self._next()
        return lines + self._settle([])

    def _silence(self) -> list[str]:
        """Lets time pass until something can be noticed."""
        lines: list[str] = []
        for _ in range(_MOST_EVENTS):
            if lines or self.over:
                break
            lines += self._next()
        return lines + self._settle([])

    # --- what the world does

    def _reply(self, rest: str) -> list[str]:
        if not isinstance(self._waits_for, Requested):
            return ["(no request is awaited)"]
        try:
            body = json.loads(rest) if rest else None
        except ValueError as error:
            return [f"(this is no JSON: {error})"]
        self._waits_for = None
        return self._settle(self._call.reply(200, body))

    def _fail(self, rest: str) -> list[str]:
        if not isinstance(self._waits_for, Requested):
            return ["(no request is awaited)"]
        self._waits_for = None
        return self._settle(self._call.fail_request(rest or "failed"))

    def _signal(self, rest: str) -> list[str]:
        name, _, values = rest.partition(" ")
        try:
            found = json.loads(values) if values.strip() else {}
            if not isinstance(found, dict):
                return ["(values are a JSON object)"]
            return self._settle(self._call.signal(name, found))
        except UnknownSignal as error:
            return [f"({error})"]
        except ParamError as error:
            return [f"({field} {text})" for field, text in error.fields.items()]
        except ValueError as error:
            return [f"(this is no JSON: {error})"]

    def _agent(self, rest: str) -> list[str]:
        if not isinstance(self._waits_for, Converses):
            return ["(no agent is talked to)"]
        word, _, slots_text = rest.partition(" ")
        outcome = next((known for known in AGENT_OUTCOMES if known == word), None)
        try:
            slots = json.loads(slots_text) if slots_text else {}
        except ValueError as error:
            return [f"(this is no JSON: {error})"]
        if outcome is None or not isinstance(slots, dict):
            return [f"(a conversation ends with {', '.join(AGENT_OUTCOMES)}, and slots as a JSON object)"]
        self._waits_for = None
        return self._settle(self._call.converse(outcome, slots))

    def _transfer(self, rest: str) -> list[str]:
        if not isinstance(self._waits_for, TransferAsked):
            return ["(no transfer is under way)"]
        outcome = next((known for known in get_args(TransferOutcome) if known == rest), None)
        if outcome is None:
            return [f"(a transfer goes {', '.join(get_args(TransferOutcome))})"]
        self._waits_for = None
        return self._settle(self._call.settle_transfer(Transferred(outcome)))

    def _queued(self, rest: str) -> list[str]:
        if not isinstance(self._waits_for, TransferAsked):
            return ["(no transfer is under way)"]
        if not (rest.isascii() and rest.isdigit() and 0 < int(rest) < 1000):
            return ["(a place in a queue is a number from 1 on)"]
        return self._settle(self._call.queue(int(rest)))

    def _answered(self, rest: str) -> list[str]:
        if not isinstance(self._waits_for, WhoAsked):
            return ["(nobody asks who answered)"]
        who = next((known for known in get_args(WhoAnswered) if known == rest), None)
        if who is None:
            return [f"(a call is answered by {', '.join(get_args(WhoAnswered))})"]
        self._waits_for = None
        return self._settle(self._call.answer(who))

    # --- what the server does

    def _next(self) -> list[str]:
        due = self._call.due
        return [] if due is None else self._show(self._call.advance(due))

    def _settle(self, notices: Iterable[Notice]) -> list[str]:
        """Shows what happened, and goes on until nothing is being said."""
        lines = self._show(notices)
        for _ in range(_MOST_EVENTS):
            if not self._call.speaking or self.over:
                break
            lines += self._next()
        return lines

    def _show(self, notices: Iterable[Notice]) -> list[str]:
        """What happened; the values that changed with it stand where the step was left."""
        lines: list[str] = []
        for notice in notices:
            lines += self._told(notice)
            if isinstance(notice, LeftBy):
                lines += self._changes()
        return lines + self._changes()

    def _changes(self) -> list[str]:
        values = self._call.machine.values
        changed = [name for name, value in values.items() if value != self._shown.get(name)]
        self._shown.update(values)
        return [f"        {name} = {_json(to_json(values[name]))}" for name in changed]

    def _told(self, notice: Notice) -> list[str]:
        match notice:
            case Entered():
                self._waits_for = None
                return [f"[{notice.path}]"]
            case LeftBy(outcome=outcome, via=via):
                return [f"    {outcome}" + (f" ({via})" if via and via != outcome else "")]
            case Spoke(text):
                return [f"server: {text}"]
            case Requested(endpoint, body, awaited):
                self._waits_for = notice if awaited else None
                hint = ["(answer with /reply JSON or /fail; . is no answer)"] if awaited else []
                return [f"    request {endpoint} {_json(body)}", *hint]
            case Published(topic, body):
                return [f"    publish {topic} {_json(body)}"]
            case Waits(sound):
                self._waits_for = notice
                return [f"    waits, {sound}", "(/signal NAME JSON happens outside; . lets the time pass)"]
            case Converses(slots):
                self._waits_for = notice
                wanted = ", ".join(slots) or "nothing"
                return [
                    f"    an agent talks, to find out {wanted}",
                    "(/agent next {...}, otherwise, operator)",
                ]
            case TransferAsked(target, _, whisper):
                self._waits_for = notice
                told = [f"    to the agent: {whisper}"] if whisper else []
                return [f"    transfer to {target}", *told, "(/transfer done, busy, no_answer or failed)"]
            case Over(result, cause):
                return [f"call over: {cause}", f"result: {_json(result)}"]
            case WhoAsked():
                self._waits_for = notice
                return ["(who answers? /answered human, machine or unknown; a key is a human)"]
            case Consented(to, granted):
                return [f"    consent to {to} {'given' if granted else 'refused'}"]
            case Records(on):
                return ["(write what is said; a pause (.) or the end key ends it)"] if on else []
            case Quiet() | Listens() | SpeechOver():
                return []
            case _:
                assert_never(notice)


def run(
    path: Path,
    params: Mapping[str, str] | None = None,
    language: str | None = None,
    lines: Iterable[str] | None = None,
    out: TextIO | None = None,
    today: date | None = None,
) -> int:
    """Simulates a call in the terminal. `params` are texts; what they lack is taken from the `with` of the
    flow's scenarios. `lines` (default: the terminal) are the caller's; when they end, the caller hangs up.

    Returns the exit status: 0 when the call came to its end, 1 when the flow or the params cannot be used.
    """
    out = out or sys.stdout
    try:
        flow = load_flow(path)
        values = flow.bind(_values(flow, path, params or {}, language))
        simulation = Simulation(flow, values, language, today)
    except (FlowError, ScenarioError) as error:
        out.write(f"{error}\n")
        return 1
    except ParamError as error:
        out.writelines(f"{name} {text}\n" for name, text in error.fields.items())
        return 1
    ended = () if lines is not None else ("(/back takes the last line back; Enter ends)",)
    _write(out, (*simulation.begin(), *(ended if simulation.over else ())))
    for line in _typed() if lines is None else lines:
        if simulation.over and line.strip() != "/back":
            break
        _write(out, (*simulation.feed(line), *(ended if simulation.over else ())))
    if not simulation.over:
        _write(out, simulation.feed("/hangup"))
    return 0


def _values(flow: Flow, path: Path, params: Mapping[str, str], language: str | None) -> dict[str, Any]:
    scenarios = path.with_name(path.stem + SUFFIX)
    values: dict[str, Any] = sample_values(scenarios) if scenarios.is_file() else {}
    for name, text in params.items():
        declared = flow.params.get(name)
        whole = declared is not None and declared.kind in ("count", "minutes")
        values[name] = int(text) if whole and text.lstrip("-").isdecimal() else text
    spoken = next((name for name, type_ in flow.params.items() if type_.kind == "language"), None)
    if spoken is not None and language is not None:
        values[spoken] = language
    return {name: value for name, value in values.items() if name in flow.params or name in params}


def _typed() -> Iterable[str]:
    while True:
        try:
            yield input(PROMPT)
        except (EOFError, KeyboardInterrupt):
            return


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)
    out.flush()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
