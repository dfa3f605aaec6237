"""The speech services as deployments of Ray: the graph wherever Ray is installed; by `make cluster` a real
cluster of two replicas each, of which one is killed under load.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

from engines.asr.client import ServiceRecognizer
from engines.catalogue import find
from engines.contract import EngineUnavailable, RecognitionRequest, SpeechRequest
from engines.tts.remote import RemoteSynthesizer
from ivr.config import Config, ConfigError
from tests.fakes.speech import spoken
from tests.interop.ports import free_tcp

ray_serve = pytest.importorskip("deploy.ray_serve", reason="Ray is not installed: make cluster")

START_S = 180
CALLERS = 8
AFTERWARDS = 40
"""Requests that are still asked for when a replica has been killed."""


def test_the_graph_is_what_the_configuration_says(tmp_path: Path) -> None:
    replicas = {"least": 2, "most": 6, "busy": 4, "per_gpu": 3, "cpus": 0.5}
    config = Config.model_validate({"services": {"asr": {"streams": 50, "replicas": replicas}}})
    asr = ray_serve.application("asr", config)._bound_deployment
    assert asr.ray_actor_options["num_gpus"] == pytest.approx(1 / 3)
    assert asr.ray_actor_options["num_cpus"] == 0.5
    scaling = asr._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 6, 4)
    assert asr.max_ongoing_requests == 51
    tts = ray_serve.tts(ray_serve.Arguments())._bound_deployment
    assert tts.ray_actor_options["num_gpus"] == 0
    wrong = tmp_path / "ivr.yaml"
    wrong.write_text("services: {tts: {replicas: {least: 3, most: 2}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"services\.tts\.replicas: .*most \(2\) is under least \(3\)"):
        ray_serve.tts(ray_serve.Arguments(config=wrong))


@dataclass
class Cluster:
    url: str
    process: psutil.Popen

    def replicas(self, service: str) -> list[psutil.Process]:
        found = []
        for process in self.process.children(recursive=True):
            try:
                if f"ServeReplica:{service}:" in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    def kill_one(self, service: str) -> None:
        replicas = self.replicas(service)
        assert len(replicas) == 2
        replicas[0].kill()

    async def whole_again(self, service: str) -> None:
        async with asyncio.timeout(START_S):
            while len(self.replicas(service)) != 2:
                await asyncio.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    two = {"least": 2, "most": 2, "cpus": 0.2}
    three = {**two, "most": 3, "busy": 6}
    config = {
        "store": {"path": str(tmp_path / "var")},
        "services": {"asr": {"replicas": three}, "tts": {"replicas": two}},
    }
    path = tmp_path / "ivr.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    port = free_tcp()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = psutil.Popen(
            [sys.executable, "-m", "deploy.ray_serve", "--config", str(path), "--port", str(port)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            start_new_session=True,
        )
    try:
        _wait_for_line(process, log, "tts at ")
        yield Cluster(f"http://127.0.0.1:{port}", process)
    finally:
        try:
            process.terminate()
            process.wait(START_S)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            for each in (*process.children(recursive=True), process):
                each.kill()


def _wait_for_line(process: psutil.Popen, log: Path, line: str) -> None:
    deadline = time.monotonic() + START_S
    while line not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(log.read_text(errors="replace")[-4000:])
        try:
            process.wait(0.2)
        except psutil.TimeoutExpired:
            continue


@pytest.mark.cluster
@pytest.mark.timeout(600)
async def test_one_of_two_replicas_is_killed_under_load(cluster: Cluster) -> None:
    """Whole speech, streams of speech and turns of callers: all is answered, save what was being heard."""
    await speech_is_whole(cluster)
    await streams_begin(cluster)
    await turns_are_understood(cluster)
    await another_comes_for_many(cluster)
    await it_ends_in_order(cluster)


async def speech_is_whole(cluster: Cluster) -> None:
    """By OpenAI's own client, which asks again when a server fails."""
    async with httpx.AsyncClient(base_url=cluster.url) as plain:
        assert 'src="/tts/docs/assets/swagger-ui-bundle.js"' in (await plain.get("/tts/docs")).text
        assert (await plain.get("/tts/docs/assets/swagger-ui.css")).status_code == 200
    client = AsyncOpenAI(base_url=f"{cluster.url}/tts/v1", api_key="none", max_retries=3)
    asked: list[int] = []
    killed = asyncio.Event()

    async def caller() -> None:
        while not killed.is_set() or len(asked) < AFTERWARDS:
            asked.append(1)
            answer = await client.audio.speech.create(
                model="tts-1", voice="alloy", input="Your order is ready.", response_format="wav"
            )
            assert answer.content[:4] == b"RIFF"
            assert len(answer.content) > 20_000

    async with client, asyncio.timeout(START_S), asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
        while len(asked) < CALLERS:
            await asyncio.sleep(0.01)
        cluster.kill_one("tts")
        asked.clear()
        killed.set()
    await cluster.whole_again("tts")


