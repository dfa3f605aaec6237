"""A flow of the server as the dashboard has it: its text, and those of what it is read with.

The dashboard reads flows by itself, to draw and to play them; only the server says whether a text can be put
in place. Its audio files are not asked for: where one is named, there is a moment of silence here.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Final

from ivr.admin.gateway import GatewayClient, GatewayError
from ivr.api.flow_models import FlowDetail, FlowList
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.scenarios import SUFFIX, ScenarioFile, load_scenarios, sample_values

MOST_WITHIN: Final = 50
"""Flows that are fetched because a flow may enter them."""

_ENTERS: Final = re.compile(r"\bflow[ \t]*:[ \t]*[\"']?([A-Za-z][A-Za-z0-9_-]*)")
_AUDIO: Final = re.compile(r"\baudio[ \t]*:[ \t]*[\"']?([^\s\"',{}\[\]]+)")
_SILENCE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class FlowCopy:
    """The text of a flow, of its scenarios (None: there are none), and of the flows that it may enter."""

    name: str
    text: str
    scenarios: str | None = None
    within: Mapping[str, str] = field(default_factory=dict)

    def flow(self) -> Flow:
        """Reads it; raises `FlowError`. Computes: a large flow takes a tenth of a second."""
        with self._laid_out() as path:
            return load_flow(path)

    def scenario_file(self) -> ScenarioFile:
        """Raises `ScenarioError`; there must be scenarios."""
        with self._laid_out() as path:
            return load_scenarios(path.with_name(self.name + SUFFIX))

    def samples(self) -> dict[str, Any]:
        """Values for the flow's parameters, from its scenarios; raises `ScenarioError`."""
        if self.scenarios is None:
            return {}
        with self._laid_out() as path:
            return sample_values(path.with_name(self.name + SUFFIX))

    @contextmanager
    def _laid_out(self) -> Iterator[Path]:
        """Files in a folder of their own, as they would lie beside each other."""
        with TemporaryDirectory(prefix="ivr-admin-") as text:
            folder = Path(text)
            for name, content in {**self.within, self.name: self.text}.items():
                (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
                for audio in set(_AUDIO.findall(content)):
                    _write_silence(folder, audio)
            if self.scenarios is not None:
                (folder / (self.name + SUFFIX)).write_text(self.scenarios, encoding="utf-8")
            yield folder / f"{self.name}.yaml"


async def fetch_copy(gateway: GatewayClient, detail: FlowDetail) -> FlowCopy:
    """The flow with all that it is read with. Raises `GatewayError`."""
    scenarios: str | None = None
    try:
        scenarios = await gateway.text(f"/api/flows/{detail.name}/scenarios")
    except GatewayError as error:
        if error.kind != "no-scenarios":
            raise
    return FlowCopy(
        detail.name, detail.text, scenarios, await fetch_within(gateway, detail.name, detail.text)
    )


async def fetch_within(gateway: GatewayClient, name: str, text: str) -> dict[str, str]:
    """The texts of the flows that a text may enter, and those that these may. Raises `GatewayError`."""
    wanted = names_within(text) - {name}
    if not wanted:
        return {}
    known = {flow.name for flow in (await gateway.get(FlowList, "/api/flows")).flows}
    found: dict[str, str] = {}
    while (coming := (wanted & known) - found.keys() - {name}) and len(found) < MOST_WITHIN:
        each = min(coming)
        found[each] = (await gateway.get(FlowDetail, f"/api/flows/{each}")).text
        wanted |= names_within(found[each])
    return found


def names_within(text: str) -> set[str]:
    """The flows that may be meant in a text; perhaps some that are not."""
    return set(_ENTERS.findall(text))


def _write_silence(folder: Path, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".wav":
        return  # the check says so
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as audio:
        audio.setparams((1, 2, 8000, 0, "NONE", ""))
        audio.writeframes(bytes(2 * int(8000 * _SILENCE_S)))
