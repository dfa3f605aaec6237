"""How a flow is spoken: by which voices, how fast, and how its words are said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from ivr.flow.nodes import Entry, Fields, Reader
from ivr.flow.problems import Place, Rule, did_you_mean
from ivr.flow.respelling import Respelling

SLOWEST: Final = 0.5
FASTEST: Final = 2.0
MAX_WORDS: Final = 200
MAX_WORD: Final = 60
"""Longest word of a dictionary and longest way of saying it, in characters."""

Words = Mapping[str, Mapping[str, str]]
"""word -> language -> how it is said."""


@dataclass(frozen=True, slots=True)
class Manner:
    """`voices` by language, in the engines' own names; `rate` as a multiple of a voice's normal speed;
    `words` are the flow's own dictionary, `say_as` that of the server with them, by language."""

    voices: Mapping[str, str] = field(default_factory=dict)
    rate: float = 1.0
    words: Words = field(default_factory=dict)
    say_as: Mapping[str, Respelling] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Where each voice is written."""

    def voice(self, language: str) -> str:
        """Empty: the engine's own choice."""
        return self.voices.get(language, "")


PLAIN: Final = Manner()


def dictionary_faults(words: Words) -> dict[str, str]:
    """What is wrong with the words of a dictionary, by word; whatever its source is."""
    faults: dict[str, str] = {}
    seen: dict[str, str] = {}
    for word, said in words.items():
        first = seen.setdefault(" ".join(word.casefold().split()), word)
        if first != word:
            faults[word] = f'is "{first}" again: capitals make no difference'
        elif not re.search(r"\w", word) or len(word) > MAX_WORD:
            faults[word] = f"must be a word of at most {MAX_WORD} characters"
        for language, text in said.items():
            if not re.search(r"\w", text) or len(text) > MAX_WORD:
                faults[word] = f"in {language} must be said in words, at most {MAX_WORD} characters"
    return faults


def respellings(languages: tuple[str, ...], *dictionaries: Words) -> dict[str, Respelling]:
    """Dictionaries by language; of two that know a word the later one counts."""
    found: dict[str, Respelling] = {}
    for language in languages:
        words = {
            word.casefold(): said[language]
            for dictionary in dictionaries
            for word, said in dictionary.items()
            if language in said
        }
        if words:
            found[language] = Respelling(words)
    return found


def read_manner(reader: Reader, fields: Fields, languages: tuple[str, ...], shared: Words) -> Manner:
    """Reads `voice`, `rate` and `say_as` of a flow; `shared` is the dictionary of the server."""
    voices: dict[str, str] = {}
    places: dict[str, Place] = {}
    node = fields.take("voice")
    for entry in [] if node is None else _by_language(reader, node, "voice", languages):
        voice = reader.text(entry.node, f"voice in {entry.key}")
        if voice:
            voices[entry.key] = voice
            places[entry.key] = entry.place
    rate = fields.read("rate", lambda n, what: _rate(reader, n, what), 1.0)
    words = _words(reader, fields, languages)
    return Manner(voices, rate, words, respellings(languages, shared, words), places)


def _by_language(reader: Reader, node: yaml.Node, what: str, languages: tuple[str, ...]) -> list[Entry]:
    known: list[Entry] = []
    for entry in reader.entries(node, what):
        if entry.key in languages:
            known.append(entry)
        else:
            message = f'{what}: "{entry.key}" is not a language of this flow'
            reader.problem(entry.key_place, Rule.PROMPTS, message, did_you_mean(entry.key, languages))
    return known


def _rate(reader: Reader, node: yaml.Node, what: str) -> float | None:
    if isinstance(node, yaml.ScalarNode) and not node.style and re.fullmatch(r"\d(\.\d+)?", node.value):
        rate = float(node.value)
        if SLOWEST <= rate <= FASTEST:
            return rate
    hint = "1 is the voice's own speed, 1.2 a fifth faster"
    reader.problem(node, Rule.YAML, f"{what} must be a number from {SLOWEST:g} to {FASTEST:g}", hint)
    return None


def _words(reader: Reader, fields: Fields, languages: tuple[str, ...]) -> Words:
    node = fields.take("say_as")
    if node is None:
        return {}
    entries = list(reader.entries(node, "say_as"))
    if len(entries) > MAX_WORDS:
        reader.problem(node, Rule.PROMPTS, f"say_as has more than {MAX_WORDS} words")
        return {}
    words: dict[str, dict[str, str]] = {}
    for entry in entries:
        what = f'say_as of "{entry.key}"'
        said = words[entry.key] = {}
        for each in _by_language(reader, entry.node, what, languages):
            text = reader.text(each.node, f"{what} in {each.key}")
            if text is not None:
                said[each.key] = text
    faults = dictionary_faults(words)
    for entry in entries:
        if entry.key in faults:
            reader.problem(entry.key_place, Rule.PROMPTS, f'say_as: "{entry.key}" {faults[entry.key]}')
    return words
