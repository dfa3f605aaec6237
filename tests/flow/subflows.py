"""A flow that enters another, to be changed by tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ivr.flow.loader import check_file, load_flow
from ivr.flow.model import Flow

THANKS = "  thanks: {say: thanks, next: report}\n"
DESK = """  desk: {transfer: {to: "+911234567890", context: result}, next: report, otherwise: sorry}\n"""
NOTE = "  note: {request: {post: note, timeout: 5s}, next: kept, otherwise: done}\n"

SHOP = """
flow: shop
languages: [en, hi]
params: {vendor: text, spoken: {type: language, optional: true}}
result: {size: {one_of: [small, large, unknown], default: unknown}, floor: optional count}
limits: {call: 5m, visits: 3}
events: {hangup: report, failure: sorry, operator: desk}
start: hello
steps:
  hello: {say: hello, next: part}
  part:
    flow: {name: part, with: {shop: "{{ vendor }}"}, result: {size: chosen, floor: storey}}
    next: thanks
    otherwise: sorry
  thanks: {say: thanks, next: report}
  sorry: {say: sorry, next: report}
  desk: {transfer: {to: "+911234567890", context: result}, next: report, otherwise: sorry}
  report: {request: {post: report, body: result, background: true}, next: bye}
  bye: {end: normal}
prompts:
  hello: {en: Hello., hi: नमस्ते।}
  thanks: {en: "Thank you, {{ size }}.", hi: "धन्यवाद, {{ size }}।"}
  sorry: {en: Sorry., hi: क्षमा।}
"""

PART = """
flow: part
languages: [en, hi, mr]
params: {shop: text}
result: {chosen: {one_of: [small, large], default: small}, storey: optional count}
limits: {call: 1m, visits: 2}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      choices:
        small: {key: "1", next: which}
        large: {key: "2", intent: affirm, set: {chosen: large}, next: which}
        never: {key: "3", next: nope}
        again: {key: "9", next: ask}
      otherwise: nope
  which:
    collect: {prompt: which, into: storey, keys: {length: 1..2, end: "#"}, next: done, otherwise: done}
  done: {end: normal}
  nope: {end: rejected}
prompts:
  ask: {en: "Small or large, {{ shop }}?", hi: "छोटा या बड़ा, {{ shop }}?", mr: "लहान का मोठे, {{ shop }}?"}
  which: {en: "Which floor?", hi: "कौन सी मंज़िल?", mr: "कोणता मजला?"}
"""


def changed(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def written(folder: Path, *texts: str) -> Flow:
    """Writes flows beside each other, and loads the first."""
    return load_flow(_write(folder, texts)[0])


def messages(folder: Path, *texts: str, at: int = 0) -> list[str]:
    """What the check says of one of them."""
    problems = check_file(_write(folder, texts)[at])
    return [f"{p.line}: rule {p.rule}: {p.message} ({p.hint})" for p in problems]


def _write(folder: Path, texts: Sequence[str]) -> list[Path]:
    paths = [folder / f"flow{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


WAITS = changed(
    PART,
    ("start: ask\n", "events: {hangup: note}\nstart: ask\n"),
    ("prompts:\n", "{note}  kept: {set: {storey: 7}, next: done}\nprompts:\n".replace("{note}", NOTE)),
)
"""The part, with silent steps of its own after a hang-up."""
