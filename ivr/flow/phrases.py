"""The phrases of intents: the built-in ones, the flow's own (`intents`), and those of a single choice."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from ivr.flow.intents import builtin_phrases
from ivr.flow.model import Phrases
from ivr.flow.problems import Rule, did_you_mean
from ivr.flow.reading import FlowScope

OwnPhrases = Mapping[str, tuple[str, ...]]
"""language -> phrases."""

OPERATOR = "operator"
"""The built-in intent that takes the flow's `operator` event."""

MAX_PHRASE = 120
MAX_PHRASES = 100


def read_phrases(flow: FlowScope, node: yaml.Node, what: str) -> OwnPhrases:
    """`{hi: [...], en: [...]}`: language -> phrases."""
    reader = flow.reader
    found: dict[str, tuple[str, ...]] = {}
    for entry in reader.entries(node, what):
        if entry.key not in flow.languages:
            hint = did_you_mean(entry.key, flow.languages)
            reader.problem(
                entry.key_place, Rule.CHOICES, f'{what}: "{entry.key}" is not a language of this flow', hint
            )
            continue
        items = reader.items(entry.node, f"{entry.key} in {what}")
        if len(items) > MAX_PHRASES:
            message = f"{what} has {len(items)} phrases in {entry.key}, and at most {MAX_PHRASES} are allowed"
            reader.problem(entry.node, Rule.CHOICES, message, "similar ones are heard without being listed")
            continue
        texts = (reader.words(item, f"a phrase of {what}") for item in items)
        found[entry.key] = tuple(text for text in texts if text and len(text) <= MAX_PHRASE)
    return found


def own_phrases(flow: FlowScope, intent: str, given: OwnPhrases) -> OwnPhrases:
    """What the flow says of an intent besides the built-in phrases: under `intents`, and where it is used."""
    declared = flow.intents.get(intent)
    if declared is None:
        return given
    languages = dict.fromkeys((*declared, *given))
    return {language: (*declared.get(language, ()), *given.get(language, ())) for language in languages}


def collect_phrases(flow: FlowScope, intents: Mapping[str, OwnPhrases]) -> Phrases:
    """Per language what is listened for: each intent's phrases, built-in and its own, and the operator's
    where the flow has one."""
    wanted = dict(intents)
    if flow.operator:
        wanted.setdefault(OPERATOR, own_phrases(flow, OPERATOR, {}))
    same = tuple(wanted) if not any(wanted.values()) else None
    if same is not None and same in flow.phrases:
        return flow.phrases[same]
    phrases: dict[str, dict[str, tuple[str, ...]]] = {}
    for language in flow.languages:
        for intent, own in wanted.items():
            listed = (*builtin_phrases(intent, language), *own.get(language, ()))
            if listed:
                phrases.setdefault(language, {})[intent] = tuple(dict.fromkeys(listed))
    if same is not None:
        flow.phrases[same] = phrases
    return phrases
