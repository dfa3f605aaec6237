"""Which page a step of the owner's flow means, and how an address is found among the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ivr.admin.pages.all import PAGES
from ivr.admin.views import FLOW, find, page_of
from ivr.flow.loader import load_flow

PATHS = [page.path for page in PAGES]
NOW = datetime(2025, 11, 22, 15, 4, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
OWNER = load_flow(Path(__file__).parents[2] / "flows" / "admin_voice.yaml")


def test_every_step_of_the_shipped_flow_that_shows_something_leads_to_a_page() -> None:
    assert OWNER.name == FLOW
    showing = [name for name in OWNER.steps if name.startswith("show_")]
    assert len(showing) == 4
    for step in showing:
        assert find(page_of(step, NOW) or "", PATHS) is not None, step
    assert [name for name in OWNER.steps if page_of(name, NOW) is not None] == showing


def test_today_begins_at_the_owners_midnight() -> None:
    turned = find(page_of("show_today", NOW) or "", PATHS)
    assert turned is not None
    assert turned.path == "/calls"
    since = datetime.fromisoformat(turned.params["since"])
    assert since.astimezone(UTC) == datetime(2025, 11, 21, 18, 30, tzinfo=UTC)
    assert turned.params["flow"] == "vendor-order"


@pytest.mark.parametrize(
    ("url", "path", "params"),
    [
        ("/live", "/live", {}),
        ("/flows/vendor-order?tab=edit", "/flows/{name}", {"name": "vendor-order", "tab": "edit"}),
        ("/flows", "/flows", {}),
        ("/", "/", {}),
    ],
)
def test_an_address_is_one_page(url: str, path: str, params: dict[str, str]) -> None:
    assert find(url, PATHS) == (path, params)


@pytest.mark.parametrize("url", ["/nowhere", "/flows/", "/flows/a/b", "", "https://elsewhere.example/live/x"])
def test_what_is_no_page_of_ours_is_none(url: str) -> None:
    assert find(url, PATHS) is None
