"""A caller and a language model, in a real call: it answers in sentences, a tool of the flow is used, and a
colleague is told what it was about before he has the caller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from engines.contract import Transcript
from tests.engines.test_asr_client import service
from tests.fakes.llm_server import Answer, Call, LlmServer, llm_server
from tests.fakes.speech import RATE, spoken
from tests.server.conftest import OpenBench
from tests.server.talkers import phones
from tests.service.asr.conftest import KEY, Scripted

FLOW = """
flow: help
languages: [en]
result:
  order: optional digits
  brief: {type: text, default: ""}
limits: {call: 5m}
start: talk
steps:
  talk:
    agent:
      instructions: "You help callers with their orders."
      slots: {order: "the number of the order"}
      tools:
        order-state:
          about: "how an order stands"
          get: order-status
          parameters: {order: digits}
          timeout: 20s
        person: {about: "the caller wants a person", action: transfer}
      summary: brief
    next: bye
    otherwise: sorry
    operator: desk
  sorry: {say: {en: Sorry.}, next: bye}
  desk:
    transfer: {to: desk, mode: attended, whisper: {en: "{{ brief }} Press 1."}, accept: "1", sound: silence}
    next: bye
    otherwise: bye
  bye: {end: normal}
"""


def script(body: dict[str, Any]) -> Answer:
    """What a good model would say."""
    system, last = body["messages"][0]["content"], body["messages"][-1]
    if system.startswith("You write for a colleague"):
        return Answer("Order 48213 is late and cold.")
    if last["role"] == "tool":
        return Answer("In 25 minutes. I connect you.", calls=(Call("person"),))
    said = last["content"]
    if "48213" in said:
        fill, look = (
            Call("fill", '{"order": "48213"}'),
            Call("order-state", '{"order": "48213"}', id="call_2"),
        )
        return Answer("Let me look.", calls=(fill, look))
    return Answer("Which order is it?")


@asynccontextmanager
async def shop(asked: list[str]) -> AsyncIterator[str]:
    """An endpoint that knows how orders stand."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        body = json.dumps({"state": "on the way", "minutes": 25}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def changes(folder: Path, asr: str, llm: LlmServer, endpoint: str, desk: str) -> dict[str, Any]:
    flows = folder / "flows"
    flows.mkdir()
    (flows / "help.yaml").write_text(FLOW, encoding="utf-8")
    heard = {
        "asr": {"en": ["faster-whisper"]},
        "asr_deadline_s": 20,
        "tts_deadline_s": 20,
        "setup": {"faster-whisper": {"address": asr, "key": KEY}},
    }
    # A busy machine answers late.
    model = {"providers": [{"name": "small", "url": llm.url, "model": "scripted", "price_in": 1.0}]}
    return {
        "flows": str(flows),
        "numbers": {"1001": {"flow": "help"}},
        "media": {"ports": [0, 0], "record": False},
        "queues": {"desk": {"agents": [desk]}},
        "endpoints": {"order-status": {"url": endpoint}},
        "engines": heard,
        "llm": model | {"slow_s": 20, "second_s": 25, "deadline_s": 30},
    }


def told(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in record["events"] if event["kind"] == kind]


async def test_a_caller_is_helped_and_handed_over(bench: OpenBench, tmp_path: Path) -> None:
    engine = Scripted(answer=Transcript("where is my order 48213", "en", 0.9))
    asked: list[str] = []
    async with AsyncExitStack() as stack:
        (desk,) = await phones(stack, 1)
        asr = await stack.enter_async_context(service(engine))
        llm = await stack.enter_async_context(llm_server(otherwise=script))
        endpoint = await stack.enter_async_context(shop(asked))
        b = await stack.enter_async_context(bench(**changes(tmp_path, asr, llm, endpoint, desk.address)))
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.play_pcm(spoken("hello there", "en"), RATE)
        agent = await desk.answer(30)
        await agent.until_answered()
        await agent.hear()
        await agent.press("1")
        async with asyncio.timeout(30):
            while not told(record := await b.record(), "connected"):
                await asyncio.sleep(0.05)
        await call.hang_up()
        record = await b.ended()
        metrics = (await b.api.get("/metrics")).text
    assert record["result"] == {"order": "48213", "brief": "Order 48213 is late and cold."}
    said = [data["text"] for data in told(record, "prompt")]
    assert said == ["Let me look.", "In 25 minutes.", "I connect you."]
    assert asked == ["GET /?order=48213 HTTP/1.1"]
    assert [data["tool"] for data in told(record, "agent_tool")] == ["order-state", "person"]
    first = told(record, "turn")[0]["ms"]
    assert first["endpoint"] <= first["final"] <= first["first_token"] <= first["first_sentence"]
    assert told(record, "turn")[0]["by"]["first_token"] == "small"
    assert first["first_sentence"] <= first["first_packet"]
    (transfer,) = told(record, "transfer")
    assert transfer["whisper"].startswith("Order")
    assert 'ivr_agent_events_total{what="turn"}' in metrics
    assert 'ivr_agent_conversations_total{outcome="left"} 1.0' in metrics
    talk = next(one.said[1] for one in llm.asked if one.said[0].startswith("system: You write for"))
    assert "agent: Let me look.\nagent: In 25 minutes." in talk
