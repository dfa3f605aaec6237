"""The pages of campaigns in a browser, over the API's own routes and a store: made by a form, contacts from a
table with mistakes, started and paused, and numbers that are not called."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from ivr.admin.progress import bar, in_words, share_done
from ivr.api import campaigns, problems, suppressions
from ivr.api.auth import Keys
from ivr.api.campaign_models import CampaignFigures
from ivr.api.gateway import BadNumber, CallRequest, FlowFace, ParamsRefused, UnknownFlow
from ivr.campaigns.model import Claim, Retries
from ivr.campaigns.numbers import number_key
from ivr.campaigns.plan import Decision, Standing, judge
from ivr.campaigns.settings import Campaigns
from ivr.config import ApiKey
from ivr.flow.types import ValueType
from ivr.store import CallState, Ending, NewCall, Store, database_url, new_id
from tests.admin.fake_gateway import KEY, FakeGateway
from tests.admin.served import WAIT_MS, Dashboard, serious_faults

loop = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=WAIT_MS)

TABLE = "to,guest\n+919876543210,आशा\n+919876543211,Ravi\n+919876543212,Meena\n"
WRONG = "to,guest\nnobody,Ravi\n+919876543213,\n+919876543214,Sunil\n"


class Lines:
    """What the routes ask of a server: a flow that wants a guest's name."""

    campaign_rules = Campaigns()

    def face(self, flow: str) -> FlowFace:
        if flow != "campaign":
            raise UnknownFlow(flow, ("campaign",))
        return FlowFace(("hi", "en"), {"guest": ValueType("text")}, ("answer",))

    def trunks(self) -> list[Any]:
        return [SimpleNamespace(name="exotel")]

    def check(self, request: CallRequest) -> str:
        if "guest" not in request.params:
            raise ParamsRefused({"guest": "is missing"})
        try:
            return number_key(request.to, "91")
        except ValueError as error:
            raise BadNumber(str(error)) from error


async def call_everybody(store: Store) -> None:
    """As the runner would: the first is busy, the others come, and one call goes on."""
    (campaign,) = await store.campaigns.active()

    def decide(standing: Standing) -> Decision:
        return Decision(standing.state, 9, tuple(standing.earliest))

    claims = (await store.campaigns.round(campaign.id, decide, "node", time.time())).claims
    for place, claim in enumerate(claims[:-1]):
        await _called(store, claim, "busy" if place == 0 else "normal")


async def _called(store: Store, claim: Claim, cause: str) -> None:
    now = time.time()
    call = NewCall(new_id(), "outbound", now, called=claim.called, idempotency_key=claim.key)
    await store.create_call(call)
    await store.campaigns.placed(claim, call.id)
    if cause == "normal":
        await store.advance(call.id, CallState.ANSWERED, now)
    await store.finish_call(call.id, Ending(now, cause, "callee", {"answer": "coming"}))
    await store.campaigns.settle(claim, lambda *args: judge(*args, Retries(), now))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGateway]:
    folder: Path = tmp_path_factory.mktemp("campaigns")
    fake = FakeGateway()
    problems.install(fake.app)

    @asynccontextmanager
    async def with_store(app: FastAPI) -> AsyncIterator[None]:
        store = await Store.open(database_url(folder))
        keys = Keys(
            {"dashboard": ApiKey(key=KEY, scopes=["campaigns:read", "campaigns:write", "audit:write"])}
        )
        for routes in (campaigns.routes, suppressions.routes):
            app.include_router(routes(Lines(), store, keys))  # type: ignore[arg-type]

        @app.post("/test/call-everybody")
        async def call() -> None:
            await call_everybody(store)

        yield
        await store.close()

    fake.app.router.lifespan_context = with_store

    @fake.app.get("/api/flows")
    async def flows() -> Any:
        return {"flows": [{"name": "campaign", "hash": "5f0c6ad1"}, {"name": "broken", "hash": None}]}

    with fake:
        yield fake


async def take(page: Page, table: str) -> None:
    file = {"name": "guests.csv", "mimeType": "text/csv", "buffer": table.encode()}
    await page.set_input_files("input[type=file]", files=[file])  # type: ignore[list-item]


