"""The part of the configuration about calls that come by the web."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


FlowName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,59}$")]
Origin = Annotated[str, Field(pattern=r"^https?://[^\s/]+$")]


class Phone(_Strict):
    """The phone page at `/`: who may call with it, and which flows. `local` is this machine alone; with `open`
    anybody may who reaches the server, a few calls a minute from one address."""

    access: Literal["off", "local", "open"] = "local"
    flows: list[FlowName] | Literal["all"] = "all"

    def offers(self, flow: str) -> bool:
        """Whether the page may call the flow."""
        return self.flows == "all" or flow in self.flows


class Web(_Strict):
    """`origins` are those of other sites whose pages may call with `client.js`."""

    phone: Phone = Phone()
    origins: list[Origin] = []