async def streams_begin(cluster: Cluster) -> None:
    """By the gateway's client: asked again before the first sound. A stream that was heard breaks off, and
    the caller's chain decides.
    """
    engine = RemoteSynthesizer(find("espeak"), f"{cluster.url}/tts")
    await engine.start()
    begun = broken = 0
    killed = asyncio.Event()

    async def caller() -> None:
        nonlocal begun, broken
        while not killed.is_set() or begun < AFTERWARDS:
            request = SpeechRequest("Your order is ready. The rider is on the way. Thank you.", "en")
            heard = 0
            try:
                async with aclosing(engine.synthesize(request, deadline_s=60)) as sound:
                    async for chunk in sound:
                        heard += len(chunk)
            except EngineUnavailable:
                assert heard > 0, "nothing was heard, and yet it failed"
                broken += 1
            else:
                assert heard > 2 * 8000
            begun += 1

    async with asyncio.timeout(START_S), asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
        while begun < CALLERS:
            await asyncio.sleep(0.01)
        cluster.kill_one("tts")
        begun = 0
        killed.set()
    assert broken <= CALLERS
    await engine.close()
    await cluster.whole_again("tts")


async def turns_are_understood(cluster: Cluster) -> None:
    """By the gateway's client, over the WebSocket: what a lost turn had said is said to the other one."""
    engine = ServiceRecognizer(find("pocketsphinx"), f"{cluster.url}/asr", None)
    await engine.start()
    pcm = bytes(4800) + spoken("yes", "en") + bytes(9600)
    turns = 0
    killed = asyncio.Event()

    async def caller() -> None:
        nonlocal turns
        while not killed.is_set() or turns < AFTERWARDS:
            stream = engine.open(RecognitionRequest("en", 8000, ("yes", "no")))
            for at in range(0, len(pcm), 320):
                stream.write(pcm[at : at + 320])
                await asyncio.sleep(0.005)
            assert (await stream.finish(deadline_s=60)).text == "yes"
            turns += 1

    async with asyncio.timeout(START_S), asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
        while turns < 2:
            await asyncio.sleep(0.01)
        cluster.kill_one("asr")
        turns = 0
        killed.set()
    await engine.close()
    await cluster.whole_again("asr")


async def another_comes_for_many(cluster: Cluster) -> None:
    """Open streams count as work."""
    async with AsyncExitStack() as open_sockets:
        for _ in range(20):
            await open_sockets.enter_async_context(
                connect(f"ws{cluster.url.removeprefix('http')}/asr/ws/stream")
            )
        async with asyncio.timeout(START_S):
            while len(cluster.replicas("asr")) != 3:
                await asyncio.sleep(0.1)


async def it_ends_in_order(cluster: Cluster) -> None:
    """On SIGTERM what is under way is finished, a turn that is being said, too."""
    said = {"type": "start", "language": "en", "phrases": ["yes", "no"], "endpointing": False}
    async with (
        httpx.AsyncClient(base_url=cluster.url, timeout=60) as client,
        connect(f"ws{cluster.url.removeprefix('http')}/asr/ws/stream") as socket,
    ):
        await socket.send(json.dumps(said))
        assert json.loads(await socket.recv())["type"] == "ready"
        await socket.send(spoken("yes", "en"))
        assert json.loads(await socket.recv())["type"] == "began"
        cluster.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(START_S):
            while (await client.get("/tts/health/live")).status_code == 200:
                await asyncio.sleep(0.05)
            await socket.send('{"type": "stop"}')
            while (message := json.loads(await socket.recv()))["type"] != "final":
                pass
        assert message["text"] == "yes"
    assert await asyncio.to_thread(cluster.process.wait, START_S) == 0