@loop
async def test_a_campaign_is_made_filled_started_and_paused(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    page = await served.log_in(browser, "omar")
    await served.open(page, "/campaigns")
    name, asked_before = f"Tables of Friday, {len(gateway.asked)}", len(gateway.asked)
    await page.get_by_role("button", name="New campaign").click()
    await page.wait_for_url("**/campaigns/new")
    await page.wait_for_function("window.did_handshake === true")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("From").fill("08:00")
    await page.screenshot(path=served.shots / "campaign-new.png", full_page=True)
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Make it").click()
    await expect(page.locator(".q-notification")).to_contain_text("09:00 to 21:00")
    await page.get_by_label("From").fill("10:00")
    await page.get_by_role("button", name="Make it").click()
    await page.wait_for_url(re.compile(r"/campaigns/[0-9a-f-]{36}$"))

    await page.wait_for_function("window.did_handshake === true")
    await take(page, WRONG)
    report = page.locator("[role=status]", has_text="cannot be used")
    await expect(report).to_contain_text("2 rows cannot be used; nothing was stored")
    await expect(report.locator("tbody tr").first).to_contain_text("is not a number")
    await expect(report.locator("tbody tr").last).to_have_text(re.compile("3.*guest.*is missing"))
    await page.screenshot(path=served.shots / "campaign-errors.png", full_page=True)
    await page.get_by_role("button", name="Store the other rows").click()
    await expect(page.locator("[role=status]", has_text="1 contacts were added")).to_be_visible()
    await take(page, TABLE)
    await expect(page.locator("[role=status]", has_text="3 contacts were added")).to_be_visible()
    await expect(page.locator("tbody tr", has_text="+919876543211")).to_contain_text("guest: Ravi")

    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator(".pill").first).to_have_text("running")
    await page.request.post(f"{gateway.url}/test/call-everybody", headers={"Authorization": f"Bearer {KEY}"})
    await expect(page.locator(".figure", has_text="Answered")).to_contain_text("2")
    await expect(
        page.get_by_role("img", name=re.compile("2 answered, 0 unreached, 1 calling"))
    ).to_be_visible()
    await expect(page.get_by_role("region", name="answer")).to_contain_text("coming")
    await page.reload()
    await page.wait_for_function("window.did_handshake === true")
    await page.screenshot(path=served.shots / "campaign.png", full_page=True)
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".pill").first).to_have_text("paused")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Results").click()
    saved = await (await downloading.value).path()
    assert "result.answer" in await asyncio.to_thread(Path(saved).read_text)

    await served.open(page, "/campaigns", "campaigns")
    await expect(page.locator("tbody tr", has_text=name)).to_contain_text("paused")
    assert await serious_faults(page) == []
    await page.get_by_role("link", name=name).click()
    await page.wait_for_function("window.did_handshake === true")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(page.locator(".pill").first).to_have_text("cancelled")
    asked = gateway.asked[asked_before:]
    changed = [(method, path.rpartition("/")[2], who) for method, path, who in asked if who]
    assert [(method, what) for method, what, who in changed if who == "omar"] == [
        ("POST", "campaigns"), ("POST", "campaigns"), ("POST", "contacts"), ("POST", "contacts"),
        ("POST", "contacts"), ("POST", "start"), ("POST", "pause"), ("POST", "cancel"),
    ]  # fmt: skip
    assert served.faults == []
    await page.context.close()


@loop
async def test_numbers_that_are_not_called(served: Dashboard, browser: Browser) -> None:
    page = await served.log_in(browser, "omar")
    await served.open(page, "/suppressions")
    await page.get_by_label("Number").fill("098765 43299")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator("tbody tr", has_text="+919876543299")).to_contain_text("omar (api)")
    await take(page, "number\n+919876543298\nnobody\n")
    await expect(page.locator(".fault")).to_contain_text("line 3 is not a number")
    await take(page, "number\n+919876543298\n")
    await expect(page.locator("[role=status]", has_text="1 numbers were added")).to_be_visible()
    await page.get_by_role("button", name="Remove +919876543299").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await served.open(page, "/suppressions", "suppressions")
    assert await serious_faults(page) == []
    await page.context.close()

    viewer = await served.log_in(browser, "vera")
    await served.open(viewer, "/suppressions")
    await expect(viewer.locator("tbody tr")).to_have_count(1)
    await expect(viewer.locator("main button, .page button")).to_have_count(0)
    await served.open(viewer, "/campaigns/new")
    await expect(viewer.locator(".fault")).to_contain_text("This needs the role operator")
    assert served.faults == []
    await viewer.context.close()


def test_how_far_a_campaign_is_in_words_and_as_a_bar() -> None:
    figures = CampaignFigures(
        contacts=10, waiting=3, calling=1, answered=4, unreached=1, suppressed=1, erased=0
    )
    assert share_done(figures) == 0.6
    told = "60% of 10 contacts done: 4 answered, 1 unreached, 1 calling, 3 waiting, 1 suppressed"
    assert in_words(figures) == told
    assert bar(figures).count('class="part ') == 4
    assert 'style="width:40.00%"' in bar(figures)
    nobody = CampaignFigures(
        contacts=0, waiting=0, calling=0, answered=0, unreached=0, suppressed=0, erased=0
    )
    assert share_done(nobody) == 0.0
    assert "<span" not in bar(nobody)
