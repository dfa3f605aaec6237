"""The flow that is called by the benchmark: two menus that lead to each other by key 1.

Each has a prompt of its own, a square wave whose level tells it apart from the other in every single
packet. So the first packet of the next prompt is known for certain, also while the last of the one cut off
still come.
"""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Final

from media.codecs import PCMA

NAME: Final = "bench"
KEY: Final = "1"
PROMPT_S: Final = 5

MOST_KEYS: Final = 130
"""A step may be entered 70 times in a call."""

_RATE: Final = 8000
_HALF_PERIOD: Final = 10  # samples: 400 Hz, and a whole number of periods in a frame
LEVELS: Final = {"a": 12000, "b": 3000}

SIGNATURE_OFFSET: Final = 80
"""Byte of a payload that tells the prompt: here every frame has the same phase."""

_TEXT: Final = f"""\
flow: {NAME}
languages: [en]
result:
  heard: optional text
limits: {{call: 30m, visits: 70}}
start: a
steps:
  a:
    menu:
      prompt: a
      barge_in: keys
      choices:
        onward: {{key: "{KEY}", next: b}}
      retry: {{wait: 2s, prompts: []}}
      otherwise: bye
  b:
    menu:
      prompt: b
      barge_in: keys
      choices:
        onward: {{key: "{KEY}", next: a}}
      retry: {{wait: 2s, prompts: []}}
      otherwise: bye
  bye: {{end: normal}}
prompts:
  a: {{en: {{audio: a.wav}}}}
  b: {{en: {{audio: b.wav}}}}
"""


def signature(prompt: str) -> int:
    """The byte at `SIGNATURE_OFFSET` of every PCMA payload of the prompt."""
    return PCMA.new_encoder()(struct.pack("<h", LEVELS[prompt]))[0]


def write_flow(folder: Path) -> None:
    """Writes the flow and its audio files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.yaml").write_text(_TEXT, encoding="utf-8")
    for name, level in LEVELS.items():
        period = struct.pack("<h", level) * _HALF_PERIOD + struct.pack("<h", -level) * _HALF_PERIOD
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_RATE)
            file.writeframes(period * (_RATE * PROMPT_S // (2 * _HALF_PERIOD)))
