"""A campaign of a whole server calls phones: one answers and wants no more such calls, one is busy, and one
has said so before."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ivr.phone.phone import open_phone
from ivr.phone.timeline import Timeline
from media.leg import Cause
from tests.server.conftest import KEY, ROOT, Bench, OpenBench

WHOLE_DAY = {"from": "00:00", "to": "00:00"}
SCOPES = ["calls:read", "calls:write", "recordings:read", "campaigns:read", "campaigns:write"]
WITHIN_S = 30.0


async def until(bench: Bench, href: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(WITHIN_S):
        while (shown := (await bench.api.get(href)).json())["state"] != state:
            await asyncio.sleep(0.05)
    return shown


async def test_who_may_be_called_is_and_who_wants_no_more_is_not_called_again(
    bench: OpenBench, tmp_path: Path
) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    shutil.copy(ROOT / "docs" / "cookbook" / "opt_out.yaml", flows)
    changes = {
        "flows": str(flows),
        "numbers": {},
        "endpoints": {"opt-outs": {"url": "http://127.0.0.1:9/"}},
        "campaigns": {"hours": WHOLE_DAY},
        "api": {"port": 0, "keys": {"test": {"key": KEY, "scopes": SCOPES}}},
    }
    timeline = Timeline()
    async with (
        bench(**changes) as b,
        open_phone(language="en", timeline=timeline) as busy,
        open_phone(language="en", timeline=timeline) as off,
    ):
        await b.api.put(f"/api/voice/suppressions/{quote(off.address, safe='')}")
        params = {"shop": "Sharma", "language": "en"}
        asked = {
            "name": "Thalis",
            "flow": "opt-out",
            "trunk": "local",
            "window": WHOLE_DAY,
            "retries": {"times": 0},
            "contacts": [{"to": phone.address, "params": params} for phone in (b.phone, busy, off)],
        }
        made = await b.api.post("/api/voice/campaigns", json=asked)
        assert made.status_code == 201, made.text
        href = made.json()["href"]
        assert (await b.api.post(f"{href}/start")).json()["state"] == "running"

        refused = asyncio.create_task(busy.refuse(Cause.BUSY, WITHIN_S))
        call = await b.phone.answer(within_s=WITHIN_S)
        await call.hear()
        await call.press("9")
        await call.hear()
        await call.press("1")
        await refused

        shown = await until(b, href, "done")
        figures = {name: count for name, count in shown["figures"].items() if count}
        assert figures == {"contacts": 3, "answered": 1, "unreached": 1, "suppressed": 1}
        assert shown["causes"] == {"normal": 1, "busy": 1}
        assert shown["results"] == {"stop": {"true": 1}}

        rows = list(csv.DictReader(io.StringIO((await b.api.get(f"{href}/results")).text)))
        assert [row["state"] for row in rows] == ["answered", "unreached", "suppressed"]
        assert rows[0]["result.stop"] == "true"
        record = await b.record(f"/api/voice/calls/{rows[0]['call_id']}")
        kinds = b.kinds(record)
        assert kinds.index("suppressed") < kinds.index("prompt", kinds.index("request"))

        listed = (await b.api.get("/api/voice/suppressions")).json()["suppressions"]
        sources = {each["number"]: each["source"] for each in listed}
        assert sources == {
            off.address.removeprefix("sip:"): "api:test",
            b.phone.address.removeprefix("sip:"): f"call:{record['id']}",
        }

        # Another campaign leaves him alone.
        again = await b.api.post("/api/voice/campaigns", json=asked | {"contacts": asked["contacts"][:1]})
        assert (await b.api.post(f"{again.json()['href']}/start")).status_code == 200
        assert (await until(b, again.json()["href"], "done"))["figures"]["suppressed"] == 1
