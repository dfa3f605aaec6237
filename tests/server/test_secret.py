"""What is typed in secret stands nowhere in the record of the call, typed ahead or not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

from ivr.phone.calling import CallOver
from tests.server.conftest import OpenBench

FLOW = """
flow: account
languages: [en]
variables: {pin: optional digits}
result: {known: {type: yes_no, default: false}}
limits: {call: 3m, visits: 3}
start: which
steps:
  which:
    menu:
      prompt: {en: "Press 7 for your account."}
      choices: {account: {key: "7", next: hello}}
      otherwise: bye
  hello: {say: {en: "We ask for your PIN now."}, next: ask}
  ask:
    collect:
      prompt: {en: "Your PIN, please."}
      into: pin
      keys: {length: 4}
      accept: "pin == '4813'"
      secret: true
      retry: {wait: 20s, prompts: [{en: "Once more, please."}]}
      next: right
      otherwise: bye
  right:
    menu:
      prompt: {en: "Press 1 if this is you."}
      choices: {same: {key: "1", set: {known: true}, next: bye}}
      otherwise: bye
  bye: {end: normal}
"""


async def test_a_pin_is_in_no_record(bench: OpenBench, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "account.yaml").write_text(FLOW, encoding="utf-8")
    async with bench(flows=str(folder), numbers={"1001": {"flow": "account"}}) as b:
        call = await b.phone.call(b.uri)
        await call.until_answered()
        await call.press("74813")  # some of the PIN comes before it is asked for
        async with asyncio.timeout(30):
            while "right" not in [event["data"].get("step") for event in (await b.record())["events"]]:
                await asyncio.sleep(0.05)
            with contextlib.suppress(CallOver):
                await call.press("1")
            record = await b.ended()
    assert record["result"] == {"known": True}
    keys = [event["data"]["key"] for event in record["events"] if event["kind"] == "key"]
    assert keys == ["7", "•", "•", "•", "•", "1"]
    assert "48" not in json.dumps([event["data"] for event in record["events"]])
