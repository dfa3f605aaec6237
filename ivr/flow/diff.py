"""`ivr diff A B`: what changes for callers, and for those who start calls, when flow B takes the place of A.

Comments, layout, and the order of steps and of prompts in the file make no difference.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Literal, TextIO

from ivr.flow.facts import declared, facts_of
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow, Prompt, Step
from ivr.flow.problems import FlowError
from ivr.flow.verbs.asking import AskingStep

Format = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Change:
    """`where` is a part of the flow, `what` something of it; `before` None: it is new, `after` None: gone."""

    where: str
    what: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        place = f"{self.where}: {self.what}" if self.what else self.where
        if self.where.rpartition(": ")[2].startswith("prompt "):
            lines = [place]
            lines += [] if self.before is None else [f'    - "{self.before}"']
            lines += [] if self.after is None else [f'    + "{self.after}"']
            return "\n".join(lines)
        if self.before is None:
            return f"{place}: new: {self.after}"
        if self.after is None:
            return f"{place}: gone (was {self.before})"
        return f"{place}: was {self.before}, now {self.after}"


def diff(a: Flow, b: Flow) -> list[Change]:
    """The head first, then the steps in the order of B (those that are gone after them), then the prompts;
    and the same of flows within that both enter."""
    return [*_own(a, b), *_within(a, b)]


def _own(a: Flow, b: Flow) -> list[Change]:
    return [*_head(a, b), *_steps(a, b), *_prompts(a, b)]


def _within(a: Flow, b: Flow) -> Iterator[Change]:
    for name, after in b.family.items():
        before = a.family.get(name)
        if after is not b and before is not None and before is not a and before.hash != after.hash:
            for change in _own(before, after):
                yield replace(change, where=f"flow {name}: {change.where}")


def _compare(where: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Change]:
    for what in dict.fromkeys((*b, *a)):
        before, after = a.get(what), b.get(what)
        if before != after:
            yield Change(where, what, before, after)


def _head(a: Flow, b: Flow) -> Iterator[Change]:
    yield from _compare("flow", _top(a), _top(b))
    yield from _compare("params", {n: declared(t) for n, t in a.params.items()},
                        {n: declared(t) for n, t in b.params.items()})  # fmt: skip
    for where in ("result", "variables"):
        before, after = getattr(a, where), getattr(b, where)
        yield from _compare(where, {n: declared(f) for n, f in before.items()},
                            {n: declared(f) for n, f in after.items()})  # fmt: skip
    yield from _compare("limits", _limits(a), _limits(b))
    yield from _compare("events", _events(a), _events(b))


def _top(flow: Flow) -> dict[str, str]:
    top = {"name": flow.name, "languages": ", ".join(flow.languages), "first step": flow.start.step}
    manner = flow.manner
    top |= {f"voice for {language}": voice for language, voice in manner.voices.items()}
    if manner.rate != 1.0:
        top["speaking rate"] = f"{manner.rate:g}"
    for word, said in manner.words.items():
        top[f'"{word}" is said'] = ", ".join(f"{language}: {text}" for language, text in said.items())
    return top


def _limits(flow: Flow) -> dict[str, str]:
    return {"call": f"{flow.limits.call_s:g} s", "visits of a step": str(flow.limits.visits)}


def _events(flow: Flow) -> dict[str, str]:
    events = {"hangup": flow.events.hangup, "failure": flow.events.failure, "operator": flow.events.operator}
    return {f"{name} leads to": target.step for name, target in events.items() if target is not None}


def _steps(a: Flow, b: Flow) -> Iterator[Change]:
    for name, step in b.steps.items():
        old = a.steps.get(name)
        if old is None:
            yield Change(f"step {name}", "", None, _summary(step))
            continue
        yield from _compare(f"step {name}", facts_of(old), facts_of(step))
        if isinstance(old, AskingStep) and isinstance(step, AskingStep):
            yield from _phrases(name, old, step)
    for name, step in a.steps.items():
        if name not in b.steps:
            yield Change(f"step {name}", "", _summary(step), None)


def _summary(step: Step) -> str:
    spoken = step.prompts()[:1]
    says = f' that says "{spoken[0].name}"' if spoken else ""
    ways = ", ".join(dict.fromkeys(way.target.step for way in step.exits()))
    return step.verb + says + (f", leads to {ways}" if ways else "")


def _phrases(name: str, a: AskingStep, b: AskingStep) -> Iterator[Change]:
    """What may be said for an intent that both have, in the languages that both have."""
    for language in (language for language in b.phrases if language in a.phrases):
        before, after = a.phrases[language], b.phrases[language]
        for intent in (intent for intent in after if intent in before):
            gone = [phrase for phrase in before[intent] if phrase not in after[intent]]
            new = [phrase for phrase in after[intent] if phrase not in before[intent]]
            if gone or new:
                yield Change(f"step {name}", f"phrases of {intent} in {language}", _list(gone), _list(new))


def _list(phrases: Sequence[str]) -> str | None:
    return ", ".join(f'"{phrase}"' for phrase in phrases) or None


def _prompts(a: Flow, b: Flow) -> Iterator[Change]:
    shared = [language for language in b.languages if language in a.languages]
    spoken_a, spoken_b = _spoken(a), _spoken(b)
    for name in dict.fromkeys((*spoken_b, *spoken_a)):
        before, after = spoken_a.get(name), spoken_b.get(name)
        for language in shared:
            old, new = _worded(before, language), _worded(after, language)
            if old != new:
                yield Change(f"prompt {name}", f"in {language}", old, new)


def _spoken(flow: Flow) -> dict[str, Prompt]:
    """The prompts that a caller can hear."""
    return {prompt.name: prompt for step in flow.steps.values() for prompt in step.prompts()}


def _worded(prompt: Prompt | None, language: str) -> str | None:
    wording = None if prompt is None else prompt.wordings.get(language)
    if wording is None:
        return None
    text = "" if wording.text is None else wording.text.source
    if wording.audio is None:
        return text
    # The mark changes with the content of the file.
    return f"[{PurePath(wording.audio).name} {wording.recording.digest[:8]}] {text}".rstrip()


def run(a: Path, b: Path, format: Format = "text", out: TextIO | None = None) -> int:
    """Prints what changes; returns 0 when nothing does, 1 when something does, 2 when a flow cannot be
    used."""
    out = out or sys.stdout
    flows: list[Flow] = []
    for path in (a, b):
        try:
            flows.append(load_flow(path))
        except FlowError as error:
            print(error, file=sys.stderr)
    if len(flows) < 2:
        return 2
    changes = diff(*flows)
    if format == "json":
        listed = {"a": str(a), "b": str(b), "changes": [asdict(change) for change in changes]}
        out.write(json.dumps(listed, ensure_ascii=False, indent=2) + "\n")
    elif changes:
        out.writelines(f"{change}\n" for change in changes)
    else:
        out.write("nothing changes for callers\n")
    return 1 if changes else 0
