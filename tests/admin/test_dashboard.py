"""The dashboard in a browser: roles, live calls, records, users; nothing secret, no fault for who uses a
screen reader. Pictures of the pages are kept where SCREENSHOTS says."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from ivr.admin import passwords
from ivr.admin.roles import Role
from tests.admin.fake_gateway import KEY, FakeGateway, turn_record, whole_record
from tests.admin.served import WAIT_MS, Dashboard, serious_faults

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=WAIT_MS)

RECORD = "019aab1c-1111-7000-8000-000000000001"


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as gateway:
        gateway.records[RECORD] = whole_record(RECORD, time.time() - 600, caller="+919800000001")
        for number in range(70):
            call_id = f"019aab1c-2222-7000-8000-{number:012}"
            gateway.records[call_id] = whole_record(call_id, time.time() - 3600 - number, flow="support")
        yield gateway


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def as_it_was(served: Dashboard, gateway: FakeGateway) -> None:
    """Whatever a test before left behind, or this one when it was run before."""
    for call_id in list(gateway.live):
        gateway.end(call_id)
    gateway.records[RECORD] = whole_record(RECORD, time.time() - 600, caller="+919800000001")
    for kept in (gateway.hung_up, gateway.erased, gateway.audit, served.faults):
        kept.clear()
    await served.accounts.set_totp("omar", None)
    await served.accounts.set_role("omar", Role.OPERATOR)
    if await served.accounts.user("neha") is not None:
        await served.accounts.remove("neha")


def talking(gateway: FakeGateway, **told: object) -> str:
    """A live call in which somebody has said something."""
    call_id = gateway.begin(**told)
    gateway.happen(call_id, "answered", {"codec": "PCMA"})
    gateway.happen(call_id, "step", {"step": "offer", "visit": 1})
    gateway.happen(call_id, "prompt", {"text": "नमस्ते, ऑर्डर 4821 लेना है तो एक दबाएँ।"})
    gateway.happen(call_id, "heard", {"text": "हाँ जी", "confidence": 0.9})
    gateway.happen(call_id, "turn", turn_record(1, 3.0, "speech"))
    return call_id


async def choose(page: Page, number: str) -> None:
    await page.locator(".ag-row", has_text=number).locator("[col-id=caller]").click()
    await expect(page.locator(".live-call .panel-title")).to_contain_text(number)


async def test_an_operator_with_a_code_sees_a_call_and_hangs_it_up(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    secret = passwords.new_totp_secret()
    await served.accounts.set_totp("omar", secret)
    page = await served.log_in(browser, "omar", secret)
    await served.open(page, "/live")
    call_id = talking(gateway, caller="+919811111111")
    await choose(page, "+919811111111")
    talk = page.locator(".live-talk")
    await expect(talk).to_contain_text("नमस्ते, ऑर्डर 4821")
    await expect(page.locator(".turn")).to_contain_text("reply after 381 ms")
    gateway.happen(call_id, "heard", {"text": "बीस मिनट", "confidence": 0.9})
    await expect(talk).to_contain_text("बीस मिनट")
    await expect(page.locator(".ag-row", has_text="+919811111111")).to_contain_text("बीस मिनट")
    await page.screenshot(path=served.shots / "live.png")
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.locator(".live-actions")).to_contain_text("The call has ended.")
    await expect(page.locator(".ag-row", has_text="+919811111111")).to_have_count(0)
    assert gateway.hung_up == [call_id]
    assert ("POST", f"/api/voice/calls/{call_id}/hangup", "omar") in gateway.asked
    await page.context.close()


async def test_a_viewer_sees_and_can_do_nothing(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    call_id = talking(gateway, caller="+919822222222")
    page = await served.log_in(browser, "vera")
    await expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    await served.open(page, f"/live?call={call_id}")
    await expect(page.locator(".live-talk")).to_contain_text("नमस्ते")
    await expect(page.locator(".live-actions button")).to_have_count(0)
    await served.open(page, f"/calls/{RECORD}")
    await expect(page.locator("audio")).to_have_count(0)
    for path in ("/users", "/audit"):
        await served.open(page, path)
        await expect(page.locator(".fault")).to_contain_text("This needs the role admin")
    forged = await page.evaluate(
        """async (sound) => [
          (await fetch(sound)).status,
          (await fetch("/voice/api/voice/stream/start", {method: "POST", body: "{}"})).status,
          (await fetch("/login", {method: "POST", body: "x".repeat(100_000)})).status,
        ]""",
        f"/sound/{RECORD}",
    )
    assert forged == [403, 403, 413]
    gateway.end(call_id)
    await page.context.close()


async def test_who_is_no_operator_any_more_is_refused_whatever_his_page_shows(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    call_id = talking(gateway, caller="+919833333333")
    page = await served.log_in(browser, "omar")
    await served.open(page, f"/live?call={call_id}")
    hang_up = page.get_by_role("button", name="Hang up")
    await expect(hang_up).to_be_visible()
    await served.accounts.set_role("omar", Role.VIEWER)
    try:
        await hang_up.click()
        await expect(page.locator(".q-notification")).to_contain_text("This needs the role operator")
        assert call_id in gateway.live
        assert call_id not in gateway.hung_up
        async with asyncio.timeout(60):
            while not any(entry["outcome"] == "refused" for entry in gateway.audit):
                await asyncio.sleep(0.02)
        refused = next(entry for entry in gateway.audit if entry["outcome"] == "refused")
        assert (refused["action"], refused["operator"]) == ("calls.hang_up", "omar")
    finally:
        await served.accounts.set_role("omar", Role.OPERATOR)
    await served.accounts.log_out_everywhere("omar")
    await page.wait_for_url("**/login?next=*")  # its socket was closed, by another process
    gateway.end(call_id)
    await page.context.close()


async def test_records_are_searched_and_a_call_is_heard_and_erased(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    page = await served.log_in(browser, "asha")
    await served.open(page, "/calls", "records")
    rows = page.locator(".grid-table tbody tr")
    await expect(rows).to_have_count(50)
    await page.get_by_role("link", name="Older").click()
    await page.wait_for_url("**cursor=50")
    await expect(rows.first).to_contain_text("support")
    await page.get_by_label("Number").fill("+91980000*")
    await page.evaluate("mounted_app.$forceUpdate()")  # as any news of the server does
    await page.get_by_role("button", name="Search").click()
    await page.wait_for_url(lambda url: "number=%2B91980000" in url)
    await expect(page.get_by_label("Number")).to_have_value("+91980000*")
    await expect(rows).to_have_count(1)
    await rows.get_by_role("link").click()
    await expect(page.locator(".talk")).to_contain_text("कितने मिनट लगेंगे?")
    sound = page.locator("#recording")
    await expect(sound).to_have_js_property("readyState", 4)
    assert await sound.evaluate("sound => sound.duration") == pytest.approx(2.0)
    await page.evaluate("document.querySelector('#recording').muted = true")
    await page.get_by_role("button", name=re.compile("नमस्ते अन्नपूर्णा")).click()
    await expect(page.locator(".talk-now")).to_contain_text("नमस्ते अन्नपूर्णा")
    await expect(page.get_by_role("img", name=re.compile("2 turns"))).to_be_visible()
    await page.screenshot(path=served.shots / "record.png", full_page=True)
    assert await serious_faults(page) == []
    await page.get_by_role("button", name="Erase", exact=True).click()
    await page.get_by_role("button", name="Keep").click()
    assert gateway.erased == []
    await expect(page.locator(".q-dialog")).to_have_count(0)
    await page.get_by_role("button", name="Erase", exact=True).click()
    await page.get_by_role("button", name="Erase for good").click()
    await expect(page.locator(".facts").first).to_contain_text("Erased")
    assert gateway.erased == [RECORD]
    await page.context.close()


async def test_an_admin_makes_a_user_who_logs_in_and_is_removed(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    page = await served.log_in(browser, "asha")
    await served.open(page, "/users", "users")
    assert await serious_faults(page) == []
    await page.get_by_label("Name", exact=True).fill("neha")
    await page.get_by_label("Password", exact=True).fill("short")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".q-notification")).to_contain_text("10 letters")
    await page.get_by_label("Password", exact=True).fill("correct horse battery")
    await page.get_by_role("button", name="Add").click()
    row = page.locator("tbody tr", has_text="neha")
    await expect(row).to_be_visible()
    other = await served.log_in(browser, "neha")
    await expect(other.locator(".top-account")).to_contain_text("neha")
    await served.open(page, "/users")
    await row.get_by_role("button", name="Remove").click()
    await page.locator(".q-dialog").get_by_role("button", name="Remove").click()
    await expect(row).to_have_count(0)
    await other.wait_for_url("**/login?next=*")
    kept = {(entry["action"], entry.get("target")) for entry in gateway.audit}
    assert {("user.added", "neha"), ("user.removed", "neha")} <= kept
    await page.context.close()
    await other.context.close()


async def test_every_page_can_be_used_by_everybody_in_every_language(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    door = await served.at_the_door(browser)
    assert await serious_faults(door) == []
    await door.screenshot(path=served.shots / "login.png")
    await door.context.close()
    page = await served.log_in(browser, "asha")
    call_id = talking(gateway, caller="+919844444444")
    faults: list[str] = []
    for path, shot in (("/", "overview"), ("/calls", ""), ("/audit", "audit"), ("/account", "account")):
        await served.open(page, path, shot)
        faults += await serious_faults(page)
    await served.accounts.prefer("asha", "hi", True)
    for path, shot in ((f"/live?call={call_id}", "live-dark"), ("/", "overview-dark"), ("/users", "")):
        await served.open(page, path, shot)
        faults += await serious_faults(page)
    await expect(page.locator("html")).to_have_attribute("lang", "hi")
    await expect(page.get_by_role("link", name="चालू कॉल")).to_be_visible()
    await served.accounts.prefer("asha", "en", None)
    gateway.end(call_id)
    await page.context.close()
    assert faults == []


async def test_a_page_is_whole_when_it_comes(served: Dashboard, browser: Browser) -> None:
    """Not in two parts, the second of them by the socket."""
    page = await served.log_in(browser, "asha")
    for path, last in (("/", "pocketsphinx"), ("/users", "Last log-in"), ("/audit", "Outcome")):
        answer = await page.context.request.get(served.url + path, headers={"Accept": "text/html"})
        assert last in await answer.text()
    await page.context.close()


async def test_nothing_secret_leaves_the_dashboard(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    """Neither by a page nor by a socket; and no page had a fault."""
    call_id = talking(gateway, caller="+919866666666")
    page = await served.log_in(browser, "asha")
    for path in (f"/live?call={call_id}", "/users", "/audit", "/account"):
        await served.open(page, path)
    await served.open(page, "/live")
    await choose(page, "+919866666666")
    paths = ("/", "/live", "/users", "/audit", "/account")
    pages = [await page.context.request.get(served.url + path) for path in paths]
    sent = [*served.sent, *[await page.text() for page in pages]]
    assert [text for text in sent if "+919866666666" in text]  # what was looked for is found
    for secret in (KEY, "$argon2", "otpauth"):
        assert not [text[:200] for text in sent if secret in text]
    assert served.faults == []
    gateway.end(call_id)
    await page.context.close()


async def test_five_hundred_calls_are_told_within_a_second(
    served: Dashboard, gateway: FakeGateway, browser: Browser
) -> None:
    page = await served.log_in(browser, "vera")
    await served.open(page, "/live")
    calls = [talking(gateway, caller=f"+9198555{number:05}") for number in range(500)]
    await expect(page.locator(".figure-value").first).to_have_text("500")
    await page.locator(".calls-grid [role=treegrid], .calls-grid [role=grid]").first.wait_for()
    drawn = await page.locator(".ag-center-cols-container .ag-row").count()
    assert 5 < drawn < 100  # only those that can be seen
    gateway.happen(calls[0], "step", {"step": "all-was-told"})
    await expect(page.locator(".ag-row", has_text="all-was-told")).to_be_visible()
    before = len(served.sent)
    gateway.happen(calls[0], "step", {"step": "the-one-that-changed"})
    await expect(page.locator(".ag-row", has_text="the-one-that-changed")).to_be_visible()
    async with asyncio.timeout(60):
        while not (changed := [text for text in served.sent[before:] if "the-one-that-changed" in text]):
            await asyncio.sleep(0.02)
    assert max(map(len, changed)) < 2000  # that row alone
    for call_id in calls:
        gateway.end(call_id)
    await expect(page.locator(".figure-value").first).to_have_text("0")
    await page.context.close()
