"""The two speech services on a Ray cluster, of one machine or many: the applications of `ivr asr` and
`ivr tts`, each in as many replicas as its load wants.

    python -m deploy.ray_serve --config ivr.yaml         both, at /asr and /tts of one port, until it is ended
    serve run deploy.ray_serve:tts config=ivr.yaml       one of them
    serve deploy cluster.yaml                            both, as docs/cluster.md shows

`services.asr.replicas` and `services.tts.replicas` of the configuration say how many there are, and what each
one takes.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Final

import ray
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from ray import serve

from engines.service.app import Health
from engines.service.serving import DRAIN_S
from ivr.config import Config, ConfigError, load
from ivr.services import asr_service, tts_service
from ivr.speech_config import AsrService, TtsService

SERVICES: Final[dict[str, Callable[[Config], AbstractAsyncContextManager[FastAPI]]]] = {
    "asr": asr_service,
    "tts": tts_service,
}

_PORT: Final = 8000
_HEALTH_EVERY_S: Final = 5.0
_HEALTH_WITHIN_S: Final = 10.0
_ANOTHER_AFTER_S: Final = 5.0
"""Of too much work: a call waits for it."""
_LOOK_BACK_S: Final = 12.0
"""Ray's replicas tell how busy they are every 10 s."""
_LESS_AFTER_S: Final = 300.0
"""Of too little: loading a model again costs more than keeping it."""


class Replica:
    """One process with the service's engines; Ray gives it its GPU, or its part of one."""

    async def __init__(self, service: str, config: Config) -> None:
        """Raises what the service does when its engines do not start; Ray then tries again."""
        self._life = AsyncExitStack()
        self._app = await self._life.enter_async_context(SERVICES[service](config))

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._app

    async def check_health(self) -> None:
        """Asked by Ray, which replaces a replica that fails three times: so long its engines have to come
        back by themselves."""
        health: Health = self._app.state.health()
        if health.reasons:
            raise RuntimeError("; ".join(health.reasons))

    async def __del__(self) -> None:
        await self._life.aclose()


class Arguments(BaseModel):
    """Of the builders. The configuration is read where they run; replicas get it as it was read."""

    model_config = ConfigDict(extra="forbid")

    config: Path | None = None


def asr(arguments: Arguments) -> serve.Application:
    """For `serve run` and `serve deploy`. Raises `ConfigError`."""
    return application("asr", _read(arguments.config))


def tts(arguments: Arguments) -> serve.Application:
    """For `serve run` and `serve deploy`. Raises `ConfigError`."""
    return application("tts", _read(arguments.config))


def application(service: str, config: Config) -> serve.Application:
    """`service` is asr or tts."""
    settings: AsrService | TtsService = getattr(config.services, service)
    replicas = settings.replicas
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name=service,
        ray_actor_options={
            "num_cpus": replicas.cpus,
            "num_gpus": 1 / replicas.per_gpu if replicas.per_gpu else 0,
        },
        autoscaling_config={
            "min_replicas": replicas.least,
            "max_replicas": replicas.most,
            "target_ongoing_requests": replicas.busy,
            "upscale_delay_s": _ANOTHER_AFTER_S,
            "downscale_delay_s": _LESS_AFTER_S,
            "look_back_period_s": _LOOK_BACK_S,
        },
        # The application refuses more by itself, in the shape of its other errors; what Ray holds back waits
        # for a new replica.
        max_ongoing_requests=settings.streams + 1,
        max_queued_requests=settings.streams * replicas.most,
        health_check_period_s=_HEALTH_EVERY_S,
        health_check_timeout_s=_HEALTH_WITHIN_S,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return deployment.bind(service, config)


def start(config: Config, host: str, port: int) -> None:
    """Both services on the cluster of this process, at /asr and /tts; returns when they answer."""
    serve.start(http_options={"host": host, "port": port})
    for service in SERVICES:
        serve.run(application(service, config), name=service, route_prefix=f"/{service}")


def finish() -> None:
    """No new work, what is under way has its time, then nothing is left. A shutdown alone would cut it."""
    for service in SERVICES:
        serve.delete(service, _blocking=False)
    deadline = time.monotonic() + DRAIN_S + _HEALTH_WITHIN_S
    while serve.status().applications and time.monotonic() < deadline:
        time.sleep(0.2)
    serve.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.ray_serve", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument(
        "--config", type=Path, help="the configuration; without it the embedded engines alone"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=_PORT)
    given = parser.parse_args()
    try:
        config = _read(given.config)
    except ConfigError as error:
        raise SystemExit(f"ray_serve: {error}") from error
    # RAY_ADDRESS names a cluster; without it, this machine is one.
    ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, logging_level=logging.WARNING)
    start(config, given.host, given.port)
    # Ray has handlers of its own, which end the process in the middle of its work.
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for service in SERVICES:
        print(f"{service} at http://{given.host}:{given.port}/{service}", flush=True)
    stop.wait()
    print("No new work from here on; what is under way may finish.", flush=True)
    finish()
    ray.shutdown()


def _read(path: Path | None) -> Config:
    return load(path) if path else Config()


if __name__ == "__main__":
    main()
