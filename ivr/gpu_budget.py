"""Which engines of the configuration share a graphics card, and whether they fit on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from engines.catalogue import CatalogueEntry, Installed, Kind, find
from engines.gpu.budget import GB, PROFILES, CardBudget, Share, card_budget
from engines.gpu.cards import Card, Cards, read_cards
from ivr.config import Config, ConfigError
from ivr.engine_places import shelf_of
from ivr.speech_config import Gpu

log = logging.getLogger(__name__)


async def checked_budgets(config: Config) -> tuple[CardBudget, ...]:
    """For starts: the budgets of this machine's cards; raises `ConfigError` where one is not kept."""
    budgets = budgets_of(config, await asyncio.to_thread(read_cards))
    check(config, budgets)
    for budget in budgets:
        log.info("card %d: %.1f of %.1f GB are spoken for", budget.index, budget.needed_gb, budget.total_gb)
    return budgets


def budgets_of(config: Config, cards: Cards) -> tuple[CardBudget, ...]:
    """One for each card that an engine is meant for; none where there is no card and none is spoken of.

    A size is that of `engines.setup`, else what `ivr engines test` measured here, else the catalogue's.
    Raises `ConfigError` for a card that is not there, or whose memory is not known.
    """
    gpu = config.engines.gpu
    if gpu is None and not cards.cards:
        return ()
    meant: dict[int, list[Share]] = {0: []} if gpu is not None else {}
    for entry, index in _meant_for_cards(config):
        meant.setdefault(index, []).append(Share(entry.name, size_gb(config, entry)))
    return tuple(_budget(gpu or Gpu(), cards, index, shares) for index, shares in sorted(meant.items()))


def check(config: Config, budgets: tuple[CardBudget, ...]) -> None:
    """Raises `ConfigError` that names each share, the sum and what to drop. A size that nobody measured is an
    error where the configuration speaks of the card, and else a warning."""
    for budget in budgets:
        if refusal := budget.refusal():
            raise ConfigError(f"engines.gpu: {refusal}")
        for name in budget.unmeasured:
            what = (
                f"nobody measured what {name} takes of card {budget.index}: `ivr engines test {name}` does, "
                f"or write engines.setup.{name}.vram_gb"
            )
            if config.engines.gpu is not None:
                raise ConfigError(f"engines.gpu: {what}")
            log.warning("%s", what)


def size_gb(config: Config, entry: CatalogueEntry) -> float | None:
    """What the engine takes of a card, as far as that is known."""
    setup = config.engines.setup.get(entry.name)
    if setup is not None and setup.vram_gb is not None:
        return setup.vram_gb
    measured = shelf_of(config).record(entry).vram_gb
    if measured is not None:
        return measured
    return entry.runs.vram_gb if isinstance(entry.runs, Installed) else None


def card_of(config: Config, entry: CatalogueEntry) -> int | None:
    """The card that the engine is meant for; None: it runs elsewhere, or on the CPU."""
    setup = config.engines.setup.get(entry.name)
    if not isinstance(entry.runs, Installed) or (setup is not None and setup.address):
        return None
    device = (setup.device if setup else None) or ("cpu" if entry.kind is Kind.EMBEDDING else "cuda")
    return None if device == "cpu" else int(device.partition(":")[2] or 0)


def _meant_for_cards(config: Config) -> Iterator[tuple[CatalogueEntry, int]]:
    engines = config.engines
    named = (*engines.hearing_routes.engines, *engines.voice_routes.engines, *config.llm.engines)
    for name in dict.fromkeys(named):
        entry = find(name)
        index = card_of(config, entry)
        if index is not None:
            yield entry, index


def _budget(gpu: Gpu, cards: Cards, index: int, shares: list[Share]) -> CardBudget:
    card = next((card for card in cards.cards if card.index == index), None)
    if card is None and cards.cards:
        names = ", ".join(share.name for share in shares)
        raise ConfigError(
            f"engines.setup: {names} should run on card {index}, and there are {len(cards.cards)} "
            f"(the first is 0)"
        )
    first = index == 0
    profile = PROFILES[gpu.profile] if gpu.profile and first else None
    return card_budget(
        shares,
        index=index,
        total_gb=_total_gb(gpu, card),
        profile=profile,
        others=gpu.others if first else {},
        cuda_gb=gpu.cuda_gb,
        name=card.name if card else "",
    )


def _total_gb(gpu: Gpu, card: Card | None) -> float:
    """What the configuration allows, and no more than there is."""
    there = None if card is None else round(card.total_bytes / GB, 2)
    if gpu.memory_gb is not None:
        return gpu.memory_gb if there is None else min(gpu.memory_gb, there)
    if there is not None:
        return there
    if gpu.profile is not None:
        return PROFILES[gpu.profile].card_gb
    raise ConfigError("engines.gpu: there is no card here to ask: write memory_gb, or name a profile")
