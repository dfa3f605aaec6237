"""Any `Synthesizer` at the loudness of all the others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from engines.contract import SpeechRequest, Synthesizer
from engines.settled import in_use, settled
from engines.tts.loudness import Leveller

_MOST_VOICES: Final = 256


class LevelledSynthesizer:
    """Levels what another makes. The gain that a voice needed is remembered: its next sentence begins with
    it.
    """

    def __init__(self, inner: Synthesizer) -> None:
        self._inner = inner
        self._gains_db: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def version(self) -> str:
        return f"{self._inner.version}-level1"

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
        same._gains_db = self._gains_db
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
        leveller = Leveller(self.sample_rate, self._gains_db.get(voice))
        async with aclosing(self._inner.synthesize(request, deadline_s=deadline_s)) as sound:
            async for chunk in sound:
                if level := leveller.process(chunk):
                    yield level
        self._remember(voice, leveller.gain_db)
        if rest := leveller.flush():
            yield rest

    async def forget(self, key: str) -> None:
        """Drops what is known of a voice profile, here and in the engine."""
        for voice in [voice for voice in self._gains_db if voice[2] == key]:
            del self._gains_db[voice]
        forget = getattr(self._inner, "forget", None)
        if forget is not None:
            await forget(key)

    def _remember(self, voice: tuple[str, str, str], gain_db: float) -> None:
        self._gains_db[voice] = gain_db
        self._gains_db.move_to_end(voice)
        if len(self._gains_db) > _MOST_VOICES:
            self._gains_db.popitem(last=False)
