"""What the parts of a flow's page share: the flow as it was fetched, and as it is read here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

from ivr.admin.flows.copy import FlowCopy, fetch_copy
from ivr.admin.visit import Visit
from ivr.api.flow_models import FlowDetail
from ivr.flow.model import Flow
from ivr.flow.problems import FlowError


class FlowBench:
    """`draft` is the text of the editor, where somebody has changed it; `detail` that of the server."""

    def __init__(self, visit: Visit, detail: FlowDetail, copy: FlowCopy) -> None:
        self.visit = visit
        self.detail = detail
        self.copy = copy
        self.draft: str | None = None
        self.go_to: Callable[[str], None] = lambda tab: None

    @classmethod
    async def open(cls, visit: Visit, name: str) -> FlowBench:
        """Raises `GatewayError`."""
        detail = await visit.gateway.get(FlowDetail, f"/api/flows/{quote(name, safe='')}")
        return cls(visit, detail, await fetch_copy(visit.gateway, detail))

    @property
    def name(self) -> str:
        return self.detail.name

    @property
    def path(self) -> str:
        """Of the API."""
        return f"/api/flows/{self.name}"

    @property
    def text(self) -> str:
        """What is being worked on."""
        return self.detail.text if self.draft is None else self.draft

    async def read(self) -> Flow:
        """The flow as it is worked on; raises `FlowError`."""
        return await asyncio.to_thread(self.working().flow)

    async def answering(self) -> Flow | None:
        """The flow as the server has it, for what is only looked at; None while it cannot be read."""
        try:
            return await asyncio.to_thread(self.copy.flow)
        except FlowError:
            return None

    def working(self) -> FlowCopy:
        return FlowCopy(self.copy.name, self.text, self.copy.scenarios, self.copy.within)

    async def fetch(self) -> None:
        """What the server has now. Raises `GatewayError`."""
        self.detail = await self.visit.gateway.get(FlowDetail, self.path)
        self.copy = await fetch_copy(self.visit.gateway, self.detail)
