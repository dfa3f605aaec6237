"""What the server measures of itself, in Prometheus' text format.

Every label has a bounded set of values: what a caller or a client of the API could invent is never a label,
and a name that is not known is counted under `other`. Observing takes a few microseconds and never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial
from math import nan
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from engines.breaker import BreakerState
from engines.contract import Passed, Reason, Route
from engines.llm.contract import Usage
from engines.routing.routes import Purpose
from engines.tts.espeak import LANGUAGES
from ivr.hour import Hour
from ivr.store.records import Carrier
from ivr.talking.protocol import Counted
from ivr.waterfall import TurnTimes
from media.amd import Answer
from media.leg import Cause, Direction, Quality
from media.plane import Totals
from sip.guard import Dropped
from sip.stack import TrunkState

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
OTHER: Final = "other"

EngineKind = Literal["tts", "asr", "llm"]
DeliveryOutcome = Literal["delivered", "failed", "given_up"]
WebRefusal = Literal["token", "sdp", "candidates", "session", "secret", "origin", "ports", "message"]

# The targets (50 ms set-up, 40 ms key to prompt) are bounds of a bucket, so that the share that meets them
# can be read.
_SETUP_S: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_KEY_S: Final = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0)
_TURN_S: Final = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0)
_LAG_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
_ENGINE_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
_COMMIT_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
_JITTER_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_LOSS: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5)
_MOS: Final = (1.5, 2.0, 2.5, 3.0, 3.25, 3.5, 3.75, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5)
_LENGTH_S: Final = (5, 15, 30, 60, 120, 300, 600, 1200, 1800)

_OUTCOMES: Final = frozenset(cause.value for cause in Cause) | {"interrupted"}


class Metrics:
    """`flows`, `engines` and `classifiers` are the names that may become labels."""

    def __init__(
        self, flows: Iterable[str] = (), engines: Iterable[str] = (), classifiers: Iterable[str] = ()
    ) -> None:
        self._flows = frozenset(flows)
        self._classifiers = frozenset(classifiers)
        self._engines = frozenset(engines)
        self.hour: Final = Hour()
        """The same, in short, for who has no Prometheus: minute by minute."""
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"ivr_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"ivr_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
            return Histogram(f"ivr_{name}", text, labels, buckets=tuple(buckets), registry=registry)

        self._calls = counter("calls", "Calls that ended, by how they ended", "direction", "flow", "outcome")
        self._answered_by = counter("answered_by", "Who answered screened calls", "who", "reason")
        self._active = gauge("calls_active", "Calls that live now", "direction")
        self._operators = gauge("operators", "Who is on calls that live now, or follows them", "what")
        self._refused = counter("calls_refused", "Calls refused before they began", "reason")
        self._dropped = counter("sip_dropped", "SIP requests that got no answer", "reason")
        self._web_refused = counter("web_refused", "What calls by the web were refused for", "reason")
        self._web_renewed = counter("web_renewed", "New offers within calls of browsers")
        self._socket_faults = counter("socket_faults", "What was wrong on WebSockets of calls", "leg", "what")
        self._setup = histogram(
            "call_setup_seconds", "From INVITE to 200 OK, less ring_s", _SETUP_S, "direction"
        )
        self._length = histogram("call_seconds", "From answer to end of answered calls", _LENGTH_S)
        self._key = histogram("key_to_prompt_seconds", "First packet of a key to first of the prompt", _KEY_S)
        self._reply = histogram(
            "turn_seconds", "End of speech to first packet of the reply", _TURN_S, "verb", "language"
        )
        self._stage = histogram(
            "turn_stage_seconds", "Stages of spoken turns, by what was reached", _TURN_S, "stage", "language"
        )
        self._unanswered = counter("turns_unanswered", "Spoken turns that nothing was replied to", "verb")
        self._lag = histogram("event_loop_lag_seconds", "Lateness of a timer of the event loop", _LAG_S)
        self._packets = counter("rtp_packets", "RTP packets of ended calls", "what")
        self._media = gauge("rtp_plane_packets", "RTP packets of all calls since the start", "what")
        self._lateness = gauge("rtp_lateness_seconds", "Worst lateness of the media plane of late")
        self._jitter = histogram("rtp_jitter_seconds", "Interarrival jitter of a call (RFC 3550)", _JITTER_S)
        self._loss = histogram("rtp_loss_ratio", "Share of a call's expected packets that were lost", _LOSS)
        self._mos = histogram("call_mos", "Mean opinion score of a call (ITU-T G.107)", _MOS, "heard_by")
        self._engine = histogram("engine_seconds", "To an engine's first output", _ENGINE_S, "kind", "engine")
        self._engine_failures = counter(
            "engine_failures", "Engine calls that failed or were late", "kind", "engine"
        )
        self._llm_tokens = counter("llm_tokens", "Tokens that models read and wrote", "engine", "direction")
        self._llm_cost = counter("llm_cost", "What models took, by the configured prices", "engine")
        self._routes = counter(
            "engine_routes", "What engines did, and why they", "kind", "engine", "purpose", "why"
        )
        self._passed = counter(
            "engine_passed", "What engines were to do and did not", "kind", "engine", "why"
        )
        self._breakers = gauge(
            "engine_breaker",
            "0: the engine is asked; 1: it is left alone; 0.5: one may try",
            "kind",
            "engine",
        )
        self._agents = counter("agent_conversations", "Conversations of agents, by how they ended", "outcome")
        self._agent_length = histogram("agent_seconds", "Conversations of agents", _LENGTH_S)
        self._agent_events = counter("agent_events", "What happened in conversations of agents", "what")
        self._classified = counter(
            "classifications", "What classifiers made of callers' words", "classifier", "outcome"
        )
        self._classifier = histogram(
            "classifier_seconds", "To the answer of a classifier, or to its failure", _ENGINE_S, "classifier"
        )
        self._restarts = counter("engine_restarts", "Restarts of engine workers", "engine")
        self._commit = histogram("store_commit_seconds", "Time of a transaction of the store", _COMMIT_S)
        self._writes = counter("store_writes", "Writes that the store committed")
        self._store_backlog = gauge("store_backlog", "Writes that are not committed yet")
        self._deliveries = counter(
            "outbox_attempts", "Tries to deliver webhooks, requests and events", "carrier", "outcome"
        )
        self._outbox_backlog = gauge("outbox_backlog", "Deliveries that wait", "carrier")
        self._broker_up = gauge("broker_up", "Whether the broker is connected; NaN: none is configured")
        self._broker_up.set(nan)
        self._trunk_up = gauge("trunk_up", "Whether the trunk takes calls; NaN: nobody asked", "trunk")
        self._trunk_registered = gauge(
            "trunk_registered", "Whether we are registered with the trunk; NaN: it wants none", "trunk"
        )
        self._trunk_calls = gauge("trunk_calls", "Calls that the trunk has now, both ways", "trunk")
        self._agent_wait = histogram(
            "agent_wait_seconds", "Until an agent had taken a caller, or none was found", _SETUP_S, "outcome"
        )
        self._queue_waiting = gauge("queue_waiting", "Callers who have no agent yet", "queue")

        self._flow_changes = counter("flow_changes", "Changes of flow files, by what became of them", "what")
        self._flow_states = gauge("flows", "Flows, by whether their file is what answers", "state")
        self._flow_problems = gauge("flow_problems", "Problems of a flow's file as it is now", "flow", "file")

    # --- calls
    # ----------------------------------------------------------------------------------------------

    def call_started(self, direction: Direction) -> None:
        self._active.labels(direction).inc()
        self.hour.count("began", time.time())

    def call_ended(
        self,
        direction: Direction,
        flow: str,
        outcome: str,
        *,
        answered_s: float | None,
        quality: Quality | None,
    ) -> None:
        """To be called once for each `call_started`. `answered_s` is the time since the answer, None without
        one."""
        self._active.labels(direction).dec()
        known_flow = flow if flow in self._flows else OTHER
        known_outcome = outcome if outcome in _OUTCOMES else OTHER
        self._calls.labels(direction, known_flow, known_outcome).inc()
        self.hour.count(f"ended.{known_outcome}", time.time())
        if answered_s is not None:
            self._length.observe(answered_s)
        if quality is not None:
            self._observe_quality(quality)

    def answered_by(self, answer: Answer) -> None:
        """Who answered an outbound call that was screened."""
        self._answered_by.labels(answer.who.value, answer.reason.value).inc()

    def call_refused(self, reason: Literal["no_capacity", "loop_lag", "unknown_number", "draining"]) -> None:
        self._refused.labels(reason).inc()
        self.hour.count(f"refused.{reason}", time.time())

    def socket_fault(self, leg: Literal["exotel", "websocket"], what: str, count: int = 1) -> None:
        """`what` is of a set that the leg has."""
        if count:
            self._socket_faults.labels(leg, what).inc(count)

    def sip_dropped(self, reason: Dropped) -> None:
        self._dropped.labels(reason.value).inc()

    def web_refused(self, reason: WebRefusal) -> None:
        self._web_refused.labels(reason).inc()

    def web_renewed(self) -> None:
        """A browser looked for another way, or came back."""
        self._web_renewed.inc()

    def observe_setup(self, direction: Direction, seconds: float) -> None:
        self._setup.labels(direction).observe(seconds)
        self.hour.count("answered", time.time())

    def observe_search(self, outcome: str, seconds: float) -> None:
        """How the search for an agent ended (`ivr.switchboard.Outcome`)."""
        self._agent_wait.labels(outcome).observe(seconds)

    def observe_turn(self, turn: TurnTimes) -> None:
        """What a turn of a conversation took, stage by stage, and as a whole."""
        about = turn.about
        language = about.language if about.language in LANGUAGES else OTHER
        if turn.reply_s is None:
            self._unanswered.labels(about.verb).inc()
            return
        if turn.trigger == "key":
            self._key.observe(turn.reply_s)
            self.hour.observe("key", turn.reply_s, time.time())
            return
        self._reply.labels(about.verb, language).observe(turn.reply_s)
        self.hour.observe("turn", turn.reply_s, time.time())
        for bar in turn.bars:
            self._stage.labels(bar.stage.value, language).observe(bar.end_s - bar.start_s)

    def observe_lag(self, seconds: float) -> None:
        self._lag.observe(seconds)

    # --- flows
    # ----------------------------------------------------------------------------------------------

    def know_flows(self, names: Iterable[str]) -> None:
        """The flows that take calls from now on."""
        self._flows = frozenset(names)

    def flow_changed(self, what: str) -> None:
        self._flow_changes.labels(what).inc()

    def flow_states(self, flows: Mapping[tuple[str, str], tuple[str, int]]) -> None:
        """For the name and file of each flow its state, and how many problems its file has."""
        states = Tally(state for state, _ in flows.values())
        for state in ("current", "behind", "broken"):
            self._flow_states.labels(state).set(states[state])
        self._flow_problems.clear()
        for (name, file), (_, problems) in flows.items():
            self._flow_problems.labels(name, file).set(problems)

    # --- engines, store, outbox
    # -----------------------------------------------------------------------------

    def engine_routed(self, kind: EngineKind, route: Route, purpose: Purpose, took_s: float) -> None:
        """An engine did what it was asked; `took_s` is its own time to the first of its answer."""
        self._engine.labels(kind, self._engine_label(route.engine)).observe(took_s)
        self.hour.observe(kind, took_s, time.time())
        self._routes.labels(kind, self._engine_label(route.engine), purpose, route.reason.value).inc()

    def engine_passed(self, kind: EngineKind, passed: Passed) -> None:
        engine = self._engine_label(passed.engine)
        self._passed.labels(kind, engine, passed.reason.value).inc()
        if passed.reason in (Reason.LATE, Reason.ERROR):
            self._engine_failures.labels(kind, engine).inc()

    def watch_breakers(self, kind: EngineKind, standing: Mapping[str, Callable[[], BreakerState]]) -> None:
        """Each is asked whenever the figures are read."""
        for name, state in standing.items():
            self._breakers.labels(kind, name).set_function(partial(_openness, state))

    def model_answered(self, model: str, outcome: str, first_s: float | None) -> None:
        """An `Observe` of `engines.llm.chain`."""
        if first_s is not None:
            self._engine.labels("llm", self._engine_label(model)).observe(first_s)
            self.hour.observe("llm", first_s, time.time())
        if outcome in ("late", "failed"):
            self._engine_failures.labels("llm", self._engine_label(model)).inc()

    def model_took(self, model: str, usage: Usage) -> None:
        """A `Count` of `engines.llm.chain`."""
        label = self._engine_label(model)
        self._llm_tokens.labels(label, "in").inc(usage.tokens_in)
        self._llm_tokens.labels(label, "out").inc(usage.tokens_out)
        self._llm_cost.labels(label).inc(usage.cost)

    def agent_counted(self, what: Counted) -> None:
        """An `Observer` of `ivr.talking.service`, as `agent_over`."""
        self._agent_events.labels(what).inc()

    def agent_over(self, outcome: str, seconds: float) -> None:
        self._agents.labels(outcome).inc()
        self._agent_length.observe(seconds)

    def engine_restarted(self, engine: str) -> None:
        self._restarts.labels(self._engine_label(engine)).inc()

    def classified(self, classifier: str, outcome: str, seconds: float | None) -> None:
        """An `Observe` of `ivr.classifiers`."""
        known = classifier if classifier in self._classifiers else OTHER
        self._classified.labels(known, outcome).inc()
        if seconds is not None:
            self._classifier.labels(known).observe(seconds)

    def observe_commit(self, seconds: float, writes: int) -> None:
        """An `Observer` of the store's writer."""
        self._commit.observe(seconds)
        self._writes.inc(writes)

    def delivery_tried(self, carrier: Carrier, outcome: DeliveryOutcome) -> None:
        self._deliveries.labels(carrier, outcome).inc()

    def outbox_waiting(self, carrier: Carrier, count: int) -> None:
        self._outbox_backlog.labels(carrier).set(count)

    def broker_up(self, up: bool) -> None:
        self._broker_up.set(float(up))

    def watch_store(self, backlog: Callable[[], float]) -> None:
        """`backlog` is asked whenever the figures are read."""
        self._store_backlog.set_function(backlog)

    def watch_media(self, totals: Callable[[], Totals], lateness_ms: Callable[[], float]) -> None:
        """Both are asked whenever the figures are read."""
        for what in fields(Totals):
            read = partial(_total, totals, what.name)
            self._media.labels(what.name.removeprefix("packets_")).set_function(read)
        self._lateness.set_function(lambda: lateness_ms() / 1000)

    def watch_operators(self, operators: Callable[[], int], followers: Callable[[], int]) -> None:
        """Operators on calls, and readers of what happens in them; asked whenever the figures are read."""
        self._operators.labels("supervising").set_function(operators)
        self._operators.labels("following").set_function(followers)

    def watch_trunks(
        self, names: Iterable[str], state: Callable[[str], TrunkState], calls: Callable[[str], int]
    ) -> None:
        """Both are asked, by name, whenever the figures are read; what is not known is NaN."""
        for name in names:
            self._trunk_up.labels(name).set_function(partial(_trunk_up, state, name))
            self._trunk_registered.labels(name).set_function(partial(_trunk_registered, state, name))
            self._trunk_calls.labels(name).set_function(partial(calls, name))

    def watch_queues(self, names: Iterable[str], waiting: Callable[[str], int]) -> None:
        """`waiting` is asked, by name, whenever the figures are read."""
        for name in names:
            self._queue_waiting.labels(name).set_function(partial(waiting, name))

    def watch_prompts(self, figures: Collector) -> None:
        """Those of the prompt cache, asked whenever the figures are read."""
        self._registry.register(figures)

    def render(self) -> bytes:
        """All figures in the text format that `CONTENT_TYPE` names."""
        return generate_latest(self._registry)

    # --- inside
    # ---------------------------------------------------------------------------------------------

    def _engine_label(self, engine: str) -> str:
        return engine if engine in self._engines else OTHER

    def _observe_quality(self, quality: Quality) -> None:
        packets = {
            "sent": quality.packets_sent,
            "received": quality.packets_received,
            "lost": quality.packets_lost,
            "late": quality.packets_late,
        }
        for what, count in packets.items():
            self._packets.labels(what).inc(max(count, 0))
        expected = quality.packets_received + quality.packets_lost
        if expected > 0:
            self._jitter.observe(quality.jitter_ms / 1000)
            self._loss.observe(max(quality.packets_lost, 0) / expected)
        if quality.mos is not None:
            self._mos.labels("us").observe(quality.mos)
        if quality.remote_mos is not None:
            self._mos.labels("far_end").observe(quality.remote_mos)


def _trunk_up(state: Callable[[str], TrunkState], name: str) -> float:
    up = state(name).up
    return nan if up is None else float(up)


def _trunk_registered(state: Callable[[str], TrunkState], name: str) -> float:
    registered = state(name).registered
    return nan if registered is None else float(registered)


def _openness(state: Callable[[], BreakerState]) -> float:
    return {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}[state()]


def _total(totals: Callable[[], Totals], name: str) -> float:
    value: int = getattr(totals(), name)
    return value


class LoopLag:
    """Measures how late the event loop wakes its timers: the first sign of a server that does too much.

    `run` is to be a task of its own; `seconds` is the worst lateness of the last second or so.
    """

    def __init__(self, observe: Callable[[float], None], interval_s: float = 0.05, keep: int = 20) -> None:
        self._observe = observe
        self._interval_s = interval_s
        self._recent = [0.0] * keep

    @property
    def seconds(self) -> float:
        return max(self._recent)

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        place = 0
        while True:
            due = clock() + self._interval_s
            await asyncio.sleep(self._interval_s)
            late = max(clock() - due, 0.0)
            self._recent[place] = late
            place = (place + 1) % len(self._recent)
            self._observe(late)
