"""What a scripted caller does, as a YAML list of steps. Pure: read here, carried out by `ivr.phone.calling`.

```yaml
- hear: 10s            # wait until something is heard, at most so long
- press: "1"           # keys, in order
- quiet: 800ms         # wait until it has been quiet for so long: the prompt is over
- say: "नहीं"           # spoken by espeak-ng, in the phone's language
- play: answer.wav     # a file, relative to the script
- wait: 2s
- hang_up              # or: hung_up: 20s, to wait until the far end does
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from media.dtmf import KEYS

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_LONGEST_S: Final = 3600.0

HEAR_S: Final = 15.0
QUIET_S: Final = 0.8
HUNG_UP_S: Final = 30.0


class ScriptError(ValueError):
    """The script cannot be followed; the text names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Hear:
    """Wait until something is heard, at most `within_s`."""

    within_s: float = HEAR_S


@dataclass(frozen=True, slots=True)
class Quiet:
    """Wait until it has been quiet for `for_s`."""

    for_s: float = QUIET_S


@dataclass(frozen=True, slots=True)
class Press:
    keys: str


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class PlayFile:
    path: Path


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class HangUp:
    pass


@dataclass(frozen=True, slots=True)
class HungUp:
    """Wait until the far end hangs up, at most `within_s`."""

    within_s: float = HUNG_UP_S


Step = Hear | Quiet | Press | Say | PlayFile | Wait | HangUp | HungUp


def load_script(path: Path) -> tuple[Step, ...]:
    """Reads a script; raises `ScriptError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: {error}") from error
    return parse_script(text, path)


def parse_script(text: str, path: Path = Path("script")) -> tuple[Step, ...]:
    """Reads the text of a script that lies at `path`; raises `ScriptError`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ScriptError(f"{path}: {error}") from error
    if not isinstance(root, yaml.SequenceNode):
        raise ScriptError(f'{path}: a script is a list of steps, such as `- press: "1"`')
    return tuple(_step(node, path) for node in root.value)


def parse_duration(text: str) -> float:
    """Seconds of `800ms`, `2s`, `1.5s` or `1m`; raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write 800ms, 2s or 1m")
    seconds = float(match[1]) * _UNIT_S[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError(f"{text!r} is longer than an hour")
    return seconds


def check_keys(keys: str) -> str:
    """Raises ValueError when there is something else than 0-9 * # A-D in it."""
    keys = keys.upper()
    wrong = sorted(set(keys) - set(KEYS))
    if wrong or not keys:
        raise ValueError(f"{keys!r} are no keys; the keys are {KEYS}")
    return keys


def _step(node: yaml.Node, path: Path) -> Step:
    place = f"{path}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.ScalarNode):
        verb, value = node.value, None
    elif (
        isinstance(node, yaml.MappingNode)
        and len(node.value) == 1
        and all(isinstance(part, yaml.ScalarNode) for part in node.value[0])
    ):
        verb, value = node.value[0][0].value, node.value[0][1].value
    else:
        raise ScriptError(f'{place}: a step is one verb with its value, such as `press: "1"`')
    try:
        return _made(verb, value, path.parent)
    except ValueError as error:
        raise ScriptError(f"{place}: {verb}: {error}") from error


def _made(verb: str, value: str | None, folder: Path) -> Step:
    match verb, value:
        case "hear", _:
            return Hear(HEAR_S if value is None else parse_duration(value))
        case "quiet", _:
            return Quiet(QUIET_S if value is None else parse_duration(value))
        case "hung_up", _:
            return HungUp(HUNG_UP_S if value is None else parse_duration(value))
        case "hang_up", None:
            return HangUp()
        case "press", str():
            return Press(check_keys(value))
        case "say", str() if value.strip():
            return Say(value)
        case "play", str() if value:
            return PlayFile(folder / value)
        case "wait", str():
            return Wait(parse_duration(value))
        case (("press" | "say" | "play" | "wait"), _):
            raise ValueError("needs a value")
        case "hang_up", _:
            raise ValueError("takes no value")
    raise ValueError("is no verb; there are hear, quiet, press, say, play, wait, hang_up and hung_up")
