"""A connection to the MQTT broker, by aiomqtt: MQTT 5, QoS 1, a clean session.

What is on its way when a connection is lost is the store's to send again, so each connection is a client of
its own and nothing is carried over.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.client import MQTT_ERR_SUCCESS
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ivr.config import Broker, ConfigError

CONNECT_S: Final = 10.0
KEEPALIVE_S: Final = 30
_LEAVE_S: Final = 2.0
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

# What a broker blames on the packet that it got last (MQTT 5, 4.13).
_BLAMES: Final = frozenset((0x81, 0x82, 0x90, 0x93, 0x94, 0x95, 0x99, 0x9B))

_UNSPECIFIED: Final = 0x80


class BrokerLost(Exception):
    """There is no connection (any more). `blames`: the broker says that what we sent is the cause."""

    def __init__(self, reason: str, *, blames: bool = False) -> None:
        super().__init__(reason)
        self.blames = blames


class Connection:
    """One connection, from when the broker has accepted it."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    async def publish(self, topic: str, payload: bytes, within_s: float) -> str | None:
        """Returns once the broker has taken it, or with the reason for which it never will. Sent at the
        first step, so that tasks made in order publish in order. Raises `BrokerLost`."""
        try:
            async with asyncio.timeout(within_s):
                code = await self._client.acknowledged(topic, payload)
        except TimeoutError:
            raise BrokerLost(f"no acknowledgement within {within_s:g} s") from None
        except aiomqtt.MqttError as error:
            raise _lost(error) from error
        except ValueError as error:  # paho's word for a topic or a payload that no packet can carry
            return str(error)
        return str(code) if code.is_failure else None

    async def lost(self) -> BrokerLost:
        """Returns when the connection is gone, with the reason; what is under way fails with it."""
        reason = BrokerLost("disconnected")
        try:
            async for _ in self._client.messages:
                pass  # nothing is subscribed to
        except aiomqtt.MqttError as error:
            reason = _lost(error)
        self._client.give_up(reason)
        return reason


class Connector:
    """Makes connections as the configuration says."""

    def __init__(self, broker: Broker) -> None:
        """Raises `ConfigError` when a certificate or key cannot be read."""
        self._broker = broker
        url = urlsplit(broker.url)
        self._secure = url.scheme == "mqtts"
        self._host = url.hostname or ""
        self._port = url.port or PORTS[url.scheme]
        self._client_id = broker.client_id or f"ivr-{token_hex(6)}"
        if self._secure:
            try:
                self._context()
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"broker.tls: {error}") from error

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection for the block. Raises `BrokerLost` when there is none to be had."""
        try:
            # Renewed certificates are taken at the next connection.
            context = await asyncio.to_thread(self._context) if self._secure else None
        except (OSError, ssl.SSLError) as error:
            raise BrokerLost(f"tls: {error}") from error
        client = _Client(
            self._host,
            self._port,
            username=self._broker.username,
            password=self._broker.password,
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=CONNECT_S,
            keepalive=KEEPALIVE_S,
            tls_context=context,
        )
        await _enter(client)
        try:
            yield Connection(client)
        finally:
            await _leave(client)

    def _context(self) -> ssl.SSLContext:
        tls = self._broker.tls
        context = ssl.create_default_context(cafile=None if tls.ca is None else str(tls.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
        return context


async def _enter(client: _Client) -> None:
    """Raises `BrokerLost`. aiomqtt connects in a thread, which cannot be cut off: cut off itself, it waits a
    moment for it, so that no connection is left behind."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        await asyncio.wait((entering,), timeout=_LEAVE_S)
        if not entering.cancel() and entering.exception() is None:
            await _leave(client)
        raise
    except aiomqtt.MqttError as error:
        raise _lost(error) from error
    except ValueError as error:  # such as a host that no resolver takes
        raise BrokerLost(str(error)) from error


async def _leave(client: _Client) -> None:
    with suppress(aiomqtt.MqttError, TimeoutError):
        async with asyncio.timeout(_LEAVE_S):
            await client.__aexit__(None, None, None)
    client.forget()


class _Client(aiomqtt.Client):
    """aiomqtt takes any PUBACK for an acceptance; here its reason code counts (MQTT 5, 3.4.2.1)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._codes: dict[int, asyncio.Future[ReasonCode]] = {}

    async def acknowledged(self, topic: str, payload: bytes) -> ReasonCode:
        """Publishes with QoS 1; gives the code of the PUBACK."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1
        sent = self._client.publish(topic, payload, qos=1, properties=properties)
        if sent.rc != MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttCodeError(sent.rc, "could not publish")
        code: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._codes[sent.mid] = code
        try:
            return await code
        finally:
            del self._codes[sent.mid]

    def _on_disconnect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        """aiomqtt would wait for the CONNACK of a broker that has hung up."""
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttCodeError(reason_code, "no CONNACK"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def give_up(self, reason: BrokerLost) -> None:
        """No PUBACK will come any more."""
        for code in self._codes.values():
            if not code.done():
                code.set_exception(reason)

    def forget(self) -> None:
        """Why it was disconnected was told, or nobody asks."""
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        code = self._codes.get(mid)
        if code is not None and not code.done():
            code.set_result(reason_code)


def _lost(error: BaseException) -> BrokerLost:
    cause = error.__cause__ if isinstance(error.__cause__, aiomqtt.MqttCodeError) else error
    code = getattr(cause, "rc", None)
    if isinstance(code, ReasonCode):
        # What paho says when the broker says nothing.
        reason = "the connection was lost" if code.value == _UNSPECIFIED else str(code)
        return BrokerLost(reason, blames=code.value in _BLAMES)
    return BrokerLost(str(cause) or type(cause).__name__)
