"""Any `Synthesizer` at the loudness of all the others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

from engines.contract import SpeechRequest, Synthesizer
from engines.settled import in_use, settled
from engines.tts.loudness import Leveller

_MOST_VOICES: Final = 256
_SURE_BLOCKS: Final = 300
"""Half a minute of a voice: from then on its gain is known."""
_MOST_BLOCKS: Final = 600
"""What was long ago counts for less."""
_CHECKED: Final = 10
"""Of so many sentences of a voice that is known one is measured."""


@dataclass(slots=True)
class _Voice:
    """The gain that a voice needed on the average, and over how many blocks of 100 ms that was measured."""

    gain_db: float
    blocks: int
    sentences: int = 0

    @property
    def known(self) -> bool:
        return self.blocks >= _SURE_BLOCKS and self.sentences % _CHECKED != 0

    def heard(self, gain_db: float, blocks: int) -> None:
        self.blocks = min(_MOST_BLOCKS, self.blocks + blocks)
        self.gain_db += (gain_db - self.gain_db) * min(1.0, blocks / self.blocks)


class LevelledSynthesizer:
    """Levels what another makes. The gain that a voice needed is remembered: its next sentence begins with
    it, and once it is sure, most sentences are made louder by it without being measured, which costs a
    quarter.
    """

    def __init__(self, inner: Synthesizer) -> None:
        self._inner = inner
        self._known: OrderedDict[tuple[str, str, str], _Voice] = OrderedDict()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def version(self) -> str:
        return f"{self._inner.version}-level2"

    @property
    def sample_rate(self) -> int:
        return self._inner.sample_rate

    def supports(self, language: str) -> bool:
        return self._inner.supports(language)

    def voices(self, language: str) -> frozenset[str]:
        return self._inner.voices(language)

    def now(self) -> LevelledSynthesizer:
        """See `engines.settled`; what is known of the voices is shared."""
        inner = settled(self._inner)
        if inner is self._inner:
            return self
        same = LevelledSynthesizer(inner)
        same._known = self._known
        return same

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """See `engines.settled`."""
        with in_use(self._inner):
            yield

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`; 5 ms of sound are held back until the end."""
        profile = request.reference.key if request.reference else ""
        voice = (request.language, request.voice, profile)
        known = self._known.get(voice)
        fixed = known is not None and known.known
        leveller = Leveller(self.sample_rate, known.gain_db if known else None, fixed=fixed)
        async with aclosing(self._inner.synthesize(request, deadline_s=deadline_s)) as sound:
            async for chunk in sound:
                if level := leveller.process(chunk):
                    yield level
        self._remember(voice, leveller)
        if rest := leveller.flush():
            yield rest

    async def forget(self, key: str) -> None:
        """Drops what is known of a voice profile, here and in the engine."""
        for voice in [voice for voice in self._known if voice[2] == key]:
            del self._known[voice]
        forget = getattr(self._inner, "forget", None)
        if forget is not None:
            await forget(key)

    def _remember(self, voice: tuple[str, str, str], leveller: Leveller) -> None:
        known = self._known.setdefault(voice, _Voice(0.0, 0))
        known.sentences += 1
        if leveller.blocks:
            known.heard(leveller.wanted_db, leveller.blocks)
        self._known.move_to_end(voice)
        if len(self._known) > _MOST_VOICES:
            self._known.popitem(last=False)
