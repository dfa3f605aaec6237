"""The part of the configuration about calls by the web."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ivr.web.ice_servers import IceUrl


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _ip(text: str) -> str:
    ip_address(text)
    return text


def _ports(ports: tuple[int, int]) -> tuple[int, int]:
    first, last = ports
    if ports != (0, 0) and not 1 <= first <= last <= 65_535:
        raise ValueError("write the first and the last port, as [20000, 20999]; [0, 0]: any")
    return ports


def _url(text: str) -> str:
    IceUrl.parse(text)
    return text


_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError("write an origin as https://shop.example")
    return text


Ip = Annotated[str, AfterValidator(_ip)]


class IceServer(_Strict):
    """A STUN or TURN server that pages are told of. A TURN server wants either `username` and `credential`,
    which every page then knows, or the `secret` that it shares with us (coturn: static-auth-secret): each
    session gets a name and a password of its own, good for its time."""

    urls: list[Annotated[str, AfterValidator(_url)]] = Field(min_length=1)
    username: str | None = None
    credential: str | None = None
    secret: str | None = Field(default=None, min_length=8)

    @model_validator(mode="after")
    def _consistent(self) -> IceServer:
        relays = any(IceUrl.parse(url).relays for url in self.urls)
        named = self.username is not None and self.credential is not None
        if (self.username is None) != (self.credential is None):
            raise ValueError("username and credential go together")
        if relays and named == (self.secret is not None):
            raise ValueError("a TURN server needs either a secret, or username and credential")
        if not relays and (named or self.secret is not None):
            raise ValueError("a STUN server takes no credentials")
        return self


class WebIce(_Strict):
    """How browsers reach us. `addresses` are ours that media goes through, all of this machine without one;
    `ports` the range of its UDP ports; `advertise` is told beside them: the public address of a NAT that
    passes these ports on. `servers` are what pages are told of; with `ask_servers` we use them too, where we
    are behind a NAT that does not."""

    addresses: list[Ip] = []
    ports: Annotated[tuple[int, int], AfterValidator(_ports)] = (0, 0)
    advertise: Ip | None = None
    servers: list[IceServer] = []
    ask_servers: bool = False


FlowName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,59}$")]


class Phone(_Strict):
    """The phone page at `/`: who may call with it, and which flows. `local` is this machine alone; with
    `open` anybody may who reaches the server, a few calls a minute from one address, and the flows are named:
    a flow that trusts its parameters is not for everybody."""

    access: Literal["off", "local", "open"] = "local"
    flows: list[FlowName] | Literal["all"] = "all"

    @model_validator(mode="after")
    def _named(self) -> Phone:
        if self.access == "open" and self.flows == "all":
            raise ValueError("name the flows that anybody may call, as flows: [vendor-order]")
        return self

    def offers(self, flow: str) -> bool:
        """Whether the page may call the flow."""
        return self.flows == "all" or flow in self.flows


class Web(_Strict):
    """Calls by the web. A token is good for `session_s` at most; `sessions` of them may wait at once. A
    caller whose page is gone may come back for `reconnect_s`. `origins` are the pages of other sites that may
    call; our own always may."""

    phone: Phone = Phone()
    ice: WebIce = WebIce()
    connect_s: float = Field(default=10.0, gt=0, le=60)
    reconnect_s: float = Field(default=10.0, ge=0, le=120)
    session_s: float = Field(default=300.0, ge=10, le=3600)
    sessions: int = Field(default=10_000, ge=1)
    origins: list[Annotated[str, AfterValidator(_origin)]] = []
