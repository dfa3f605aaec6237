"""The part of the configuration about the dashboard."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("write it as https://HOST or https://HOST:PORT, without a path")
    return text.rstrip("/")


def _network(text: str) -> str:
    ip_network(text, strict=False)
    return text


class Admin(BaseModel):
    """`origin` is the address at which browsers reach the dashboard, where a proxy stands before it;
    `proxies` are the addresses whose word about a client's address is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    gateway: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^\s/]+/?$")
    key: str | None = Field(default=None, min_length=16, repr=False)
    users: Path = Path("var/admin.db")
    session_hours: float = Field(default=12.0, gt=0, le=24 * 31)
    idle_minutes: float = Field(default=60.0, ge=1)
    origin: Annotated[str, AfterValidator(_origin)] | None = None
    proxies: list[Annotated[str, AfterValidator(_network)]] = []
