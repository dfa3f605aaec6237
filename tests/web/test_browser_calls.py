"""Whole calls of a browser, to a server that runs: aiortc is the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from ivr.phone.phone import open_phone
from ivr.phone.timeline import Timeline
from tests.server.talkers import Talker
from tests.web.browser_server import WebBench, sockets, until_gone, web_bench
from tests.web.web_phone import RATE, WebPhone

NAME = {"name": "Asha"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def b(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebBench]:
    """One server for all that need nothing of their own."""
    async with web_bench(tmp_path_factory.mktemp("web")) as bench:
        yield bench


async def test_a_page_hears_the_prompt_presses_a_key_and_is_told_all(b: WebBench) -> None:
    open_before = sockets()
    async with WebPhone(b.api) as page:
        await page.call("web-menu", NAME)
        ready = await page.until("ready", flow="web-menu", language="en")
        caption = await page.until("caption", who="server")
        assert "Hello Asha" in caption["text"]
        await page.until_heard()
        page.press("1")
        await page.until("key", key="1")
        await page.until("step", step="thanks")
        ended = await page.until("ended")
        assert (ended["cause"], ended["result"]) == ("normal", {"choice": "one"})
    record = await b.ended(ready["call_id"])
    assert record["trunk"] == "web"
    assert record["result"] == {"choice": "one"}
    assert [event["data"]["key"] for event in record["events"] if event["kind"] == "key"] == ["1"]
    assert record["quality"]["packets_received"] > 10
    recording = await b.api.get(record["recording"])
    heard, said = np.frombuffer(recording.content[44:], "<i2").reshape(-1, 2).T
    assert np.abs(said).max() > 1000
    assert np.abs(heard).max() < 200
    await until_gone(open_before)


async def test_a_key_that_comes_by_event_and_by_channel_is_one_press(b: WebBench) -> None:
    async with WebPhone(b.api, events=True) as page:
        await page.call("web-menu", NAME)
        await page.until_open()
        await page.until_heard()
        await page.send_event("2")
        page.press("2")
        assert (await page.until("ended"))["result"] == {"choice": "two"}
        record = await b.ended(page.begun["call_id"])
        assert [event["data"]["key"] for event in record["events"] if event["kind"] == "key"] == ["2"]


async def test_the_call_goes_on_when_the_page_is_loaded_anew(b: WebBench) -> None:
    """The first page vanishes in the midst of the prompt; the second has another certificate, another port,
    and the secret. The prompt waits for it, and no time is counted meanwhile."""
    open_before = sockets()
    first = WebPhone(b.api)
    await first.call("web-menu", NAME)
    await first.until_heard()
    call_id = first.begun["call_id"]
    await first.close()
    await b.noted(call_id, "held", on=True)
    async with WebPhone(b.api) as second:
        second.begun = first.begun
        assert await second.renew() == 200
        await b.noted(call_id, "held", on=False)
        await second.until_heard()  # the rest of the prompt
        await second.until_open()
        assert (await second.until("ready"))["call_id"] == call_id
        second.press("2")
        assert (await second.until("ended"))["result"] == {"choice": "two"}
    record = await b.ended(call_id)
    assert (record["cause"], record["result"]) == ("normal", {"choice": "two"})
    await until_gone(open_before)


async def test_a_page_that_does_not_come_back_is_given_up(tmp_path: Path) -> None:
    async with web_bench(tmp_path, {"reconnect_s": 0.5}) as b:
        open_before = sockets()
        page = WebPhone(b.api)
        await page.call("web-menu", NAME)
        await page.until_heard()
        await page.close()
        record = await b.ended(page.begun["call_id"])
        assert record["cause"] == "media_timeout"
        async with WebPhone(b.api) as late:
            late.begun = page.begun
            assert await late.renew() == 404
        await until_gone(open_before)


async def test_who_finds_no_way_within_the_time_is_hung_up_on_and_told_why_in_the_record(
    tmp_path: Path,
) -> None:
    async with web_bench(tmp_path, {"connect_s": 0.5}) as b:
        open_before = sockets()
        async with WebPhone(b.api) as page:
            token = await b.token()
            offer = without_candidates(await page.offer())
            answer = await b.api.post(
                "/api/voice/stream/start",
                json={"type": "offer", "sdp": offer},
                headers={"Authorization": f"Bearer {token}"},
            )
            begun = answer.json()
            record = await b.ended(begun["call_id"])
            assert record["cause"] == "media_timeout"
            gone = next(event for event in record["events"] if event["kind"] == "hung_up")
            assert gone["data"]["reason"] == "no ICE within 0.5 s"
        await until_gone(open_before)


async def test_hanging_up_by_the_api_ends_the_call_once(b: WebBench) -> None:
    async with WebPhone(b.api) as page:
        await page.call("web-menu", NAME)
        await page.until_heard()
        assert await page.hang_up() == 204
        ended = await page.until("ended")
        assert ended["cause"] == "normal"
        record = await b.ended(page.begun["call_id"])
        assert record["hung_up_by"] == "caller"
        assert await page.hang_up() == 404


async def test_a_caller_on_the_web_and_an_agent_on_the_telephone_hear_each_other(tmp_path: Path) -> None:
    async with open_phone(language="en", timeline=Timeline()) as phone:
        queues = {"desk": {"agents": [phone.address]}}
        async with web_bench(tmp_path, queues=queues) as b, WebPhone(b.api) as page:
            await page.call("web-menu", NAME)
            await page.until_open()
            page.press("3")
            call = await phone.answer(20)
            await call.until_answered()
            agent = Talker(call)
            page.microphone.say(sine(500, 10.0))
            await agent.hears(500)
            agent.hum(700)
            page.heard.clear()
            await page.hears(700)
            await call.press("5")  # passes, as an event, or as it can
            await call.hang_up()
            await page.until("ended")
            record = await b.ended(page.begun["call_id"])
            assert "connected" in [event["kind"] for event in record["events"]]


def sine(hz: float, seconds: float) -> bytes:
    at = np.arange(int(RATE * seconds)) / RATE
    return (8000 * np.sin(2 * np.pi * hz * at)).astype("<i2").tobytes()


def without_candidates(sdp: str) -> str:
    return "".join(
        line + "\r\n" for line in sdp.splitlines() if not line.startswith(("a=candidate", "a=end-"))
    )


async def start(b: WebBench, token: str | None, sdp: str, **headers: str) -> tuple[int, dict[str, Any]]:
    sent = headers | ({} if token is None else {"Authorization": f"Bearer {token}"})
    if token is None:
        sent["Authorization"] = ""
    answer = await b.api.post("/api/voice/stream/start", json={"type": "offer", "sdp": sdp}, headers=sent)
    return answer.status_code, answer.json()


async def test_what_is_wrong_is_refused_and_counted_and_leaves_nothing(b: WebBench) -> None:
    before = await b.refused()
    open_before = sockets()
    async with WebPhone(b.api) as page:
        offer = (await page.offer()).replace("a=end-of-candidates\r\n", "")  # it trickles
        token = await b.token()
        for sdp, said in (
            ("hello", "v=0"),
            ("v=0\r\n", "no audio"),
            (offer.replace("m=audio", "m=video"), "no audio"),
            (offer.replace("a=fingerprint", "a=x"), "fingerprint"),
            (offer.replace("a=ice-ufrag", "a=x"), "ice-ufrag"),
            (offer + "a=x\r\n" * 8000, "longer"),
        ):
            status, body = await start(b, token, sdp)
            assert (status, body["type"]) == (422, "/problems/offer-refused")
            assert said in body["detail"]
        candidate = "a=candidate:1 1 udp 2113937151 192.0.2.7 5000 typ host\r\n"
        status, body = await start(
            b, await b.token(), offer.replace("a=rtcp-mux", candidate * 100 + "a=rtcp-mux")
        )
        assert (status, body["type"]) == (422, "/problems/candidate-refused")

        assert (await start(b, None, offer))[1]["type"] == "/problems/token-refused"
        assert (await start(b, "never-given", offer))[0] == 401
        expired = await b.token(ttl_s=0.001)
        assert "expired" in (await start(b, expired, offer))[1]["detail"]
        status, body = await start(b, token, offer, Origin="https://elsewhere.example")
        assert (status, body["type"]) == (403, "/problems/origin-refused")
        status, body = await start(b, await b.token(flow="nowhere"), offer)
        assert (status, body["type"]) == (404, "/problems/unknown-flow")
        status, body = await start(b, await b.token(params={}), offer)
        assert (status, body["type"]) == (422, "/problems/invalid-request")

        status, page.begun = await start(b, token, offer)  # still good: nothing of the above used it
        assert status == 201
        assert "already" in (await start(b, token, offer))[1]["detail"]
        await page.accept(page.begun["sdp"])
        await page.until_open()
        mine = page.secret
        page.begun["secret"] = "guessed"
        assert await page.hang_up() == 401
        assert await page.trickle([]) == 401
        other = page.begun | {"session_id": "0" * 24}
        page.begun, begun = other, page.begun
        assert await page.hang_up() == 404
        page.begun = begun | {"secret": mine["Authorization"].removeprefix("Bearer ")}
        assert await page.trickle(["nonsense"]) == 422
        assert await page.trickle([candidate.strip().removeprefix("a=")] * 100) == 422
        for text in ("hello", "[]", '{"type":"key","key":"x"}', "x" * 5000):
            page.channel.send(text)
        page.press("1")
        assert (await page.until("ended"))["result"] == {"choice": "one"}
    counted = {why: count - before.get(why, 0.0) for why, count in (await b.refused()).items()}
    assert counted == {
        "sdp": 6, "candidates": 3, "token": 4, "origin": 1, "secret": 2, "session": 1, "message": 3,
    }  # fmt: skip
    await until_gone(open_before)
