"""Whether the models fit into the memory of the card that they are meant for. Pure.

Sizes are in GB of 2^30 bytes, as cards are sold: "12 GB" is 12,288 MiB. What a model takes was measured, or
it is not known, and then nothing is promised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

GB: Final = 1024**3

CUDA_GB: Final = 1.0
"""CUDA itself: its contexts and kernels, in all processes together."""


class Part(Enum):
    """Why something takes memory of a card."""

    ENGINE = "engine"
    RESERVED = "reserved"
    """The profile has it: it is kept free though nothing runs there now."""
    OTHER = "other"
    """A program that is none of ours."""
    CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class Share:
    """`gb` None: it was never measured."""

    name: str
    gb: float | None
    part: Part = Part.ENGINE


@dataclass(frozen=True, slots=True)
class Profile:
    """What belongs together on a card of `card_gb`. `others` are programs that are no engines of ours."""

    card_gb: float
    engines: Mapping[str, float]
    others: Mapping[str, float]


PROFILES: Final = {
    "A": Profile(
        12.0,
        {"faster-whisper": 2.0, "chatterbox-turbo": 1.5, "indic-parler": 2.0, "cosyvoice3": 1.5},
        {},
    ),
    "B": Profile(
        12.0,
        {"faster-whisper": 2.0, "chatterbox-turbo": 1.5, "kokoro": 0.5, "vibevoice-realtime": 2.0},
        {},
    ),
    "C": Profile(
        12.0,
        {"faster-whisper": 2.0, "chatterbox-turbo": 1.5, "indic-parler": 2.0},
        {"Qwen2.5-3B int4": 2.0},
    ),
}
"""For an RTX 3060 with 12 GB, each with CUDA's 1 GB: 8.0, 7.0 and 8.5 GB. C is the one to begin with."""


@dataclass(frozen=True, slots=True)
class CardBudget:
    """One card: what it has, and who takes how much of it."""

    index: int
    total_gb: float
    shares: tuple[Share, ...]
    name: str = ""

    @property
    def needed_gb(self) -> float:
        """Of all whose size is known."""
        return round(sum(share.gb or 0.0 for share in self.shares), 3)

    @property
    def free_gb(self) -> float:
        """Less than none where it does not fit."""
        return round(self.total_gb - self.needed_gb, 3)

    @property
    def unmeasured(self) -> tuple[str, ...]:
        return tuple(share.name for share in self.shares if share.gb is None)

    def share(self, name: str) -> Share | None:
        return next((share for share in self.shares if share.name == name), None)

    def beside(self, share: Share) -> CardBudget:
        """With one more, as while a model is loaded beside the one whose place it takes. What the profile
        keeps for that very engine is used by it."""
        kept = tuple(
            each for each in self.shares if not (each.part is Part.RESERVED and each.name == share.name)
        )
        return replace(self, shares=(*kept, share))

    def without(self, name: str) -> CardBudget:
        """Once a model is unloaded."""
        return replace(self, shares=tuple(share for share in self.shares if share.name != name))

    def refusal(self) -> str:
        """Why it does not fit, with each share, the sum, and what to do; empty where it does."""
        if self.free_gb >= 0:
            return ""
        card = f"card {self.index}" + (f" ({self.name})" if self.name else "")
        rows = [f"  {share.name:<24} {_amount(share):>7}" for share in self.shares]
        excess = -self.free_gb
        sums = f"  {'together':<24} {self.needed_gb:>4.1f} GB: {excess:.1f} GB too much"
        head = f"the models do not fit on {card}, which has {self.total_gb:.1f} GB:"
        return "\n".join([head, *rows, sums, _advice(self.shares, excess)])


def card_budget(
    engines: Iterable[Share],
    *,
    index: int = 0,
    total_gb: float,
    profile: Profile | None = None,
    others: Mapping[str, float] | None = None,
    cuda_gb: float = CUDA_GB,
    name: str = "",
) -> CardBudget:
    """The budget of one card with these engines on it. What the `profile` has besides is kept for it; the
    size that a profile gives stands in for one that was not measured here."""
    known = profile.engines if profile else {}
    shares = [
        share if share.gb is not None else replace(share, gb=known.get(share.name)) for share in engines
    ]
    present = {share.name for share in shares}
    shares += [Share(each, gb, Part.RESERVED) for each, gb in known.items() if each not in present]
    more = {**(profile.others if profile else {}), **(others or {})}
    shares += [Share(each, gb, Part.OTHER) for each, gb in more.items()]
    shares.append(Share("CUDA", cuda_gb, Part.CUDA))
    return CardBudget(index, total_gb, tuple(shares), name)


def _amount(share: Share) -> str:
    return "?" if share.gb is None else f"{share.gb:.1f} GB"


def _advice(shares: Iterable[Share], excess: float) -> str:
    """The smallest single one that would make room, or else the largest until there is: what is only kept
    free goes first."""
    droppable = [share for share in shares if share.gb and share.part in (Part.ENGINE, Part.RESERVED)]
    enough = sorted(
        (share for share in droppable if (share.gb or 0) >= excess),
        key=lambda share: (share.part is Part.ENGINE, share.gb or 0),
    )
    dropped: list[Share] = enough[:1]
    if not dropped:
        for share in sorted(droppable, key=lambda share: -(share.gb or 0)):
            if sum(each.gb or 0 for each in dropped) < excess:
                dropped.append(share)
    if sum(share.gb or 0 for share in dropped) < excess:
        return "It does not fit even without our engines: the card is too small, or too much else is on it."
    names = " and ".join(f"{share.name} ({_amount(share)})" for share in dropped)
    one = dropped[0].name
    return (
        f"Drop {names} from the chains or the profile; or run it on the CPU "
        f"(engines.setup.{one}.device: cpu) or on another machine (engines.setup.{one}.address)."
    )
