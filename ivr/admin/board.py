"""All live calls as the dashboard knows them, and what changed of them since somebody looked. Pure.

One board follows the server for all pages; a page that looks again asks with the version it has seen, and is
given the rows that changed and the calls that ended, not five hundred rows.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ivr.admin.lines import Line, Side, cut, line_of

LINES: Final = 200
"""Of each call."""
ENDED: Final = 5000
"""Ended calls that are remembered for pages that have not looked since."""

_STATES: Final = {"ringing": "ringing", "answered": "answered"}


@dataclass(slots=True)
class LiveCall:
    """One call. Times are Unix seconds. `said` and `heard` are the last words of either side, `words_of` says
    whose came last; `turn` is the last turn as its record tells it. `supervisors` are by their session."""

    id: str
    flow: str = ""
    direction: str = ""
    trunk: str = ""
    caller: str = ""
    called: str = ""
    since: float = 0.0
    language: str = ""
    state: str = "created"
    answered_at: float | None = None
    step: str = ""
    queued: int | None = None
    agent: str = ""
    said: str = ""
    heard: str = ""
    words_of: Side = "server"
    mos: float | None = None
    supervisors: dict[str, str] = field(default_factory=dict)
    turn: Mapping[str, Any] | None = None
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=LINES), compare=False)

    def take(self, kind: str, data: Mapping[str, Any], at: float) -> None:
        """An event of its record."""
        match kind:
            case "ringing":
                self.state = "ringing"
            case "answered":
                self.state, self.answered_at = "answered", at
            case "step":
                self.step = f"{data['flow']}/{data['step']}" if data.get("flow") else str(data["step"])
            case "prompt":
                self.said, self.words_of = str(data.get("text", "")), "server"
            case "heard":
                self.heard, self.words_of = str(data.get("text") or ""), "caller"
            case "key":
                self.heard, self.words_of = f"⌨ {data.get('key', '')}", "caller"
            case "turn":
                self.turn = data
                self.language = data.get("language") or self.language
            case "queued":
                self.queued = data.get("place")
            case "connected":
                self.agent, self.queued = str(data.get("to") or ""), None
            case "talk_over":
                self.agent = ""
            case "transferred":
                self.queued = None
            case "supervised":
                self._supervised(data)
            case "prompt_cut" if self.lines:
                self._cut(int(data.get("after_ms", 0)))
        if (line := line_of(kind, data, at)) is not None:
            self.lines.append(line)

    @property
    def supervised_by(self) -> str:
        """Who listens in, whispers or has taken over."""
        return ", ".join(self.supervisors.values())

    def _supervised(self, data: Mapping[str, Any]) -> None:
        others = {session: who for session, who in self.supervisors.items() if session != data.get("session")}
        if data.get("mode") != "over":
            others[str(data.get("session"))] = supervisor(data.get("operator"), data.get("mode"))
        self.supervisors = others

    def _cut(self, after_ms: int) -> None:
        for place in reversed(range(len(self.lines))):
            if self.lines[place].side == "server":
                self.lines[place] = cut(self.lines[place], after_ms)
                return


def supervisor(operator: Any, mode: Any) -> str:
    """An operator, and how he is on the call."""
    return f"{operator or '?'} ({str(mode).replace('_', ' ')})"


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do to what was seen: with `whole` it is forgotten, and `rows` are all there are; else they are
    in the order of their last change."""

    version: int
    rows: tuple[LiveCall, ...]
    ended: tuple[str, ...]
    whole: bool


class CallBoard:
    """`version` counts up with every change."""

    def __init__(self) -> None:
        self.version = 0
        self._calls: dict[str, LiveCall] = {}
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._ended: deque[tuple[int, str]] = deque()
        self._whole_since = 0

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._calls

    def call(self, call_id: str) -> LiveCall | None:
        return self._calls.get(call_id)

    def calls(self) -> Iterable[LiveCall]:
        return self._calls.values()

    def replace(self, calls: Iterable[LiveCall]) -> None:
        """All that live, as they are now; what was known of their conversations stays."""
        gone = set(self._calls)
        for call in calls:
            gone.discard(call.id)
            if (known := self._calls.get(call.id)) is not None:
                call.lines, call.turn = known.lines, call.turn or known.turn
            if call != known:
                self._calls[call.id] = call
                self._touch(call.id)
        for call_id in gone:
            self.ended(call_id)

    def began(self, call: LiveCall) -> None:
        if call.id not in self._calls:
            self._calls[call.id] = call
        self._touch(call.id)

    def happened(self, call_id: str, kind: str, data: Mapping[str, Any], at: float) -> None:
        """Of a call that is not known nothing is taken: it will be in the next `replace`."""
        if (call := self._calls.get(call_id)) is not None:
            call.take(kind, data, at)
            self._touch(call_id)

    def ended(self, call_id: str) -> None:
        if self._calls.pop(call_id, None) is None:
            return
        del self._changed[call_id]
        self.version += 1
        self._ended.append((self.version, call_id))
        while len(self._ended) > ENDED:
            self._whole_since = self._ended.popleft()[0]

    def since(self, version: int) -> Changes:
        """What is new to who has seen that version; -1: who has seen nothing."""
        if version < self._whole_since:
            return Changes(self.version, tuple(self._calls.values()), (), whole=True)
        rows = []
        for call_id in reversed(self._changed):
            if self._changed[call_id] <= version:
                break
            rows.append(self._calls[call_id])
        ended = []
        for at, call_id in reversed(self._ended):
            if at <= version:
                break
            ended.append(call_id)
        return Changes(self.version, tuple(reversed(rows)), tuple(ended), whole=False)

    def _touch(self, call_id: str) -> None:
        self.version += 1
        self._changed[call_id] = self.version
        self._changed.move_to_end(call_id)
