"""The record of one live call: events queued in order, results durable before they are announced."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from engines.contract import Route
from ivr.envelope import envelope
from ivr.feed import Feed
from ivr.flow.protocol import (
    Enter,
    Failure,
    Heard,
    Outcome,
    Queued,
    Replied,
    RequestFailed,
    Signal,
    Transferred,
)
from ivr.store import CallEvent, CallState, Delivery, Ending, Message, Store, StoreError, new_id
from media.leg import Quality

log = logging.getLogger(__name__)

Noted = Replied | RequestFailed | Queued | Transferred | Signal | Failure
"""Events to a flow that stand in the record as they are."""

COMMIT_S: Final = 0.5
"""How long a call waits for the store before it goes on: a slow disk must not silence a caller."""

_OF_RECORDING: Final = frozenset(("recording", "recording_deleted"))
_OF_MESSAGES: Final = frozenset(("message_began", "message", "message_deleted"))
_STATES: Final = {"ringing": CallState.RINGING, "answered": CallState.ANSWERED}


def step_note(command: Enter | Outcome) -> tuple[str, dict[str, Any]]:
    """Kind and data of the event that says so; `flow` stands in it when the step is not of the call's own."""
    within = {"flow": command.flow} if command.flow else {}
    if isinstance(command, Enter):
        return "step", {"step": command.step, "visit": command.visit, **within}
    outcome = {"step": command.step, "outcome": command.outcome, "next": command.next, "via": command.via}
    return "outcome", {**outcome, **within}


def event_note(event: Noted) -> tuple[str, dict[str, Any]]:
    """Kind and data of what is told of an event to the flow."""
    match event:
        case Replied(id=id_, status=status):
            return "replied", {"id": id_, "status": status}
        case RequestFailed(id=id_, reason=reason, status=status):
            return "request_failed", {"id": id_, "reason": reason, "status": status}
        case Queued(place=place):
            return "queued", {"place": place}
        case Transferred(outcome=outcome):
            return "transferred", {"outcome": outcome}
        case Signal(name=name, values=values):
            return "signal", {"name": name, "values": values}
        case Failure(reason=reason):
            return "failure", {"reason": reason}


def heard_note(heard: Heard, failure: str, route: Route | None) -> dict[str, Any]:
    """What was understood, by which recogniser and why by that one."""
    data: dict[str, Any] = {"text": heard.text, "confidence": round(heard.confidence, 3)}
    if failure:
        data["failure"] = failure
    return data if route is None else {**data, "by": route.told()}


class CallJournal:
    """Writes one call's record; a failing store is logged and never stops the call (its writes stay
    queued)."""

    def __init__(self, store: Store, call_id: str, flow: str, feed: Feed, far_end: str = "") -> None:
        """`feed` is told what is noted, as it is. `far_end` is who the call is with, as on the suppression
        list; empty where nobody knows."""
        self._store = store
        self._feed = feed
        self.call_id = call_id
        self._flow = flow
        self._far_end = far_end
        self._pending: list[CallEvent] = []
        self._recording: str | None = None
        self._messages: dict[str, Message] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        event = CallEvent(time.time(), kind, data)
        self._pending.append(event)
        self._feed.tell(self.call_id, event)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def commit(self, result: Mapping[str, Any]) -> None:
        await self._settle()
        try:
            await self._store.commit_result(self.call_id, result, deadline_s=COMMIT_S)
        except StoreError as error:
            log.error("call %s: the result is not stored yet: %s", self.call_id, error)

    async def post(
        self, endpoint: str, method: Literal["GET", "POST", "PUT"], body: Mapping[str, Any] | None
    ) -> None:
        text = "" if body is None else json.dumps(body, ensure_ascii=False)
        await self._owe(Delivery(new_id(), self.call_id, endpoint, text, time.time(), method))

    async def suppress(self) -> bool:
        known = bool(self._far_end)
        self.note("suppressed", {"known": known})
        if known:
            source = f"call:{self.call_id}"
            try:
                await self._store.suppressions.add([self._far_end], time.time(), source, deadline_s=COMMIT_S)
            except StoreError as error:
                log.error("call %s: a suppression is not stored yet: %s", self.call_id, error)
        return known

    async def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        id, now = new_id(), time.time()
        text = envelope(id, topic, now, self.call_id, self._flow, body)
        await self._owe(Delivery(id, self.call_id, topic, text, now, "PUBLISH"))

    async def _owe(self, delivery: Delivery) -> None:
        try:
            await self._store.enqueue([delivery])
        except StoreError as error:
            what = f"{delivery.method} to {delivery.target}"
            log.error("call %s: %s is not stored yet: %s", self.call_id, what, error)

    def recording(self, path: str) -> None:
        """Where the recording will lie; noted when it begins, so that a crash does not hide it."""
        self._recording = path
        self.note("recording", {})

    def recording_deleted(self) -> None:
        """It was refused; there is no file any more."""
        self._recording = None
        self.note("recording_deleted", {})

    async def consent(self, data: Mapping[str, Any]) -> None:
        await self._settle()
        event = CallEvent(time.time(), "consent", data)
        self._feed.tell(self.call_id, event)
        try:
            await self._store.append_events(self.call_id, [event], durable=True, deadline_s=COMMIT_S)
        except StoreError as error:
            log.error("call %s: a consent is not stored yet: %s", self.call_id, error)

    def message_began(self, name: str, path: Path) -> None:
        """Noted when it begins, so that a crash does not hide it."""
        self._messages[name] = Message(str(path))
        self.note("message_began", {"name": name})

    def message_ended(self, name: str, duration_ms: int, fault: str) -> None:
        self._messages[name] = Message(self._messages[name].path, duration_ms)
        self.note("message", {"name": name, "ms": duration_ms, **({"fault": fault} if fault else {})})

    def message_deleted(self, name: str) -> None:
        del self._messages[name]
        self.note("message_deleted", {"name": name})

    async def language(self, language: str) -> None:
        await self._store.set_language(self.call_id, language)

    async def finish(
        self, result: Mapping[str, Any], cause: str, by: str, quality: Quality | None = None
    ) -> None:
        """Closes the record, with everything noted before."""
        await self._settle()
        ending = Ending(time.time(), cause, by, result, quality, self._recording)
        try:
            await self._store.finish_call(self.call_id, ending)
        except StoreError as error:
            log.error("call %s: its end is not stored yet: %s", self.call_id, error)

    async def _settle(self) -> None:
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                for event in batch:
                    if (state := _STATES.get(event.kind)) is not None:
                        await self._store.advance(self.call_id, state, event.at)
                    elif event.kind in _OF_RECORDING:
                        await self._store.set_recording(self.call_id, self._recording)
                    elif event.kind in _OF_MESSAGES:
                        await self._store.set_messages(self.call_id, self._messages)
                    elif event.kind == "answered_by":
                        await self._store.set_answered_by(self.call_id, event.data)
                await self._store.append_events(self.call_id, batch)
            except StoreError as error:
                log.error("call %s: %d events are not stored: %s", self.call_id, len(batch), error)
