"""How far campaigns are, as bars and words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from ivr.admin.widgets import Tone
from ivr.api.campaign_models import CampaignFigures, TableError
from ivr.campaigns.model import State

STATE_TONES: Final[dict[State, Tone]] = {
    State.DRAFT: "neutral",
    State.SCHEDULED: "info",
    State.RUNNING: "good",
    State.PAUSED: "warn",
    State.DONE: "neutral",
    State.CANCELLED: "bad",
}
CONTACT_TONES: Final[dict[str, Tone]] = {
    "waiting": "neutral",
    "calling": "info",
    "answered": "good",
    "unreached": "warn",
    "suppressed": "neutral",
    "erased": "neutral",
}
_PARTS: Final = (("answered", 2), ("unreached", 1), ("suppressed", 5), ("erased", 5), ("calling", 0))


def share_done(figures: CampaignFigures) -> float:
    """Of the contacts those of whom nothing more is to come."""
    over = figures.contacts - figures.waiting - figures.calling
    return over / figures.contacts if figures.contacts else 0.0


def in_words(figures: CampaignFigures) -> str:
    """As a screen reader says it."""
    counts = figures.model_dump()
    told = [
        f"{counts[name]} {name}" for name in ("answered", "unreached", "calling", "waiting", "suppressed")
    ]
    return f"{share_done(figures):.0%} of {figures.contacts} contacts done: {', '.join(told)}"


def bar(figures: CampaignFigures) -> str:
    """What became of the contacts; what is left is empty."""
    whole, counts = max(1, figures.contacts), figures.model_dump()
    parts = "".join(
        f'<span class="part part-{colour}" style="width:{counts[name] / whole:.2%}"></span>'
        for name, colour in _PARTS
        if counts[name]
    )
    return f'<div class="meter parts" role="img" aria-label="{escape(in_words(figures))}">{parts}</div>'


def legend() -> str:
    told = (("answered", 2), ("unreached", 1), ("suppressed", 5), ("calling", 0))
    marks = "".join(f'<span><i class="part-{colour}"></i>{name}</span>' for name, colour in told)
    return f'<div class="legend" aria-hidden="true">{marks}</div>'


def error_rows(errors: Iterable[TableError]) -> list[tuple[str, str, str]]:
    return [(str(each.line), each.column or "–", each.message) for each in errors]
