"""Follows the server's events and keeps the board: one stream for the whole dashboard, however many look."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from ivr.admin.board import CallBoard, LiveCall, supervisor
from ivr.admin.gateway import GatewayClient, GatewayError
from ivr.admin.sse import ServerEvent

log = logging.getLogger(__name__)

EVENTS: Final = "/admin/events"
ACTIVE: Final = "/admin/calls/active"
EVERY_S: Final = 10.0
"""How often all live calls are asked for while no event was missed: quality is told by none."""
AGAIN_S: Final = 2.0


class _Words(BaseModel):
    text: str = ""
    at: datetime = datetime.fromtimestamp(0, UTC)


class _Supervisor(BaseModel):
    session_id: str = ""
    operator: str = ""
    mode: str = ""


class ActiveCall(BaseModel):
    """A live call as the server tells it; what it tells besides is passed over."""

    model_config = ConfigDict(extra="ignore")

    id: str
    flow: str = ""
    direction: str = ""
    trunk: str = ""
    caller: str = ""
    called: str = ""
    since: datetime
    language: str | None = None
    state: str = "created"
    answered_at: datetime | None = None
    step: str | None = None
    queued: int | None = None
    agent: str | None = None
    said: _Words | None = None
    heard: _Words | None = None
    mos: float | None = None
    supervisors: list[_Supervisor] = []

    def live(self) -> LiveCall:
        said, heard = self.said or _Words(), self.heard or _Words()
        return LiveCall(
            id=self.id,
            flow=self.flow,
            direction=self.direction,
            trunk=self.trunk,
            caller=self.caller,
            called=self.called,
            since=self.since.timestamp(),
            language=self.language or "",
            state=self.state,
            answered_at=None if self.answered_at is None else self.answered_at.timestamp(),
            step=self.step or "",
            queued=self.queued,
            agent=self.agent or "",
            said=said.text,
            heard=heard.text,
            words_of="caller" if heard.at > said.at else "server",
            mos=self.mos,
            supervisors={each.session_id: supervisor(each.operator, each.mode) for each in self.supervisors},
        )


class ActiveCalls(BaseModel):
    """All live calls."""

    model_config = ConfigDict(extra="ignore")

    calls: list[ActiveCall]


class Follower:
    """Runs from `start` to `close`. `load` is what the server bears, as it said last."""

    def __init__(self, gateway: GatewayClient, board: CallBoard) -> None:
        self._gateway = gateway
        self._board = board
        self._stale = asyncio.Event()
        self._began: dict[str, LiveCall] = {}
        self._ended: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.load: dict[str, Any] = {}

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._follow(), name="server events"),
            asyncio.create_task(self._snapshots(), name="live calls"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        async for event in self._gateway.events(EVENTS, self._stale.set):
            try:
                self._take(event)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("an event of the server is not understood (%s): %s", event.kind, error)

    def _take(self, event: ServerEvent) -> None:
        told = json.loads(event.data)
        match event.kind:
            case "call.began":
                call = {**told, "id": told["call_id"], "since": told["at"]}
                began = ActiveCall.model_validate(call).live()
                self._began[began.id] = began
                self._board.began(began)
            case "call.event":
                at = datetime.fromisoformat(told["at"]).timestamp()
                self._board.happened(told["call_id"], told["kind"], told["data"], at)
            case "call.ended":
                self._ended.add(told["call_id"])
                self._board.ended(told["call_id"])
            case "load":
                self.load = told
            case "missed":
                self._stale.set()

    async def _snapshots(self) -> None:
        """All live calls anew, whenever events may have been missed, and now and then for what no event
        tells. A call that began or ended while the answer was under way is as the events say."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), EVERY_S)
            self._stale.clear()
            self._began, self._ended = {}, set()
            try:
                active = await self._gateway.get(ActiveCalls, ACTIVE)
            except GatewayError as error:
                log.warning("live calls: %s", error)
                await asyncio.sleep(AGAIN_S)
                self._stale.set()
                continue
            calls = {call.id: call.live() for call in active.calls if call.state != "ended"}
            calls = {**self._began, **calls}
            self._board.replace(call for id, call in calls.items() if id not in self._ended)
