"""What the configuration says of chains: engines by language and purpose, and how long each is waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

from engines.contract import base_of

Purpose = Literal["prompt", "reply", "number", "phrases", "free"]
"""What a text is, or what is listened for: a flow's own prompt, what an agent answers, figures alone; given
phrases, or free speech."""

SPOKEN: Final[tuple[Purpose, ...]] = ("prompt", "reply", "number")
HEARD: Final[tuple[Purpose, ...]] = ("phrases", "free")

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Chain:
    """Engines by name, first choice first. One that has not answered `hedge_s` after it was asked gets the
    next beside it."""

    engines: tuple[str, ...]
    hedge_s: float


@dataclass(frozen=True, slots=True)
class Routes:
    """Chains by language and purpose. The empty chain of `hedge_s`, where there is none: what comes last in
    every chain is there alone."""

    hedge_s: float = 0.3
    by_language: Mapping[str, Mapping[Purpose, Chain]] = field(default_factory=dict)

    def chain(self, language: str, purpose: Purpose) -> Chain:
        """ "hi-IN" goes the way of "hi"."""
        chains = self.by_language.get(base_of(language), {})
        return chains.get(purpose) or Chain((), self.hedge_s)

    def all_of(self, language: str) -> tuple[str, ...]:
        """The engines of all chains of a language, each once."""
        chains = self.by_language.get(base_of(language), {}).values()
        return tuple(dict.fromkeys(name for chain in chains for name in chain.engines))

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines of all chains, each once."""
        return tuple(dict.fromkeys(name for language in self.by_language for name in self.all_of(language)))


@dataclass(frozen=True, slots=True)
class Link(Generic[E]):
    """An engine in a chain. `key` tells apart those of one name."""

    key: str
    engine: E


class Engines(Generic[E]):
    """The engines that chains name, and those that end every chain."""

    def __init__(
        self, routes: Routes, named: Mapping[str, E], last: Sequence[E], embedded: str = "embedded"
    ) -> None:
        """`last` are of the name `embedded`; raises ValueError when there are none."""
        if not last:
            raise ValueError("a chain needs an end")
        self.routes = routes
        self._named = {name: Link(name, engine) for name, engine in named.items()}
        self._embedded = embedded
        self._last = tuple(
            Link(key_of(embedded, number), engine) for number, engine in enumerate(last, start=1)
        )

    @property
    def links(self) -> tuple[Link[E], ...]:
        """Every engine once."""
        return (*self._named.values(), *self._last)

    def row(self, language: str, purpose: Purpose) -> tuple[Link[E], ...]:
        """Who is to be asked, in turn. The embedded engine stands where the chain names it, and last."""
        row: list[Link[E]] = []
        for name in self.routes.chain(language, purpose).engines:
            if name == self._embedded:
                row.append(self._last[0])
            elif name in self._named:
                row.append(self._named[name])
        return self.ended((*row, *(link for link in self._last if link not in row)))

    def others(self, language: str, purpose: Purpose) -> tuple[Link[E], ...]:
        """Engines of the language's other chains."""
        named = self.routes.chain(language, purpose).engines
        return tuple(
            self._named[name]
            for name in self.routes.all_of(language)
            if name not in named and name in self._named
        )

    def ended(self, row: Sequence[Link[E]]) -> tuple[Link[E], ...]:
        """The same with the embedded engine last, if need be once more."""
        return tuple(row) if row and row[-1] in self._last else (*row, self._last[-1])


def key_of(name: str, number: int) -> str:
    """Of the engines of one name the second is NAME#2."""
    return name if number == 1 else f"{name}#{number}"


def name_of(key: str) -> str:
    """The engine's name in the key of a link."""
    return key.partition("#")[0]
