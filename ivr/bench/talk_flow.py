"""The flow that `ivr bench talk` calls: a conversation without an end, with a language model or without."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NAME: Final = "talk"

FLOOR_S: Final = 0.2
"""The silence that ends a turn at the soonest."""

_HEAD: Final = f"""\
flow: {NAME}
languages: [en]
result:
  words: {{type: text, default: nothing}}
limits: {{call: 60m, visits: 100}}
"""

_AGENT: Final = """\
start: hello
steps:
  hello: {say: hello, next: talk}
  talk:
    agent:
      instructions: "You answer callers of a shop, in one short sentence."
      limits: {turns: 100, time: 30m}
      barge_in: any
      end_silence: 200ms..600ms
    next: bye
    otherwise: bye
    operator: bye
  bye: {end: normal}
prompts:
  hello: {en: "Hello, what can I do for you?"}
"""

_FORM: Final = """\
start: ask
steps:
  ask:
    collect:
      prompt: {en: ""}
      into: words
      speech: {slot: text, max: 20s, end_silence: 200ms..600ms}
      retry: {wait: 20s, prompts: []}
      next: told
      otherwise: bye
  told: {say: {en: "{{ words }}, it is."}, next: ask}
  bye: {end: normal}
"""


def write_flow(folder: Path, *, agent: bool) -> None:
    """With an agent, or as a form that says again what it has heard."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.yaml").write_text(_HEAD + (_AGENT if agent else _FORM), encoding="utf-8")
