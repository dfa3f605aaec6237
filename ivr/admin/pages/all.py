"""All pages, in the order of the navigation."""

from __future__ import annotations

from typing import Final

from ivr.admin.pages import (
    Page,
    account,
    audit,
    flow,
    flows,
    live,
    overview,
    record,
    records,
    users,
)

PAGES: Final[tuple[Page, ...]] = (
    overview.PAGE,
    live.PAGE,
    records.PAGE,
    record.PAGE,
    flows.PAGE,
    flow.PAGE,
    users.PAGE,
    audit.PAGE,
    account.PAGE,
)
