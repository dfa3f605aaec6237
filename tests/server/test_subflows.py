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
