"""The flows a server has: loaded once, checked, found by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engines.tts.espeak import LANGUAGES, VARIANTS
from ivr.config import Config, InboundNumber
from ivr.flow.loader import Environment, flows_of, load_flow
from ivr.flow.model import Flow
from ivr.flow.problems import FlowError, ParamError


class LibraryError(Exception):
    """Some flow of the folder cannot be used; the text holds every problem of every file."""


class FlowLibrary:
    """Flows by name."""

    def __init__(self, flows: dict[str, Flow]) -> None:
        self._flows = flows

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._flows))

    def get(self, name: str) -> Flow | None:
        return self._flows.get(name)

    def __iter__(self) -> Iterator[Flow]:
        return iter(self._flows.values())


def flow_files(folder: Path) -> list[Path]:
    """The flow files of a folder: every `*.yaml` that is not a scenario file."""
    return sorted(path for path in folder.rglob("*.yaml") if not path.name.endswith(".scenarios.yaml"))


def environment_of(config: Config) -> Environment:
    """The names that a configuration offers to flows."""
    return Environment(
        endpoints=frozenset(config.endpoints),
        queues=frozenset(config.queues),
        trunks=frozenset(config.trunks),
        voices=dict.fromkeys(LANGUAGES, VARIANTS),
        say_as=config.say_as,
    )


def _unfit(number: InboundNumber, flow: Flow) -> dict[str, str]:
    """What is wrong with the parameters of a number, whatever the headers of its calls will say."""
    try:
        # A parameter with a header is not missed here; a value of its own must fit all the same.
        flow.bind({**dict.fromkeys(number.params_from_headers), **number.params})
    except ParamError as error:
        awaited = {name for name in number.params_from_headers if name in flow.params}
        return {name: why for name, why in error.fields.items() if name not in awaited - number.params.keys()}
    return {}


def load_library(config: Config) -> FlowLibrary:
    """Loads the configured folder; raises `LibraryError`."""
    environment = environment_of(config)
    children = flows_of(config.flows, environment)
    flows: dict[str, Flow] = {}
    problems: list[str] = []
    for path in flow_files(config.flows):
        try:
            flow = load_flow(path, environment, children)
        except FlowError as error:
            problems.append(str(error))
            continue
        if flow.name in flows:
            problems.append(
                f"{path}: the flow {flow.name!r} exists already, in another file of {config.flows}"
            )
        flows[flow.name] = flow
    for number, inbound in config.numbers.items():
        if inbound.flow not in flows and not problems:
            problems.append(f"numbers: {number}: there is no flow {inbound.flow!r} in {config.flows}")
        if inbound.flow in flows:
            unfit = _unfit(inbound, flows[inbound.flow])
            problems += [f"numbers: {number}: {param}: {why}" for param, why in unfit.items()]
    if problems:
        raise LibraryError("\n".join(problems))
    return FlowLibrary(flows)
