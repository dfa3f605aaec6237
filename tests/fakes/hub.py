"""A hub of weights on a local port, as the real one answers; it can break off, lie, and refuse."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

COMMIT = "c" * 40
LARGE = 10_000
"""Files from this size on are listed with a sha256."""


@dataclass
class FakeHub:
    """`cuts`: after so many bytes, one answer each, the connection ends without a word. `corrupt`: so many
    answers have a wrong byte. `refuse`: status of every answer. `ranges`: whether it resumes. `gets` counts
    requests of files, `starts` from which byte each was."""

    files: dict[str, bytes]
    cuts: list[int] = field(default_factory=list)
    corrupt: int = 0
    refuse: int = 0
    ranges: bool = True
    gets: Counter[str] = field(default_factory=Counter)
    starts: list[int] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                if "authorization" in headers:
                    self.tokens.add(headers["authorization"])
                if not await self._respond(lines[0].split()[1], headers, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _respond(self, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        if self.refuse:
            return await self._send(writer, self.refuse, b"{}")
        if "/revision/" in path:
            return await self._send(writer, 200, json.dumps({"sha": COMMIT}).encode())
        if "/commits/" in path:
            return await self._send(writer, 200, json.dumps({"sha": COMMIT}).encode())
        if "/git/trees/" in path:
            listed = [entry | {"type": "blob", "sha": entry["oid"]} for entry in self._tree()[1:]]
            return await self._send(writer, 200, json.dumps({"tree": listed}).encode())
        if "/tree/" in path:
            return await self._send(writer, 200, json.dumps(self._tree()).encode())
        if "/releases/tags/" in path:
            return await self._send(writer, 200, json.dumps({"assets": self._assets()}).encode())
        name = path.rpartition(f"/{COMMIT}/")[2].removeprefix("/assets/")
        if name not in self.files:
            return await self._send(writer, 404, b"{}")
        return await self._send_file(name, headers, writer)

    async def _send_file(self, name: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        data = self.files[name]
        found = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        start = int(found[1]) if found and self.ranges else 0
        self.gets[name] += 1
        self.starts.append(start)
        if self.corrupt:
            self.corrupt -= 1
            data = data[:-1] + bytes([data[-1] ^ 1])
        status = 206 if start else 200
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data) - start}\r\n\r\n".encode())
        cut = self.cuts.pop(0) if self.cuts else None
        writer.write(data[start:] if cut is None else data[start : start + cut])
        await writer.drain()
        return cut is None

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> bool:
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    def _tree(self) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = [
            {"type": "directory", "path": "folder", "oid": "0" * 40, "size": 0}
        ]
        for path, data in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            entry: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": blob}
            if len(data) >= LARGE:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
            entries.append(entry)
        return entries

    def _assets(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "size": len(data),
                "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
                "browser_download_url": f"{self.url}/assets/{name}",
            }
            for name, data in self.files.items()
        ]


@asynccontextmanager
async def hub(**files: bytes) -> AsyncIterator[FakeHub]:
    """Its files are named without their dots: `model_bin` is model.bin."""
    fake = FakeHub({name.replace("_", "."): data for name, data in files.items()})
    server = await asyncio.start_server(fake.answer, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield fake
