"""Engines in the order of each language, as one row for whoever tries them in turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from engines.contract import SpeechRequest, Synthesizer
from engines.tts.levelled import LevelledSynthesizer


class InLanguage:
    """An engine that is asked for one language alone."""

    def __init__(self, inner: Synthesizer, language: str) -> None:
        self._inner = inner
        self._language = language

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def version(self) -> str:
        return self._inner.version

    @property
    def sample_rate(self) -> int:
        return self._inner.sample_rate

    def supports(self, language: str) -> bool:
        return language.partition("-")[0].lower() == self._language and self._inner.supports(language)

    def voices(self, language: str) -> frozenset[str]:
        return self._inner.voices(language) if self.supports(language) else frozenset()

    def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        return self._inner.synthesize(request, deadline_s=deadline_s)


def in_order(
    chains: Mapping[str, Sequence[str]], engines: Mapping[str, Synthesizer], last: Sequence[Synthesizer]
) -> tuple[Synthesizer, ...]:
    """All engines so that, of those that support a language, the first is that language's first choice.

    `chains` names `engines` by language; each is levelled. `last` follows in every language: where it alone
    speaks, it is left as it is.
    """
    levelled = {name: LevelledSynthesizer(engine) for name, engine in engines.items()}
    row = [
        InLanguage(levelled[name], language)
        for language, names in chains.items()
        for name in names
        if name in levelled
    ]
    return (*row, *(map(LevelledSynthesizer, last) if row else last))
