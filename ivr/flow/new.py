"""`ivr new NAME`: a flow to begin with, and its scenarios, from a template."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from ivr.flow.nodes import NAME
from ivr.flow.scenarios import SUFFIX
from ivr.flow.templates import Template


def run(name: str, template: Template, folder: Path, out: TextIO | None = None) -> int:
    """Writes NAME.yaml and NAME.scenarios.yaml (- in the name becomes _), and says what to run next. Returns
    0, or 1 when the name is none or a file is there already: nothing is written over. Raises OSError."""
    out = out or sys.stdout
    if not NAME.fullmatch(name):
        print(f'"{name}" is not a name: use letters, digits, - and _', file=sys.stderr)
        return 1
    stem = name.replace("-", "_")
    flow, scenarios = folder / f"{stem}.yaml", folder / f"{stem}{SUFFIX}"
    for path in (flow, scenarios):
        if path.exists():
            print(f"{path} is there already", file=sys.stderr)
            return 1
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in ((flow, template.flow(name)), (scenarios, template.scenarios(name))):
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    out.write(
        f"{flow}\n{scenarios}\n"
        f"try it:      ivr simulate {flow}\n"
        f"change it:   ivr check --watch {flow}\n"
        f"test it:     ivr test --coverage {flow}\n"
    )
    return 0
