"""The part of the configuration about calls that come as streams of Exotel's."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _network(text: str) -> str:
    ip_network(text, strict=False)
    return text


def _chunk(ms: int) -> int:
    if ms % 20:
        raise ValueError("a chunk is made of frames of 20 ms: write a multiple of 20")
    return ms


Network = Annotated[str, AfterValidator(_network)]
StreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class ExotelStream(_Strict):
    """A Voicebot applet's stream, `/ws/exotel/NAME`. Without a `flow` the called number decides, as `numbers`
    says. `params` are the flow's, under those that the applet's custom parameters give. `chunk_ms` is how
    long the pieces are that audio is sent in; without it they have 3,200 bytes, the least that Exotel's pages
    allow. `connects`: a Connect applet follows, which asks us whom the flow transfers the caller to."""

    flow: str | None = None
    params: dict[str, Any] = {}
    language: str | None = None
    chunk_ms: Annotated[int, Field(ge=20, le=2000), AfterValidator(_chunk)] | None = None
    connects: bool = False


class Exotel(_Strict):
    """Who may come: addresses in `allow`, and who shows one of `keys` (name: token, as in
    `wss://name:token@host`) or has asked with the `secret` in the address; what is written here must all be
    met. `proxies` are ours, whose `X-Forwarded-For` is believed. `public_url` is where Exotel reaches us, as
    wss://voice.example; without it, where its request came to."""

    streams: dict[StreamName, ExotelStream] = {}
    keys: dict[str, Annotated[str, Field(min_length=16)]] = Field(default={}, repr=False)
    secret: str | None = Field(default=None, min_length=16, repr=False)
    allow: list[Network] = []
    proxies: list[Network] = []
    public_url: Annotated[str, Field(pattern=r"^wss?://[^\s/]+$")] | None = None

    @model_validator(mode="after")
    def _guarded(self) -> Exotel:
        if self.streams and not (self.keys or self.secret or self.allow):
            raise ValueError("say who may come: set keys, secret or allow")
        return self
