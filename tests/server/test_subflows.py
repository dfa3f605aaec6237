"""A call in a flow that enters another, over the whole server."""

from __future__ import annotations

from pathlib import Path

from tests.flow import nested
from tests.server.conftest import OpenBench


async def test_a_call_goes_into_a_flow_and_comes_back(bench: OpenBench, tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    nested.write(flows)
    changes = {
        "flows": str(flows),
        "numbers": {"1001": {"flow": "shop", "params": {"vendor": "Asha"}}},
        "endpoints": {"report": {"url": "http://127.0.0.1:9/"}},
    }
    async with bench(**changes) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        await call.press("2")
        await call.hear()
        await call.until_hung_up()
        record = await b.ended()
    assert record["result"] == {"size": "large"}
    assert record["cause"] == "normal"
    steps = [event["data"] for event in record["events"] if event["kind"] == "step"]
    assert [(step.get("flow"), step["step"]) for step in steps] == [
        (None, "part"),
        ("part", "ask"),
        ("part", "bye"),
        (None, "thanks"),
        (None, "report"),
        (None, "bye"),
    ]
    chosen = next(event["data"] for event in record["events"] if event["kind"] == "outcome")
    assert chosen == {"step": "ask", "outcome": "large", "next": "bye", "via": "2", "flow": "part"}


AGENT = """
flow: help
languages: [en]
result: {order: optional digits}
events: {operator: sorry}
start: talk
steps:
  talk:
    agent: {instructions: "You help.", slots: {order: "its number"}}
    next: sorry
    otherwise: sorry
  sorry: {say: {en: "Sorry, nobody can help now."}, next: bye}
  bye: {end: normal}
"""


async def test_where_there_is_no_agent_the_flow_goes_on_and_the_record_says_so(
    bench: OpenBench, tmp_path: Path
) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "help.yaml").write_text(AGENT, encoding="utf-8")
    async with bench(flows=str(flows), numbers={"1001": {"flow": "help"}}) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.hear()
        await call.until_hung_up()
        record = await b.ended()
    left = next(event["data"] for event in record["events"] if event["kind"] == "outcome")
    assert left == {"step": "talk", "outcome": "otherwise", "next": "sorry", "via": "no agent"}
