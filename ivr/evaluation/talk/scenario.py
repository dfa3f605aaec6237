"""What simulated callers do, and what is expected of the server: a YAML file. Pure.

```yaml
flow: ../flows/vendor_order.yaml         # what the server answers with
params: {vendor: Sharma, order: "1234", amount: 450, language: hi}
callers:                                 # every scenario is played with each of them
  - {voice: m1}
  - {voice: f2, rate: 1.3, snr: 15}      # faster, over noise that is 15 dB below the speech
within: 1500ms                           # each reply, from the end of speech to the first packet
scenarios:
  - name: says yes and presses the minutes
    caller:
      - say: "हाँ"
      - press: "20#"
    expect: {result: {decision: accepted, eta: 20}}
  - name: coughs, then cuts in
    caller:
      - cough: {after: 700ms}            # into what the server says, which is to go on
      - murmur: {text: "हम्म", after: 1500ms}
      - interrupt: {text: "नहीं", after: 2500ms}
      - silent: 8s
    expect: {result: {decision: rejected}, talked_over: 2}
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ivr.phone.script import check_keys, parse_duration


class ScenariosUnusable(Exception):
    """The file cannot be used; every line of the text names file, line and reason."""


def _seconds(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0.0, le=600.0)]
"""Written as 800ms, 2s or 1m."""

Keys = Annotated[str, BeforeValidator(lambda keys: check_keys(keys) if isinstance(keys, str) else keys)]
Words = Annotated[str, Field(min_length=1, max_length=1000)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Manner(_Strict):
    """How somebody speaks: a voice of the embedded engine, its rate as a multiple, the speech over the noise
    of his line in dB (without: no noise), and the language of his accent, where that is not the call's."""

    voice: str = Field(default="", pattern=r"^([mf][1-8])?$")
    rate: float = Field(default=1.0, ge=0.5, le=2.0)
    snr: float | None = Field(default=None, ge=-10.0, le=60.0)
    accent: Language | None = None

    @property
    def name(self) -> str:
        """Short, for tables."""
        noise = None if self.snr is None else f"{self.snr:g} dB"
        rate = None if self.rate == 1.0 else f"×{self.rate:g}"
        return " ".join(part for part in (self.accent, self.voice or "-", rate, noise) if part)


class _Over(_Strict):
    """Done while the server speaks: `after` counts from the beginning of what it says."""

    after: Seconds = 0.8


class Interrupt(_Over):
    text: Words


class Murmur(_Over):
    text: Words


class Cough(_Over):
    lasts: Annotated[Seconds, Field(gt=0.0, le=2.0)] = 0.25


class Improvise(_Strict):
    """A language model plays the caller, from here to the end or for so many turns."""

    persona: Words
    goal: Words
    turns: int = Field(default=8, ge=1, le=50)


class Act(_Strict):
    """One thing that the caller does. What is said and pressed waits until the server is silent."""

    say: Words | None = None
    press: Keys | None = None
    interrupt: Interrupt | None = None
    murmur: Murmur | None = None
    cough: Cough | None = None
    silent: Seconds | None = None
    hang_up: Literal[True] | None = None
    improvise: Improvise | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        """`hang_up` alone, `cough` alone."""
        if value == "hang_up":
            return {"hang_up": True}
        return {"cough": {}} if value == "cough" else value

    @model_validator(mode="after")
    def _one(self) -> Act:
        if len(self.model_fields_set) != 1 or self.done is None:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"a caller does one thing at a time: one of {known}")
        return self

    @property
    def done(self) -> Any:
        """The value of the one that is set."""
        return getattr(self, next(iter(self.model_fields_set)), None)


class Expect(_Strict):
    """`result` are the fields that count; `talked_over` is how many of the caller's words the server may
    speak over at most, `within` bounds each reply."""

    result: Mapping[str, Any] = {}
    ended: str | None = None
    within: Seconds | None = None
    talked_over: float | None = Field(default=None, ge=0.0)


class Scenario(_Strict):
    name: Words
    caller: list[Act] = Field(min_length=1)
    expect: Expect = Expect()
    params: Mapping[str, Any] = {}


class Answer(_Strict):
    """What an endpoint of the flow answers in this file."""

    status: int = Field(default=200, ge=100, le=599)
    body: Any = None


class ScenarioFile(_Strict):
    flow: Path
    language: Language | None = None
    params: Mapping[str, Any] = {}
    callers: list[Manner] = Field(default=[Manner()], min_length=1)
    within: Seconds | None = None
    endpoints: Mapping[str, Answer] = {}
    scenarios: list[Scenario] = Field(min_length=1)

    @model_validator(mode="after")
    def _named_once(self) -> ScenarioFile:
        names = [scenario.name for scenario in self.scenarios]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there are two scenarios named {twice[0]!r}")
        return self

    @cached_property
    def improvises(self) -> bool:
        """Whether somebody in it is played by a language model."""
        return any(act.improvise is not None for scenario in self.scenarios for act in scenario.caller)


SUFFIXES: Final = (".yaml", ".yml")


def scenario_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders with all that is YAML in them. Raises `ScenariosUnusable` where there is
    nothing."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(one for one in path.iterdir() if one.suffix in SUFFIXES)
        else:
            found.append(path)
    if not found:
        raise ScenariosUnusable(f"{', '.join(map(str, paths))}: there are no scenarios")
    return found


def load(path: Path) -> ScenarioFile:
    """Reads a file; its flow lies beside it, where its path is relative. Raises `ScenariosUnusable`."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ScenariosUnusable(f"{path}: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ScenariosUnusable(f"{place}: no valid YAML: {getattr(error, 'problem', error)}") from error
    try:
        file = ScenarioFile.model_validate(raw)
    except ValidationError as error:
        lines = [f"{path}:{_place(root, e['loc'])}: {_words(e)}" for e in error.errors()]
        raise ScenariosUnusable("\n".join(lines)) from error
    return file.model_copy(update={"flow": path.parent / file.flow})


def _place(node: yaml.Node | None, loc: Sequence[int | str]) -> str:
    """Line and column of the innermost part that the path names."""
    for step in loc:
        inner = _inner(node, step)
        if inner is None:
            break
        node = inner
    return f"{node.start_mark.line + 1}:{node.start_mark.column + 1}" if node is not None else "1:1"


def _inner(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None


def _words(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if isinstance(part, str))
    known = {"extra_forbidden": "is not known here", "missing": "is missing"}
    message = known.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    return f"{where}: {message}" if where else message
