"""The files of the phone page and of `client.js`: read once, and served with what browsers are to know: what
the page may do, and when to ask again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

INDEX: Final = "index.html"
CLIENT: Final = ("client.js", "client/")
"""What pages of others embed; all else is of our own page."""

_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_SAFE: Final = {
    "Cache-Control": "no-cache",  # kept, and asked for by its ETag
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_PAGE: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    kind: str
    etag: str


def assets() -> Mapping[str, Asset]:
    """All files, by their path beneath `/static/`."""
    return dict(_read(files("webrtc") / "static", ""))


def pages(phone: bool) -> APIRouter:
    """`/` and `/static/`; without the `phone` page `client.js` alone is there."""
    router = APIRouter(include_in_schema=False)
    known = {path: asset for path, asset in assets().items() if phone or path.startswith(CLIENT)}

    @router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
    async def static(path: str, request: Request) -> Response:
        return _answer(known.get(path), request, _SAFE)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return _answer(known.get(INDEX), request, _SAFE | _PAGE)

    return router


def _answer(asset: Asset | None, request: Request, headers: Mapping[str, str]) -> Response:
    if asset is None:
        raise HTTPException(404)
    headers = {**headers, "ETag": asset.etag}
    asked = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if asset.etag in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.kind, headers=headers)


def _read(folder: Traversable, under: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        path = under + entry.name
        if entry.is_dir():
            yield from _read(entry, f"{path}/")
        elif (kind := _KINDS.get(path.rpartition(".")[2])) is not None:
            body = entry.read_bytes()
            yield path, Asset(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
