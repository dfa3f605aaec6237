"""All pages, in the order of the navigation."""

from __future__ import annotations

from typing import Final

from ivr.admin.pages import Page, flow, flows, overview

PAGES: Final[tuple[Page, ...]] = (overview.PAGE, flows.PAGE, flow.PAGE)
