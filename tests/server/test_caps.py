"""What a trunk may be used for, seen from the API and from the record."""

from __future__ import annotations

import asyncio
from typing import Any

from media.leg import Answered
from sip.stack import OutboundCall
from tests.server.conftest import PARAMS, Bench, OpenBench
from tests.sip.agents import agent, until

INITIATE = "/api/voice/call/initiate"


async def ended(b: Bench, href: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while True:
            record: dict[str, Any] = (await b.api.get(href)).json()
            if record["state"] == "ended":
                return record
            await asyncio.sleep(0.05)


async def test_a_trunk_is_used_for_no_more_than_it_may_be(bench: OpenBench) -> None:
    local = {"allow": ["127.0.0.1"], "caller_id": "1000", "calls_per_minute": 1, "call_s": 1.0}
    async with bench(trunks={"local": local}) as b:
        asked = {"to": b.phone.address, "flow": "vendor-order", "params": PARAMS}
        refused = await b.api.post(INITIATE, json={**asked, "to": "sip:+882123456@192.0.2.7"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/destination-not-allowed")
        assert "192.0.2.7" not in refused.text

        accepted = await b.api.post(INITIATE, json={**asked, "headers": {"X-Order-Id": "4821"}})
        assert accepted.status_code == 202
        early = await b.api.post(INITIATE, json=asked)
        assert early.status_code == 503
        assert 50 < int(early.headers["Retry-After"]) <= 60

        await b.phone.answer(within_s=10)
        record = await b.ended(accepted.json()["href"])
        assert (record["cause"], record["hung_up_by"]) == ("limit", "us")
        told = [event["data"] for event in record["events"] if event["kind"] == "headers"]
        assert told == [{"X-Order-Id": "4821"}]


async def test_a_header_of_the_invite_is_a_value_of_the_flow(bench: OpenBench) -> None:
    number = {"flow": "vendor-order", "params": PARAMS, "params_from_headers": {"order": "X-Order-Id"}}
    async with bench(numbers={"1001": number}) as b, agent() as caller:
        leg = await caller.ua.call(OutboundCall(b.uri, "peer", headers={"X-Order-Id": "777"}))
        await until(leg, Answered)  # type: ignore[arg-type]
        await leg.hang_up()
        calls = (await b.api.get("/api/voice/calls")).json()["calls"]
        record = await b.ended(calls[0]["href"])
        assert record["params"]["order"] == "777"
        assert record["params"]["vendor"] == PARAMS["vendor"]
        deleted = await b.api.delete(calls[0]["href"])
        assert deleted.status_code == 204
        assert "777" not in (await b.api.get(calls[0]["href"])).text
