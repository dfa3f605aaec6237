"""A server that is killed in the middle of a call: what it acknowledged is there, and what it owes is
delivered."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from ivr.phone.phone import open_phone
from ivr.phone.timeline import Timeline
from tests.server.conftest import KEY, settings


class Receiver:
    """An HTTP server that takes what is posted to it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        lengths = [value for name, value in headers.items() if name.lower() == "content-length"]
        self.bodies.append(json.loads(await reader.readexactly(int(lengths[0]))))
        self.headers.append({name.lower(): value for name, value in headers.items()})
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/results"
    async with server:
        yield receiver


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """`ivr serve` as a process of its own, from when it takes calls."""
    announce = folder / "announce.json"
    announce.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr.cli", "serve", "--config", str(folder / "ivr.yaml")),
        *("--announce", str(announce)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            while not announce.exists():
                assert process.returncode is None, "the server did not start"
                await asyncio.sleep(0.05)
        yield process, json.loads(announce.read_text())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_killed_server_has_lost_nothing_it_acknowledged(tmp_path: Path) -> None:
    async with receiving() as receiver:
        webhook = {"url": receiver.url, "secret": "a-secret-for-tests"}
        config = settings(tmp_path, webhook=webhook)
        (tmp_path / "ivr.yaml").write_text(yaml.safe_dump(config))
        async with serving(tmp_path) as (process, where), open_phone(timeline=Timeline()) as phone:
            call = await phone.call(f"sip:1001@{where['sip'][0].removeprefix('udp:')}")
            await call.until_answered()
            await call.hear()
            await call.press("1")
            # The next prompt is only spoken once the decision is durable.
            await call.quiet(0.5)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert receiver.bodies == []

        async with serving(tmp_path) as (_, where), asyncio.timeout(20):
            while not receiver.bodies:
                await asyncio.sleep(0.05)
            headers = {"Authorization": f"Bearer {KEY}"}
            async with httpx.AsyncClient(base_url=where["api"], headers=headers) as api:
                (call_record,) = (await api.get("/api/voice/calls")).json()["calls"]
                record = (await api.get(call_record["href"])).json()

    assert (record["state"], record["cause"]) == ("ended", "interrupted")
    assert record["result"]["decision"] == "accepted"
    kinds = [event["kind"] for event in record["events"]]
    assert kinds.index("answered") < kinds.index("key") < kinds.index("interrupted")
    (sent,) = receiver.bodies
    assert sent["call"]["result"]["decision"] == "accepted"
    assert receiver.headers[0]["x-signature"].startswith("t=")


HELPLINE = """
flow: helpline
languages: [en]
result: {message: optional text}
limits: {call: 3m, visits: 2}
start: notice
steps:
  notice: {consent: {for: {opt_in: calls}, prompt: {en: "May we?"}, agree: {key: "1"}, refuse: {key: "2"},
                     barge_in: keys}, next: memo, otherwise: memo}
  memo: {record: {prompt: {en: "Speak."}, into: message}, next: bye, otherwise: bye}
  bye: {end: normal}
"""


async def test_a_message_that_a_kill_cut_off_is_there_as_far_as_it_came(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "helpline.yaml").write_text(HELPLINE, encoding="utf-8")
    config = settings(tmp_path, flows=str(tmp_path / "flows"), numbers={"1001": {"flow": "helpline"}})
    (tmp_path / "ivr.yaml").write_text(yaml.safe_dump(config))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with serving(tmp_path) as (process, where), open_phone(timeline=Timeline()) as phone:
        call = await phone.call(f"sip:1001@{where['sip'][0].removeprefix('udp:')}")
        await call.until_answered()
        await call.hear()
        await call.press("1")
        async with httpx.AsyncClient(base_url=where["api"], headers=headers) as api:
            async with asyncio.timeout(30):
                while not (live := (await api.get("/api/voice/calls")).json()["calls"]):
                    await asyncio.sleep(0.05)
                while not (await api.get(live[0]["href"])).json()["messages"]:
                    await asyncio.sleep(0.05)
        await call.dictate(3.5)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async with (
        serving(tmp_path) as (_, where),
        httpx.AsyncClient(base_url=where["api"], headers=headers) as api,
    ):
        record = (await api.get(live[0]["href"])).json()
        assert (record["state"], record["cause"]) == ("ended", "interrupted")
        (message,) = record["messages"]
        assert (message["name"], message["duration_ms"]) == ("memo", None)
        wav = await api.get(message["href"])
        assert wav.status_code == 200
        with wave.open(io.BytesIO(wav.content)) as file:
            assert file.getnframes() > 8000, "at most the last seconds are missing"
            assert len(file.readframes(file.getnframes())) == 2 * file.getnframes(), "its header is right"
        (consent,) = [event["data"] for event in record["events"] if event["kind"] == "consent"]
        assert (consent["name"], consent["granted"], consent["wording"]) == ("calls", True, "May we?")
        assert (await api.delete(record["href"])).status_code == 204
        assert (await api.get(message["href"])).status_code == 404
