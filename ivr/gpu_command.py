"""What `ivr engines budget` prints, and `ivr engines list` below its table."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engines.gpu.budget import CardBudget
from engines.gpu.cards import Cards, read_cards
from engines.gpu.status import GpuStatus, gpus, shown
from ivr.config import Config, ConfigError
from ivr.failures import config_or_told
from ivr.gpu_budget import budgets_of, check


def budget(config: Path, *, as_json: bool) -> int:
    """Prints each card's budget; 1 when the engines do not fit, 2 when the configuration cannot be read."""
    loaded = config_or_told(config)
    if loaded is None:
        return 2
    cards = read_cards()
    try:
        budgets = budgets_of(loaded, cards)
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    if as_json:
        status = GpuStatus(
            gpus=gpus(cards, {}), reason=cards.reason or None, budget=list(map(shown, budgets))
        )
        print(status.model_dump_json(indent=1))
    else:
        _show(cards, budgets)
    return _judge(loaded, budgets)


def tell_budgets(config: Config) -> int:
    """A line for each card that engines are meant for; 1 with the whole reason when they do not fit."""
    try:
        budgets = budgets_of(config, read_cards())
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    for each in budgets:
        name = f" ({each.name})" if each.name else ""
        print(f"\ncard {each.index}{name}: {each.needed_gb:.1f} of {each.total_gb:.1f} GB are spoken for")
    return _judge(config, budgets)


def _judge(config: Config, budgets: tuple[CardBudget, ...]) -> int:
    try:
        check(config, budgets)
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    return 0


def _show(cards: Cards, budgets: tuple[CardBudget, ...]) -> None:
    if cards.reason:
        print(cards.reason)
    if not budgets:
        print("no engine is meant for a card")
    for each in budgets:
        name = f" ({each.name})" if each.name else ""
        table = Table("on the card", "GB", "", box=None, pad_edge=False)
        for share in each.shares:
            table.add_row(share.name, "?" if share.gb is None else f"{share.gb:.1f}", share.part.value)
        table.add_row("free", f"{each.free_gb:.1f}", "")
        print(f"card {each.index}{name}, {each.total_gb:.1f} GB")
        Console(width=None if sys.stdout.isatty() else 100).print(table)
