"""Which voices flows may name, as far as that is known without running an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.catalogue import Embedded, Installed, find
from engines.installing.voices import names_of
from engines.tts.espeak import LANGUAGES, VARIANTS
from engines.tts.profiles import profiles_in
from engines.tts.roster import EMBEDDED
from ivr.config import Config
from ivr.engine_places import place_of, shelf_of
from ivr.flow.sayas import known_languages

ByLanguage = Mapping[str, frozenset[str]]


def known_voices(config: Config) -> ByLanguage:
    """The voices of all engines of each language's chains, the embedded one among them. A language is not
    there when one of its engines may have voices that nobody has seen yet."""
    routes = config.engines.voice_routes
    of_engine = {name: voices_of_engine(config, name) for name in (*routes.engines, EMBEDDED)}
    known: dict[str, frozenset[str]] = {}
    for language in known_languages():
        names = [of_engine[name] for name in (*routes.all_of(language), EMBEDDED)]
        if all(voices is not None for voices in names):
            known[language] = frozenset().union(*(v.get(language, ()) for v in names if v is not None))
    return known


def voices_of_engine(config: Config, name: str) -> ByLanguage | None:
    """Of the catalogue, of files beside the weights, of the configuration (a cloud service's), of voice
    profiles, and those that it had when `ivr engines test` started it. None: it may have others."""
    entry = find(name)
    if isinstance(entry.runs, Embedded):
        return dict.fromkeys(LANGUAGES, VARIANTS)
    setup = config.engines.setup.get(name)
    seen = shelf_of(config).record(entry).voices
    if not isinstance(entry.runs, Installed):
        return dict.fromkeys(entry.languages, frozenset(setup.voices if setup else ()))
    if setup is not None and setup.address is not None:
        profiles: dict[str, set[str]] = {}
        for profile in profiles_in(config.store.path / "voices"):
            if profile.engine == name:
                profiles.setdefault(profile.language, set()).add(profile.id)
        return _union(seen, profiles) if seen else None
    weights = place_of(config, name).weights
    folder = None if setup is None else setup.options.get("voices")
    found = names_of(entry, weights, None if folder is None else Path(str(folder)))
    complete = entry.voices is not None or bool(seen) or (entry.runs.voice_files is not None and bool(found))
    return _union(seen, found) if complete else None


def _union(*sources: Mapping[str, Any]) -> ByLanguage:
    languages = {language for source in sources for language in source}
    return {
        language: frozenset().union(*(source.get(language, ()) for source in sources))
        for language in languages
    }
