"""Turns what clients ask for into orders: which engine, which voice, and what it will leave out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engines.catalogue import CatalogueEntry, Kind, find, not_here
from engines.contract import VoiceReference, base_of
from engines.routing.routes import Routes
from engines.service.encoding import output_rate
from engines.service.errors import ServiceError, bad_request
from engines.supervisor import WorkerHealth
from engines.tts.emotion import EMOTIONS, TAGS, UnknownTag, check_tags, fit, style
from engines.tts.levelled import LevelledSynthesizer
from engines.tts.profiles import PREFIX, VoiceProfile, VoiceProfiles
from engines.tts.roster import EMBEDDED, TtsEngine, health_of
from engines.tts.service.models import ANY_MODEL, ANY_VOICE, EngineVoice, ModelInfo, SpeechBody
from engines.tts.service.speaking import Order, Spoken

_DEVANAGARI: Final = re.compile(r"[\u0900-\u097f]")
_WATERMARKED: Final = {"chatterbox-turbo": "perth", "chatterbox-multilingual": "perth"}


class Desk:
    """Knows the engines, the chain of each language, and the voice profiles."""

    def __init__(
        self,
        engines: Sequence[TtsEngine],
        routes: Routes,
        profiles: VoiceProfiles,
    ) -> None:
        """A client's text is a prompt to the `routes`. The embedded engine, where it is among the `engines`,
        is the last of every chain.
        """
        self._places = {engine.name: engine for engine in engines}
        """By the name that the routes have; another engine may have taken its place."""
        self._level = {engine.name: LevelledSynthesizer(engine) for engine in engines}
        self._routes = routes
        self._profiles = profiles

    @property
    def _engines(self) -> dict[str, TtsEngine]:
        return {engine.name: engine for engine in self._places.values()}

    @property
    def _levelled(self) -> dict[str, LevelledSynthesizer]:
        return {engine.name: engine for engine in self._level.values()}

    @property
    def names(self) -> list[str]:
        return list(self._engines)

    def health(self, name: str) -> WorkerHealth:
        return health_of(self._engines.get(name) or self._places[name])

    def reasons(self) -> list[str]:
        """Why no work should come now: no engine is up."""
        health = [self.health(name) for name in self._engines]
        if any(each.pid is not None for each in health):
            return []
        return [f"{each.name} is {each.state.value}: {each.last_failure}" for each in health]

    def order(self, body: SpeechBody, owner: str) -> Order:
        """Raises `ServiceError` for what no engine here can do."""
        try:
            check_tags(body.input)
        except UnknownTag as error:
            raise bad_request(str(error), code="unknown_tag", param="input") from error
        language = body.language or ("hi" if _DEVANAGARI.search(body.input) else "en")
        order = Order(
            body.input,
            language,
            (),
            speed=body.speed,
            emotion=body.emotion,
            intensity=body.intensity,
        )
        if body.voice.startswith(PREFIX):
            return self._in_profile(order, self.profile(body.voice, owner), body.model)
        voice = "" if body.voice in ANY_VOICE else body.voice
        engines = self._candidates(body.model, language)
        speaking = [name for name in engines if self._engines[name].supports(language)]
        if not speaking:
            raise self._unspoken(language, engines)
        able = [name for name in speaking if not voice or voice in self._engines[name].voices(language)]
        if not able:
            raise bad_request(
                f"no voice is called {body.voice!r} in {language} with {' or '.join(speaking)}; /v1/voices "
                "lists them",
                code="voice_not_found",
                param="voice",
                status=404,
            )
        return replace(order, voice=voice, engines=tuple(self._levelled[name] for name in able))

    def cloning(self, name: str, language: str) -> str:
        """The engine that clones in this language; raises `ServiceError`."""
        engines = self._candidates(name, language)
        able = [
            each
            for each in engines
            if find(each).cloning and self._engines[each].supports(language) and each != "elevenlabs"
        ]
        if not able:
            raise bad_request(
                f"no engine here clones a voice in {language!r}: {self._who_clones()}",
                code="cannot_clone",
                param="model",
            )
        return able[0]

    def with_reference(self, order: Order, engine: str, reference: VoiceReference) -> Order:
        return replace(order, engines=(self._levelled[engine],), reference=reference)

    def profile(self, profile_id: str, owner: str) -> VoiceProfile:
        found = self._profiles.find(profile_id, owner)
        if found is None:
            message = f"there is no voice profile {profile_id!r}"
            if any(voice.id == profile_id for voice in self.voices()):
                message += ": that is a voice of an engine, as it comes"
            raise bad_request(message, code="voice_not_found", param="voice", status=404)
        return found

    async def forget(self, key: str) -> None:
        """No engine keeps anything of a voice profile afterwards."""
        for engine in self._levelled.values():
            await engine.forget(key)

    def headers(self, body: SpeechBody, spoken: Spoken) -> dict[str, str]:
        """What was done, and what was left out."""
        name = spoken.engine.name
        told = {
            "X-Engine": name,
            "X-Engine-Version": spoken.engine.version,
            "X-Sample-Rate": str(_rate_of(body, spoken)),
            "X-First-Audio-Ms": f"{spoken.first_audio_s * 1000:.1f}",
            "X-Watermark": _WATERMARKED.get(name, "none"),
        }
        if dropped := fit(body.input, name).dropped:
            told["X-Dropped-Tags"] = ", ".join(dropped)
        if style(name, body.emotion, body.intensity) is None:
            told["X-Dropped-Emotion"] = body.emotion
        if body.instructions:
            told["X-Dropped-Instructions"] = "use emotion"
        return told

    def models(self) -> list[ModelInfo]:
        return [self._model(find(name)) for name in self._engines]

    def model(self, name: str) -> ModelInfo:
        if name not in self._engines:
            raise self._no_model(name)
        return self._model(find(name))

    def voices(self) -> list[EngineVoice]:
        found: list[EngineVoice] = []
        for engine in self._engines.values():
            languages: dict[str, list[str]] = {}
            for language in find(engine.name).languages:
                for voice in engine.voices(language):
                    languages.setdefault(voice, []).append(language)
            found += [
                EngineVoice(id=voice, engine=engine.name, languages=languages[voice])
                for voice in sorted(languages)
            ]
        return found

    def _in_profile(self, order: Order, profile: VoiceProfile, model: str) -> Order:
        if model not in (*ANY_MODEL, profile.engine):
            raise bad_request(
                f"the voice profile was made for {profile.engine}, not for {model}",
                code="voice_of_another_model",
                param="model",
            )
        engine = self._engines.get(profile.engine)
        if engine is None:
            raise ServiceError(
                503, f"{profile.engine}, which this voice was made for, is not set up", code="engine_missing"
            )
        if not engine.supports(order.language):
            raise self._unspoken(order.language, [profile.engine])
        return self.with_reference(order, profile.engine, self._profiles.reference(profile))

    def _candidates(self, model: str, language: str) -> list[str]:
        if model not in ANY_MODEL:
            if model not in self._engines:
                raise self._no_model(model)
            return [model]
        named = self._routes.chain(language, "prompt").engines
        chain = [self._places[name].name for name in named if name in self._places]
        rest = [name for name in self._engines if name not in chain and name != EMBEDDED]
        last = [EMBEDDED] if EMBEDDED in self._engines and EMBEDDED not in chain else []
        return [*chain, *(rest if base_of(language) not in self._routes.by_language else ()), *last]

    def _model(self, entry: CatalogueEntry) -> ModelInfo:
        engine = self._engines[entry.name]
        return ModelInfo(
            id=entry.name,
            owned_by=entry.licence.weights,
            version=engine.version,
            languages=list(entry.languages),
            sample_rate=engine.sample_rate,
            cloning=entry.cloning,
            tags=[tag for tag in TAGS if not fit(f"[{tag}]", entry.name).dropped],
            emotions=[emotion for emotion in EMOTIONS if style(entry.name, emotion) is not None],
            up=health_of(engine).pid is not None,
        )

    def _no_model(self, name: str) -> ServiceError:
        return bad_request(
            not_here(name, Kind.TTS, self.names),
            code="model_not_found",
            param="model",
            status=404,
        )

    def _unspoken(self, language: str, engines: Sequence[str]) -> ServiceError:
        spoken = sorted({code for name in engines for code in find(name).languages})
        return bad_request(
            f"{' and '.join(engines)} cannot speak {language!r}; what can be spoken: {', '.join(spoken)}",
            code="unsupported_language",
            param="language",
        )

    def _who_clones(self) -> str:
        able = [name for name in self._engines if find(name).cloning and name != "elevenlabs"]
        return f"{', '.join(able)} can, in other languages" if able else "none that clones is set up"


def _rate_of(body: SpeechBody, spoken: Spoken) -> int:
    """Of the sound in the answer, in Hz: a format without a header tells it nowhere else."""
    return output_rate(body.response_format.audio, body.rate_out or spoken.rate)
