"""The dashboard's picture of the README: a quiet evening of forty calls, one of them looked at."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from playwright.async_api import Browser

from ivr.local import LocalServer
from tests.admin.fake_gateway import FakeGateway, turn_record, utc
from tests.admin.served import dashboard

_STEPS = {
    "vendor-order": ("offer", "accept", "minutes", "goodbye"),
    "rider-assignment": ("offer", "pickup", "goodbye"),
    "support": ("ask", "order-number", "resolve", "handover"),
}
_SAID = (
    "नमस्ते अन्नपूर्णा जी, ऑर्डर 4821, आठ सौ पचास रुपये। लेना है तो एक दबाएँ।",
    "कितने मिनट लगेंगे?",
    "पिकअप अन्नपूर्णा भोजनालय से, साढ़े तीन किलोमीटर।",
    "तुमची ऑर्डर वीस मिनिटांत पोहोचेल.",
    "Your order 48213 is ready for pickup.",
    "क्या आपकी समस्या हल हो गई?",
)
_HEARD = ("हाँ जी", "बीस मिनट", "मंज़ूर है", "पंधरा मिनिटं", "yes, on my way", "⌨ 1")
CALLS = 40


async def dashboard_live(_: LocalServer, browser: Browser, folder: Path) -> None:
    """Live calls, with the conversation of one."""
    with tempfile.TemporaryDirectory() as scratch, FakeGateway() as gateway:
        _evening(gateway)
        async with dashboard(Path(scratch), gateway.url) as served:
            page = await served.log_in(browser, "asha", locale="en")
            await page.set_viewport_size({"width": 1320, "height": 866})
            await served.open(page, "/live")
            await page.locator(".ag-row").nth(4).locator("[col-id=caller]").click()
            await page.wait_for_selector(".turn")
            await page.mouse.move(0, 0)
            await page.screenshot(path=folder / "dashboard.png")
            await page.context.close()


def _evening(gateway: FakeGateway) -> None:
    chance = random.Random(4821)
    for number in range(CALLS):
        flow = chance.choice(tuple(_STEPS))
        caller = f"+9198{chance.randrange(10**7, 10**8)}"
        began = time.time() - 240 + number * 5
        call_id = gateway.begin(flow=flow, caller=caller, since=utc(began), mos=chance.uniform(3.4, 4.4))
        if number % 13 == 12:
            gateway.happen(call_id, "ringing", {"early_media": False})
            continue
        at = began + 3
        gateway.happen(call_id, "answered", {"codec": "PCMA"}, at)
        for step in _STEPS[flow][: chance.randint(2, 3)]:
            gateway.happen(call_id, "step", {"step": step, "visit": 1}, at)
            gateway.happen(call_id, "prompt", {"text": chance.choice(_SAID)}, at)
            at += chance.uniform(4, 9)
            if chance.random() < 0.8:
                gateway.happen(call_id, "heard", {"text": chance.choice(_HEARD), "confidence": 0.9}, at)
        gateway.happen(call_id, "turn", turn_record(1, 3.0, "speech"), at)
        if number % 17 == 16:
            gateway.happen(call_id, "queued", {"place": 1 + number // 17}, at)
