"""Mosquitto as a process of a test: killed and started again, with passwords, TLS and access rules; and a
subscriber that keeps what arrives."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.interop import needs

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str = "mosquitto") -> str:
    """Debian keeps the broker where only root looks."""
    os.environ["PATH"] += "" if "/usr/sbin" in os.environ["PATH"] else f":{_SBIN}"
    return needs.command(name, "mosquitto")


class Mosquitto:
    """A broker on a port of loopback that stays the same when it is started again."""

    def __init__(self, folder: Path, port: int, *settings: str) -> None:
        self.port = port
        self._folder = folder
        self._settings = settings or ("allow_anonymous true",)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it takes connections."""
        config = self._folder / "mosquitto.conf"
        lines = (
            f"listener {self.port} 127.0.0.1",
            *self._settings,
            "persistence true",
            f"persistence_location {self._folder}/",
            "max_queued_messages 0",
            "queue_qos0_messages true",
            "user root",
        )
        config.write_text("\n".join(lines) + "\n")
        self._process = await asyncio.create_subprocess_exec(
            program(), "-c", str(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(30):
            while True:
                assert self._process.returncode is None, "mosquitto did not start"
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.01)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGTERM lets it save what it has, SIGKILL does not."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            async with asyncio.timeout(30):
                await self._process.wait()


@asynccontextmanager
async def mosquitto_at(folder: Path, *settings: str) -> AsyncIterator[Mosquitto]:
    """A broker on a free port; gone when the block is left."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    broker = Mosquitto(folder, free_port(), *settings)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


class Subscriber:
    """Gets all topics of a broker, in a session that outlives both sides; connects again and again."""

    def __init__(self, port: int, **options: Any) -> None:
        self._port = port
        self._options = options
        self._changed = asyncio.Condition()
        self._here = False
        self.messages: list[tuple[str, dict[str, Any]]] = []
        """Topic and envelope, repetitions included."""

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        """The envelopes in the order of their first arrival, those with these fields."""
        first: dict[str, dict[str, Any]] = {}
        for _, event in self.messages:
            first.setdefault(event["id"], event)
        return [e for e in first.values() if all(e[name] == value for name, value in wanted.items())]

    async def run(self) -> None:
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        while True:
            with suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, identifier="watcher", protocol=aiomqtt.ProtocolVersion.V5,
                    clean_start=False, properties=session, **self._options,
                ) as client:  # fmt: skip
                    # Mosquitto sends to subscribers before it acknowledges. One that acknowledges too would
                    # fail at that when the broker is killed, and leave unread what it has been sent.
                    await client.subscribe("#", qos=0)
                    await self._is_here(True)
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        self.messages.append((str(message.topic), json.loads(message.payload)))
                        await self._is_here(True)
            await self._is_here(False)
            await asyncio.sleep(0.02)

    async def _is_here(self, here: bool) -> None:
        async with self._changed:
            self._here = here
            self._changed.notify_all()

    async def until_here(self) -> None:
        await self.until(lambda: self._here)

    async def until_gone(self) -> None:
        await self.until(lambda: not self._here)

    async def until(self, ready: Any, within_s: float = 60.0) -> None:
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(ready)


@asynccontextmanager
async def subscribed(port: int, **options: Any) -> AsyncIterator[Subscriber]:
    """A subscriber whose subscription holds."""
    subscriber = Subscriber(port, **options)
    task = asyncio.create_task(subscriber.run())
    try:
        await subscriber.until_here()
        yield subscriber
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
