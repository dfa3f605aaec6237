"""All pages, in the order of the navigation."""

from __future__ import annotations

from typing import Final

from ivr.admin.pages import (
    Page,
    account,
    audit,
    campaign,
    campaigns,
    engines,
    flow,
    flows,
    live,
    metrics,
    overview,
    record,
    records,
    suppressions,
    trunks,
    users,
    voices,
)

PAGES: Final[tuple[Page, ...]] = (
    overview.PAGE,
    live.PAGE,
    records.PAGE,
    record.PAGE,
    flows.PAGE,
    flow.PAGE,
    voices.PAGE,
    engines.PAGE,
    trunks.PAGE,
    campaigns.PAGE,
    campaigns.NEW,
    campaign.PAGE,
    suppressions.PAGE,
    metrics.PAGE,
    users.PAGE,
    audit.PAGE,
    account.PAGE,
)
