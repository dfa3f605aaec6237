"""The outbox: a lane for each carrier over one store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from ivr.api.models import CallEnded, CallReport, report
from ivr.config import Broker, ConfigError, Endpoint, Webhook
from ivr.envelope import CALL_ENDED, envelope
from ivr.metrics import Metrics
from ivr.outbox.broker import Connector
from ivr.outbox.http import RESULT, HttpLane
from ivr.outbox.mqtt import MqttLane
from ivr.outbox.tries import Ledger
from ivr.store import CallRecord, Delivery, Store, new_id
from ivr.topics import Topic


class Outbox:
    """`announce` is to be given to `Store.open`, `start` to be called with the store once calls are
    recovered.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        webhook: Webhook | None,
        metrics: Metrics,
        broker: Broker | None = None,
    ) -> None:
        """Raises `ConfigError` when the broker's certificates cannot be read, or a topic cannot be made."""
        self._targets = dict(endpoints)
        if webhook is not None:
            self._targets[RESULT] = Endpoint(url=webhook.url, secret=webhook.secret)
        self._metrics = metrics
        self._connector = None if broker is None else Connector(broker)
        self._topics = {} if broker is None else _topics(broker)
        self._lanes: list[asyncio.Task[None]] = []

    def announce(self, record: CallRecord) -> Sequence[Delivery]:
        """The result of a call that has ended, as its API shape without the events, to whoever is to have
        it."""
        owed: list[Delivery] = []
        call, now = report(record), time.time()
        if RESULT in self._targets:
            body = CallEnded(call=call).model_dump_json()
            owed.append(Delivery(new_id(), record.id, RESULT, body, now))
        if CALL_ENDED in self._topics:
            id = new_id()
            text = envelope(id, CALL_ENDED, now, record.id, record.flow, call.model_dump(mode="json"))
            owed.append(Delivery(id, record.id, CALL_ENDED, text, now, "PUBLISH"))
        return owed

    async def start(self, store: Store) -> None:
        """Begins to deliver, first what an earlier run left."""
        http, mqtt = asyncio.Event(), asyncio.Event()

        def wake() -> None:
            http.set()
            mqtt.set()

        store.on_deliveries(wake)
        by_http = HttpLane(self._targets, store, Ledger("http", store, self._metrics), http)
        ledger = Ledger("mqtt", store, self._metrics)
        by_mqtt = MqttLane(self._connector, self._topics, store, ledger, self._metrics, mqtt)
        self._lanes = [
            asyncio.create_task(by_http.run(), name="outbox by HTTP"),
            asyncio.create_task(by_mqtt.run(), name="outbox by MQTT"),
        ]

    async def close(self) -> None:
        """Gives tries under way 2 s to end; what is left stays in the store."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)


def _topics(broker: Broker) -> dict[str, Topic]:
    topics = {name: Topic.parse(text) for name, text in broker.topics.items()}
    if broker.results is not None:
        topics[CALL_ENDED] = results = Topic.parse(broker.results)
        if unknown := results.wants - CallReport.model_fields.keys():
            raise ConfigError(f"broker.results: a call has no {', '.join(sorted(unknown))}")
    return topics
