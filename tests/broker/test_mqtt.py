"""Events to mosquitto, which is killed and started again, and to brokers that misbehave."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import time
from pathlib import Path

import pytest

from ivr.config import Broker, BrokerTls, ConfigError
from ivr.metrics import Metrics
from ivr.outbox import Outbox, mqtt
from ivr.over_sip.broker import Message, puback
from ivr.store import Ending, NewCall
from tests.broker.conftest import Desk, OpenBroker
from tests.broker.mosquitto import free_port, program, subscribed
from tests.fakes.broker import SILENCE, Answer, fake_broker, taken, too_large
from tests.sip.certificates import Authority

TOPICS = {"orders": "shops/{body.order}/events", "plain": "all/{flow}"}


def at(port: int, **more: object) -> Broker:
    return Broker.model_validate({"url": f"mqtt://127.0.0.1:{port}", "topics": TOPICS, **more})


def fake(url: str, **more: object) -> Broker:
    return Broker.model_validate({"url": url, "topics": TOPICS, **more})


async def test_an_event_arrives_in_its_envelope(tmp_path: Path, mosquitto: OpenBroker) -> None:
    async with (
        mosquitto() as broker,
        subscribed(broker.port) as watcher,
        Desk(tmp_path, at(broker.port)) as desk,
    ):
        id = await desk.publish(order="48213", shop="अन्नपूर्णा")
        await watcher.until(lambda: watcher.messages)
        await desk.until_delivered()
        figures = desk.metrics.render().decode()
    ((topic, event),) = watcher.messages
    assert topic == "shops/48213/events"
    assert event == {
        "id": id,
        "event": "orders",
        "time": "1970-01-01T00:00:01.000000Z",
        "call_id": "c1",
        "flow": "vendor-order",
        "body": {"order": "48213", "shop": "अन्नपूर्णा"},
    }
    assert 'ivr_outbox_attempts_total{carrier="mqtt",outcome="delivered"} 1.0' in figures
    assert "ivr_broker_up 1.0" in figures


async def test_the_result_of_a_call_goes_out_where_it_is_wanted(
    tmp_path: Path, mosquitto: OpenBroker
) -> None:
    async with mosquitto() as broker, subscribed(broker.port) as watcher:
        wanted = at(broker.port, results="results/{flow}/{body.cause}")
        async with Desk(tmp_path, wanted) as desk:
            await desk.store.create_call(NewCall("c1", "inbound", 1_700_000_000.0, flow="vendor-order"))
            await desk.store.finish_call("c1", Ending(1_700_000_009.0, "normal", "caller", {"eta": 20}))
            await watcher.until(lambda: watcher.messages)
            await desk.until_delivered()
    ((topic, event),) = watcher.messages
    assert topic == "results/vendor-order/normal"
    assert (event["event"], event["call_id"], event["flow"]) == ("call.ended", "c1", "vendor-order")
    assert event["body"]["result"] == {"eta": 20}
    assert event["body"]["ended_at"] == "2023-11-14T22:13:29Z"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_nothing_is_lost_when_the_broker_is_killed(
    tmp_path: Path, mosquitto: OpenBroker, how: signal.Signals
) -> None:
    """Three calls publish while the broker comes and goes: all of it arrives, in the order of each call."""
    async with mosquitto() as broker, subscribed(broker.port) as watcher:
        # From here on its database knows the subscription.
        await broker.stop()
        await watcher.until_gone()
        await broker.start()
        await watcher.until_here()
        published: dict[str, list[str]] = {}

        async def call(call_id: str) -> None:
            for n in range(60):
                id = await desk.publish(call_id=call_id, created_at=time.time(), order=str(n))
                published.setdefault(call_id, []).append(id)

        async with Desk(tmp_path, at(broker.port)) as desk:
            calls = [asyncio.create_task(call(f"c{n}")) for n in range(3)]
            for turn in range(3):
                await watcher.until(lambda so_far=20 * (turn + 1): len(watcher.events()) >= so_far)
                await broker.stop(how)
                await watcher.until_gone()
                await desk.until_figure("ivr_broker_up 0.0")
                await broker.start()
                await watcher.until_here()
            await asyncio.gather(*calls)
            await desk.until_delivered()
            await watcher.until(lambda: len(watcher.events()) >= 180)
    for call_id, ids in published.items():
        assert [event["id"] for event in watcher.events(call_id=call_id)] == ids


async def test_what_was_published_without_a_broker_waits_for_it_and_survives_a_restart(
    tmp_path: Path, mosquitto: OpenBroker
) -> None:
    broker_at = free_port()
    async with Desk(tmp_path, at(broker_at)) as desk:
        ids = [await desk.publish(order=str(n), created_at=float(n)) for n in range(25)]
        await desk.until_figure('ivr_outbox_backlog{carrier="mqtt"} 25.0')
        assert 'outcome="failed"' not in desk.metrics.render().decode(), (
            "an absence is no failure of an event"
        )
    async with (
        mosquitto() as broker,
        subscribed(broker.port) as watcher,
        Desk(tmp_path, at(broker.port)) as desk,
    ):
        await desk.until_delivered()
        await watcher.until(lambda: len(watcher.events()) == 25)
    assert [event["id"] for event in watcher.events()] == ids


async def test_a_password_is_asked_for(tmp_path: Path, mosquitto: OpenBroker) -> None:
    users = tmp_path / "users"
    made = await asyncio.create_subprocess_exec(
        program("mosquitto_passwd"), "-c", "-b", str(users), "ivr", "right"
    )
    assert await made.wait() == 0
    async with mosquitto("allow_anonymous false", f"password_file {users}") as broker:
        for wrong in ({}, {"username": "ivr", "password": "wrong"}):
            async with Desk(tmp_path / str(len(wrong)), at(broker.port, **wrong)) as desk:
                await desk.publish(order="1")
                await desk.until_figure("ivr_broker_up 0.0")
                await desk.until_figure('ivr_outbox_backlog{carrier="mqtt"} 1.0')
        right = {"username": "ivr", "password": "right"}
        async with (
            subscribed(broker.port, **right) as watcher,
            Desk(tmp_path / "0", at(broker.port, **right)) as desk,
        ):
            await desk.until_delivered()
            await watcher.until(lambda: watcher.messages)


async def test_tls_with_a_certificate_on_both_sides(tmp_path: Path, mosquitto: OpenBroker) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key = authority.issue("localhost")
    settings = (
        f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.path}",
        "require_certificate true", "allow_anonymous true",
    )  # fmt: skip
    ours = dict(zip(("certificate", "key"), authority.issue("ivr.example"), strict=True))
    async with mosquitto(*settings) as broker:
        url = f"mqtts://localhost:{broker.port}"

        def desk_with(ca: str, host: str = url, **mine: str) -> Desk:
            return Desk(
                tmp_path, Broker.model_validate({"url": host, "topics": TOPICS, "tls": {"ca": ca, **mine}})
            )

        numbered = f"mqtts://127.0.0.1:{broker.port}"
        async with desk_with(stranger.path, **ours) as desk:
            await desk.publish(order="1")
            await desk.until_figure('ivr_outbox_backlog{carrier="mqtt"} 1.0')
        for refused in (desk_with(authority.path), desk_with(authority.path, numbered, **ours)):
            async with refused as desk:
                await desk.until_figure("ivr_broker_up 0.0")
                assert (await desk.store.waiting_deliveries(0.0))[0] == 1
        async with desk_with(authority.path, **ours) as desk:
            await desk.until_delivered()


async def test_what_the_broker_refuses_is_set_aside_and_holds_up_nothing(
    tmp_path: Path, mosquitto: OpenBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic read #\ntopic write all/#\n")
    async with (
        mosquitto("allow_anonymous true", f"acl_file {rules}") as broker,
        subscribed(broker.port) as watcher,
        Desk(tmp_path, at(broker.port)) as desk,
    ):
        await desk.publish("orders", created_at=time.time(), order="1")
        await desk.publish("plain", created_at=time.time())
        await desk.publish("nowhere", created_at=time.time())
        await watcher.until(lambda: watcher.messages)
        await desk.until_figure('ivr_outbox_attempts_total{carrier="mqtt",outcome="failed"}')
        assert [topic for topic, _ in watcher.messages] == ["all/vendor-order"]
        old = time.time() - 86_400.0
        await desk.publish("orders", created_at=old, order="2")
        await desk.until_figure('ivr_outbox_attempts_total{carrier="mqtt",outcome="given_up"} 1.0')


async def test_without_a_broker_what_was_left_is_given_up_after_a_day(tmp_path: Path) -> None:
    async with Desk(tmp_path, None) as desk:
        await desk.publish(created_at=time.time() - 86_400.0)
        await desk.until_figure('ivr_outbox_attempts_total{carrier="mqtt",outcome="given_up"} 1.0')
        await desk.store.create_call(NewCall("c1", "inbound", 1.0))
        await desk.store.finish_call("c1", Ending(2.0, "normal", "us"))
        assert await desk.store.waiting_deliveries(0.0) == (0, None), "nobody is owed a result"
        assert "ivr_broker_up NaN" in desk.metrics.render().decode()


async def test_an_event_without_an_acknowledgement_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "TRY_S", 0.3)
    silent = [True]

    def answer(message: Message) -> Answer:
        return SILENCE if silent and silent.pop() else taken(message)

    async with fake_broker(answer) as broker, Desk(tmp_path, fake(broker.url)) as desk:
        id = await desk.publish(order="1")
        await desk.until_delivered()
    assert [message.event["id"] for message in broker.came] == [id, id]
    assert broker.connects == 2


async def test_the_oldest_that_is_not_acknowledged_is_the_next_to_be_sent(tmp_path: Path) -> None:
    """Every connection is cut after three events: what comes for the first time comes in order."""
    count = 0

    def answer(message: Message) -> Answer:
        nonlocal count
        count += 1
        return None if count % 4 == 0 else taken(message)

    async with fake_broker(answer) as broker:
        async with Desk(tmp_path, None) as desk:
            await desk.outbox.close()
            ids = [await desk.publish(order=str(n), created_at=float(n)) for n in range(30)]
        async with Desk(tmp_path, fake(broker.url)) as desk:
            await desk.until_delivered()
    first = list(dict.fromkeys(message.event["id"] for message in broker.came))
    assert first == ids


@pytest.mark.parametrize("blames", [True, False])
async def test_an_event_that_costs_the_connection_is_set_aside(tmp_path: Path, blames: bool) -> None:
    def answer(message: Message) -> Answer:
        if message.event["body"]["order"] != "7":
            return taken(message)
        return too_large() if blames else None

    async with fake_broker(answer) as broker:
        async with Desk(tmp_path, None) as desk:
            await desk.outbox.close()
            now = time.time()
            for n in range(20):
                await desk.publish(order=str(n), created_at=now + n / 1000)
        async with Desk(tmp_path, fake(broker.url)) as desk:
            await desk.until_figure('ivr_outbox_attempts_total{carrier="mqtt",outcome="delivered"} 19.0')
            await desk.until_figure('ivr_outbox_attempts_total{carrier="mqtt",outcome="failed"}')


async def test_a_refusal_by_the_acknowledgement_is_none(tmp_path: Path) -> None:
    def answer(message: Message) -> Answer:
        refused = len(broker.came) < 3
        return puback(message.id or 0, 0x97 if refused else 0x10)

    async with fake_broker(answer) as broker, Desk(tmp_path, fake(broker.url)) as desk:
        await desk.publish(order="1", created_at=time.time())
        await desk.until_delivered()
        figures = desk.metrics.render().decode()
    assert len(broker.came) == 3
    assert 'ivr_outbox_attempts_total{carrier="mqtt",outcome="failed"} 2.0' in figures
    assert 'ivr_outbox_attempts_total{carrier="mqtt",outcome="delivered"} 1.0' in figures, (
        "no subscriber: taken"
    )


async def test_connections_leave_nothing_behind(tmp_path: Path) -> None:
    before = asyncio.all_tasks()

    def files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    async def connected(times: int) -> None:
        """Each message costs its connection; then each connection is refused."""
        async with fake_broker(lambda message: None) as broker:
            async with Desk(tmp_path, fake(broker.url)) as desk:
                await desk.publish(order="1", created_at=time.time())
                async with asyncio.timeout(60):
                    while broker.connects < times:
                        await asyncio.sleep(0.01)
            async with asyncio.timeout(30):
                while broker.live:
                    await asyncio.sleep(0.01)
        async with fake_broker(refuses=0x87) as broker, Desk(tmp_path, fake(broker.url)):
            async with asyncio.timeout(60):
                while broker.connects < times:
                    await asyncio.sleep(0.01)

    await connected(1)  # what is opened once for the whole process is open then
    opened = files()
    await connected(12)
    async with asyncio.timeout(30):
        while asyncio.all_tasks() != before:
            await asyncio.sleep(0.05)
        while files() >= opened + 12:
            await asyncio.sleep(0.05)


async def test_closing_ends_whenever_it_comes(tmp_path: Path) -> None:
    async with fake_broker() as broker, Desk(tmp_path, fake(broker.url)) as desk:
        for turn in range(8):
            await desk.publish(order="1", created_at=time.time())
            for _ in range(turn * 3):
                await asyncio.sleep(0)
            async with asyncio.timeout(30):
                await desk.outbox.close()
            await desk.outbox.start(desk.store)
        await desk.until_delivered()
    assert len({message.event["id"] for message in broker.came}) == 8


async def test_closing_waits_for_what_is_just_being_acknowledged(tmp_path: Path) -> None:
    """An event that the broker has, and has not acknowledged yet, when the server stops."""
    waiting = asyncio.Event()

    async def later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve_slowly(reader, writer, waiting)

    server = await asyncio.start_server(later, "127.0.0.1", 0)
    url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Desk(tmp_path, fake(url)) as desk:
        await desk.publish(order="1", created_at=time.time())
        async with asyncio.timeout(30):
            await waiting.wait()
        await desk.outbox.close()
        assert await desk.store.waiting_deliveries(0.0) == (0, None)
    server.close()


async def _serve_slowly(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: asyncio.Event
) -> None:
    from ivr.over_sip.broker import CONNACK, CONNECT, PUBLISH, message_of
    from tests.fakes.broker import _packet

    try:
        while True:
            kind, flags, body = await _packet(reader)
            if kind == CONNECT:
                writer.write(CONNACK)
            elif kind == PUBLISH:
                waiting.set()
                await asyncio.sleep(0.3)
                writer.write(puback(message_of(flags, body).id or 0))
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


def test_what_cannot_work_stops_the_start(tmp_path: Path) -> None:
    nothing = BrokerTls(ca=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"broker\.tls: .*No such file"):
        Outbox({}, None, Metrics(), Broker(url="mqtts://localhost", tls=nothing))
    with pytest.raises(ConfigError, match=r"broker\.results: a call has no couse"):
        Outbox({}, None, Metrics(), Broker(url="mqtt://localhost", results="x/{body.couse}"))


def test_an_envelope_is_json() -> None:
    from ivr.envelope import envelope

    made = json.loads(envelope("i", "orders", 1_700_000_000.25, "c", "f", {"a": [1, None]}))
    assert made == {
        "id": "i", "event": "orders", "time": "2023-11-14T22:13:20.250000Z", "call_id": "c", "flow": "f",
        "body": {"a": [1, None]},
    }  # fmt: skip
