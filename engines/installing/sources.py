"""Which files a source of weights has, with their sizes and checksums: asked of the hub or of GitHub.

The hub lists a sha256 for large files and git's own blob hash for small ones; a release has a sha256 of each
asset (its `digest`), a repository on GitHub git's hash of every file. What is fetched over one connection is
so checked against what another one promised.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import httpx

from engines.catalogue import Hub, Release, Repository, Source

HUB: Final = "https://huggingface.co"
GITHUB: Final = "https://api.github.com"
RAW: Final = "https://raw.githubusercontent.com"

_PAGES: Final = 50


class InstallError(Exception):
    """Something could not be installed; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """`kind` is sha256, or git-sha1: that of a git blob with the file's content."""

    kind: str
    hex: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`path` is where it goes, below the folder of the weights; `size` in bytes. No checksum: the source
    tells none. `token` is for this source alone."""

    path: str
    url: str
    size: int
    checksum: Checksum | None
    token: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return _bearer(self.token)


@dataclass(frozen=True, slots=True)
class Bases:
    """Where hub, releases and repositories are asked, and files of repositories (`raw`) fetched; mirrors, or
    a server of the tests. `token` is the hub's: nobody else gets it, also not whom it redirects to (httpx
    drops it on the way to another host)."""

    hub: str = HUB
    github: str = GITHUB
    raw: str = RAW
    token: str | None = field(default=None, repr=False)


async def files_of(client: httpx.AsyncClient, source: Source, bases: Bases) -> list[RemoteFile]:
    """Raises `InstallError` when the source cannot be read or has none of the files."""
    try:
        match source:
            case Hub():
                found = await _hub_files(client, source, bases.hub.rstrip("/"), bases.token)
            case Release():
                found = await _release_files(client, source, bases.github.rstrip("/"))
            case Repository():
                found = await _repository_files(client, source, bases)
    except httpx.HTTPError as error:
        raise InstallError(f"{source.repository}: {error or type(error).__name__}") from error
    missing = [p for p in source.files if not any(fnmatch(file.path, p) for file in found)]
    if not found or missing:
        raise InstallError(f"{source.repository} has no {', '.join(missing) or 'files'}")
    if isinstance(source, Repository):
        return [replace(file, path=f"{source.folder}/{PurePosixPath(file.path).name}") for file in found]
    if isinstance(source, Hub) and source.folder:
        return [replace(file, path=f"{source.folder}/{file.path}") for file in found]
    return found


async def _hub_files(
    client: httpx.AsyncClient, source: Hub, base: str, token: str | None
) -> list[RemoteFile]:
    headers = _bearer(token)
    # A branch may move between the listing and the last file: what it is now is what is fetched.
    response = await client.get(
        f"{base}/api/models/{source.repository}/revision/{quote(source.revision, safe='')}", headers=headers
    )
    _check(response, source.repository)
    revision = str(response.json()["sha"])
    url = f"{base}/api/models/{source.repository}/tree/{revision}?recursive=true"
    found: list[RemoteFile] = []
    for _ in range(_PAGES):
        response = await client.get(url, headers=headers)
        _check(response, source.repository)
        for entry in response.json():
            path = str(entry["path"])
            if entry["type"] == "file" and any(fnmatch(path, pattern) for pattern in source.files):
                address = f"{base}/{source.repository}/resolve/{revision}/{quote(path)}"
                size = int(entry["size"])
                found.append(RemoteFile(_safe(path), address, size, _hub_checksum(entry), token))
        url = response.links.get("next", {}).get("url", "")
        if not url:
            break
    return found


def _hub_checksum(entry: dict[str, Any]) -> Checksum | None:
    large = entry.get("lfs")
    if large:
        return Checksum("sha256", str(large["oid"]).removeprefix("sha256:"))
    return Checksum("git-sha1", str(entry["oid"])) if entry.get("oid") else None


async def _release_files(client: httpx.AsyncClient, source: Release, base: str) -> list[RemoteFile]:
    response = await client.get(f"{base}/repos/{source.repository}/releases/tags/{quote(source.tag)}")
    _check(response, source.repository)
    found = []
    for asset in response.json()["assets"]:
        name = str(asset["name"])
        if any(fnmatch(name, pattern) for pattern in source.files):
            kind, _, digest = str(asset.get("digest") or "").partition(":")
            checksum = Checksum("sha256", digest) if kind == "sha256" else None
            found.append(RemoteFile(_safe(name), asset["browser_download_url"], int(asset["size"]), checksum))
    return found


async def _repository_files(client: httpx.AsyncClient, source: Repository, bases: Bases) -> list[RemoteFile]:
    base = f"{bases.github.rstrip('/')}/repos/{source.repository}"
    response = await client.get(f"{base}/commits/{quote(source.revision, safe='')}")
    _check(response, source.repository)
    commit = str(response.json()["sha"])
    response = await client.get(f"{base}/git/trees/{commit}?recursive=1")
    _check(response, source.repository)
    listed = response.json()
    found = []
    for entry in listed["tree"]:
        path = _safe(str(entry["path"]))
        if entry["type"] == "blob" and any(fnmatch(path, pattern) for pattern in source.files):
            address = f"{bases.raw.rstrip('/')}/{source.repository}/{commit}/{quote(path)}"
            checksum = Checksum("git-sha1", str(entry["sha"]))
            found.append(RemoteFile(path, address, int(entry["size"]), checksum))
    return found


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _check(response: httpx.Response, repository: str) -> None:
    if response.status_code in (401, 403):
        raise InstallError(
            f"{repository} may not be read: accept its terms on its page, and set HF_TOKEN to a token of "
            "yours"
        )
    if response.status_code == 404:
        raise InstallError(f"{repository} is not there")
    response.raise_for_status()


def _safe(path: str) -> str:
    """A listing must not write outside of its folder."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise InstallError(f"the listing names a file {path!r}")
    return str(parts)
