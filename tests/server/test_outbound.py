"""Calls that the API asks for, to a phone that answers, refuses, or never picks up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from media.leg import CallLeg
from sip.stack import BadNumber, OutboundCall
from tests.server.conftest import PARAMS, Bench, OpenBench


def order(bench: Bench, **changes: Any) -> dict[str, Any]:
    asked = {"to": bench.phone.address, "trunk": "local", "flow": "vendor-order", "params": PARAMS}
    return asked | changes


async def test_the_server_calls_and_the_outcome_is_stored(bench: OpenBench) -> None:
    async with bench() as b:
        accepted = await b.api.post("/api/voice/call/initiate", json=order(b))
        assert accepted.status_code == 202
        call = await b.phone.answer(within_s=10)
        await call.hear()
        await call.press("2")
        await call.hear()
        await call.hang_up()
        async with asyncio.timeout(10):
            while (record := (await b.api.get(accepted.json()["href"])).json())["state"] != "ended":
                await asyncio.sleep(0.05)
        assert record["result"] == {"decision": "rejected", "eta": None, "reason": None}
        assert (record["cause"], record["hung_up_by"]) == ("normal", "callee")
        assert record["recording"] is not None
        sound = await b.api.get(record["recording"])
        assert sound.content.startswith(b"RIFF")


async def test_the_same_key_calls_once(bench: OpenBench) -> None:
    async with bench() as b:
        keyed = {"Idempotency-Key": "order-48213"}
        answers = await asyncio.gather(
            *(b.api.post("/api/voice/call/initiate", json=order(b), headers=keyed) for _ in range(5))
        )
        assert len({answer.json()["id"] for answer in answers}) == 1
        call = await b.phone.answer(within_s=10)
        await call.hang_up()
        assert len((await b.api.get("/api/voice/calls")).json()["calls"]) == 1


async def test_what_cannot_be_called_is_refused_by_name(bench: OpenBench) -> None:
    async with bench() as b:

        async def refused(**changes: Any) -> tuple[int, str]:
            answer = await b.api.post("/api/voice/call/initiate", json=order(b, **changes))
            return answer.status_code, answer.text

        assert (await refused(flow="vendor-ordr"))[0] == 404
        status, text = await refused(params={"vendor": "x", "order": "1", "amount": "much", "colour": "red"})
        assert status == 422
        assert "amount" in text
        assert "colour" in text
        assert "language" in text
        assert (await refused(to="not a number"))[0] == 422
        assert (await b.api.get("/api/voice/calls")).json()["calls"] == []


async def test_a_call_that_the_stack_would_not_place_does_not_stay_live(
    bench: OpenBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(_: OutboundCall) -> CallLeg:
        raise BadNumber("sip: addresses only")

    async with bench() as b:
        monkeypatch.setattr(b.server._stack, "call", refuses)
        refused = await b.api.post("/api/voice/call/initiate", json=order(b))
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bad-number")
        assert (await b.record())["state"] == "ended"


async def test_nobody_there(bench: OpenBench) -> None:
    async with bench() as b:
        accepted = await b.api.post("/api/voice/call/initiate", json=order(b, to="sip:nobody@127.0.0.1:9"))
        hung_up = await b.api.post(f"{accepted.json()['href']}/hangup")
        assert hung_up.status_code < 300
        async with asyncio.timeout(40):
            while (record := (await b.api.get(accepted.json()["href"])).json())["state"] != "ended":
                await asyncio.sleep(0.1)
        assert record["result"] == {"decision": "unreached", "eta": None, "reason": None}
