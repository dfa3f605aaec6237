"""How every trunk stands: its probes and its registration, started, stopped and put into one state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final

from sip.endpoint import Endpoint
from sip.prober import Prober
from sip.registrar import Registrar
from sip.stack import TrunkState
from sip.tls import ClientTls
from sip.trunks import Trunk

log = logging.getLogger(__name__)

RESTART_S: Final = 5.0
"""Pause before a watch that broke off begins again."""


class TrunkWatch:
    """Between `start` and `leave`."""

    def __init__(
        self,
        trunks: Mapping[str, Trunk],
        endpoint: Endpoint,
        learn: Callable[[str, Iterable[str]], None],
    ) -> None:
        """`learn` takes a trunk's name and the IP addresses of its registrar. Raises ValueError for a
        registrar that makes no sense, naming the trunk."""
        self._trunks: Final = trunks
        self._endpoint: Final = endpoint
        self._probers: dict[str, Prober] = {}
        self._registrars: dict[str, Registrar] = {}
        self._tasks: list[asyncio.Task[None]] = []
        for name, trunk in trunks.items():
            try:
                proxy = trunk.proxy_uri()
                if proxy is not None and trunk.options_s > 0:
                    self._probers[name] = Prober(name, trunk, proxy, endpoint)
                if trunk.registration is not None:
                    self._registrars[name] = Registrar(
                        name, trunk, trunk.registration, endpoint, partial(learn, name)
                    )
            except ValueError as error:
                raise ValueError(f"trunk {name}: {error}") from error

    def start(self) -> None:
        """Reads the certificates that trunks name, and sets out; raises OSError that names a file."""
        for name, trunk in self._trunks.items():
            if trunk.tls == ClientTls() and not _by_tls(trunk):
                continue  # the system's authorities are many; who needs them not should not wait for them
            try:
                self._endpoint.transports.trust(trunk.tls)
            except OSError as error:
                raise OSError(f"trunk {name}: {error}") from error
        loop = asyncio.get_running_loop()
        running = [(name, one.run) for name, one in self._probers.items()]
        running += [(name, one.run) for name, one in self._registrars.items()]
        self._tasks = [loop.create_task(_kept_up(name, run)) for name, run in running]

    async def leave(self) -> None:
        """Ends the probes, and sends for every registration that it is to end."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for registrar in self._registrars.values():
            registrar.leave()

    def state(self, name: str) -> TrunkState:
        """How a trunk stands now."""
        prober, registrar = self._probers.get(name), self._registrars.get(name)
        probe = None if prober is None else prober.probe
        up = None if probe is None else probe.up
        reason = "" if probe is None else probe.reason
        registered = None if registrar is None else registrar.registered
        if registrar is not None:
            if not registered:
                reason = "; ".join(part for part in (reason, f"not registered: {registrar.reason}") if part)
            up = bool(registered) if up is None else up and bool(registered)
        seen = next((one.seen_as for one in (registrar, probe) if one is not None and one.seen_as), None)
        return TrunkState(
            up=up,
            reason=reason,
            registered=registered,
            rtt_ms=None if probe is None else probe.rtt_ms,
            targets=() if probe is None else probe.targets,
            seen_as=seen,
        )


async def _kept_up(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Whatever goes wrong once (no file descriptor is left, say) ends no registration for good."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("the watch over trunk %s broke off; it begins again", name)
        await asyncio.sleep(RESTART_S)


def _by_tls(trunk: Trunk) -> bool:
    proxy = trunk.proxy_uri()
    return proxy is not None and (proxy.scheme == "sips" or (proxy.param("transport") or "").lower() == "tls")
