"""Flows that change while calls run."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ivr.config import Config
from ivr.library import LibraryError
from ivr.server import running
from tests.server.conftest import KEY, ROOT, Bench, OpenBench, settings

SCOPES = ["calls:read", "metrics:read", "flows:read", "flows:write"]


def menu(says: str) -> str:
    return f"""flow: menu
languages: [en]
limits: {{visits: 1}}
start: ask
steps:
  ask: {{menu: {{prompt: {{en: "{says}"}}, choices: {{one: {{key: "1", next: bye}}}}, retry: {{wait: 60s}},
    otherwise: bye}}}}
  bye: {{end: normal}}
"""


def changed(folder: Path) -> dict[str, Any]:
    return {
        "flows": str(folder),
        "numbers": {"1001": {"flow": "menu"}},
        "api": {"port": 0, "keys": {"test": {"key": KEY, "scopes": SCOPES}}},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "menu.yaml").write_text(menu("First."), encoding="utf-8")
    return folder


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def shown(b: Bench, name: str = "menu") -> dict[str, Any]:
    flow: dict[str, Any] = (await b.api.get(f"/api/flows/{name}")).json()
    return flow


async def test_a_changed_file_answers_new_calls_and_live_ones_keep_theirs(
    bench: OpenBench, folder: Path
) -> None:
    async with bench(**changed(folder)) as b:
        before = (await shown(b))["hash"]
        old = await b.phone.call(b.uri)
        await old.until_answered(10)
        (folder / "menu.yaml").write_text(menu("Second."), encoding="utf-8")

        async def replaced() -> bool:
            return (await shown(b))["hash"] != before

        await until(replaced)
        flow = await shown(b)
        assert (flow["by"], flow["calls"], flow["calls_behind"]) == ("file", 1, 1)
        new = await b.phone.call(b.uri)
        await new.until_answered(10)
        records = (await b.api.get("/api/voice/calls")).json()["calls"]
        hashes = [(await b.record(record["href"]))["flow_hash"] for record in records]
        assert hashes == [flow["hash"], before]
        for call in (old, new):
            assert call.ended is None
            await call.hang_up()


async def test_a_broken_file_leaves_the_old_version_in_place_and_is_told_everywhere(
    bench: OpenBench, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(**changed(folder)) as b:
        before = (await shown(b))["hash"]
        (folder / "menu.yaml").write_text(menu("Second.").replace("next: bye", "next: by"), encoding="utf-8")

        async def behind() -> bool:
            return (await shown(b))["state"] == "behind"

        await until(behind)
        flow = await shown(b)
        assert flow["hash"] == before
        assert flow["problems"][0]["hint"] == 'did you mean "bye"?'
        assert "menu.yaml:6:" in caplog.text
        metrics = (await b.api.get("/metrics")).text
        assert re.search(r'ivr_flow_problems\{file="menu.yaml",flow="menu"\} [1-9]', metrics)
        assert 'ivr_flows{state="behind"} 1.0' in metrics
        call = await b.phone.call(b.uri)
        await call.until_answered(10)
        assert (await b.record())["flow_hash"] == before
        await call.hang_up()


async def test_after_a_restart_the_last_good_version_stands_in_for_a_broken_file(
    tmp_path: Path, folder: Path
) -> None:
    config = Config.model_validate(settings(tmp_path, **changed(folder)))
    async with running(config) as server:
        before = server.library.entry("menu")
    (folder / "menu.yaml").write_text("flow: menu\nsteps: [", encoding="utf-8")
    async with running(config) as server:
        entry = server.library.entry("menu")
        assert entry is not None
        assert before is not None
        assert entry.version is not None
        assert before.version is not None
        assert (entry.state, entry.version.hash, entry.since) == ("behind", before.version.hash, before.since)
    (folder / "menu.yaml").unlink()
    async with running(config) as server:
        entry = server.library.entry("menu")
        assert entry is not None
        assert entry.problems[0].message == "the flow 'menu' is gone, and number 1001 needs it"


async def test_a_number_without_a_flow_stops_the_start_and_a_broken_flow_of_no_number_does_not(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "other.yaml").write_text("flow: other\n", encoding="utf-8")
    config = Config.model_validate(settings(tmp_path, **changed(folder)))
    async with running(config) as server:
        entry = server.library.entry("other")
        assert entry is not None
        assert entry.state == "broken"
        assert server.library.names == ("menu",)
    fresh = settings(tmp_path / "fresh", **changed(folder))
    (folder / "menu.yaml").write_text(menu("First.").replace("bye:", "by:"), encoding="utf-8")
    with pytest.raises(LibraryError, match=r"menu\.yaml:6:"):
        async with running(Config.model_validate(fresh)):
            pass


async def test_a_server_without_numbers_takes_its_flows_when_they_come(tmp_path: Path, folder: Path) -> None:
    late = tmp_path / "late"
    config = Config.model_validate(settings(tmp_path, flows=str(late), numbers={}))
    async with running(config) as server:
        assert server.library.names == ()
        folder.rename(late)  # noqa: ASYNC240 - a test may block

        async def there() -> bool:
            return server.library.names == ("menu",)

        await until(there)


async def test_a_reader_that_dies_is_replaced_and_no_change_is_lost(bench: OpenBench, folder: Path) -> None:
    async with bench(**changed(folder)) as b:
        reader = b.server.flows._reader

        async def up() -> bool:
            return reader._worker.health.pid is not None  # type: ignore[attr-defined]

        await until(up)
        os.kill(reader._worker.health.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        (folder / "menu.yaml").write_text(menu("Second."), encoding="utf-8")
        before = (await shown(b))["hash"]

        async def replaced() -> bool:
            return (await shown(b))["hash"] != before

        await until(replaced)


async def test_a_put_over_the_api_answers_the_next_call(bench: OpenBench, folder: Path) -> None:
    async with bench(**changed(folder)) as b:
        headers = {"If-Match": (await b.api.get("/api/flows/menu")).headers["etag"]}
        answer = await b.api.put("/api/flows/menu", content=menu("Put."), headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        call = await b.phone.call(b.uri)
        await call.until_answered(10)
        record = await b.record()
        assert record["flow_hash"] == (await shown(b))["hash"]
        await call.hang_up()


@contextmanager
def serving(
    config: Path, announced: Path, log: Path, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "ivr.cli", "serve", "-c", str(config), "--announce", str(announced)],
            stdin=stdin,
            stdout=file,
            stderr=file,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            yield server
        finally:
            server.terminate()
            server.wait(30)


async def test_a_hang_up_signal_looks_at_once(tmp_path: Path, folder: Path) -> None:
    config = tmp_path / "ivr.yaml"
    config.write_text(yaml.safe_dump(settings(tmp_path, **changed(folder))), encoding="utf-8")
    announced, log = tmp_path / "announced.json", tmp_path / "log"
    with serving(config, announced, log) as server:

        async def ready() -> bool:
            assert server.poll() is None, log.read_text()
            return announced.exists()

        await until(ready)
        api = yaml.safe_load(announced.read_text())["api"]
        async with httpx.AsyncClient(base_url=api, headers={"Authorization": f"Bearer {KEY}"}) as client:

            async def told() -> bool:
                server.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.2)
                return "flows: nothing has changed" in log.read_text()

            await until(told)
            other = menu("New.").replace("flow: menu", "flow: new")
            (folder / "new.yaml").write_text(other, encoding="utf-8")
            server.send_signal(signal.SIGHUP)

            async def added() -> bool:
                return (await client.get("/api/flows/new")).status_code == 200

            await until(added)


async def test_a_server_whose_terminal_was_closed_stops(tmp_path: Path, folder: Path) -> None:
    config = tmp_path / "ivr.yaml"
    config.write_text(yaml.safe_dump(settings(tmp_path, **changed(folder))), encoding="utf-8")
    announced, log = tmp_path / "announced.json", tmp_path / "log"
    terminal, ours = os.openpty()
    with serving(config, announced, log, stdin=ours) as server:
        os.close(ours)

        async def ready() -> bool:
            assert server.poll() is None, log.read_text()
            return announced.exists()

        await until(ready)
        os.close(terminal)
        server.send_signal(signal.SIGHUP)

        async def stopped() -> bool:
            return server.poll() is not None

        await until(stopped)
