"""`ivr graph FLOW`: a flow as a picture."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TextIO

from ivr.flow.drawing import Visits, draw
from ivr.flow.loader import load_flow
from ivr.flow.mermaid import mermaid
from ivr.flow.problems import FlowError
from ivr.flow.svg import svg

Format = Literal["mermaid", "svg"]


def run(
    path: Path,
    format: Format = "mermaid",
    language: str | None = None,
    file: Path | None = None,
    visits: Callable[[str], Visits] | None = None,
    out: TextIO | None = None,
) -> int:
    """Writes the picture to `file`, or prints it. `visits` counts past calls of the flow with this name.

    Returns 0, or 1 when the flow cannot be used or does not speak the language. Raises OSError when the file
    cannot be written, and what `visits` raises.
    """
    out = out or sys.stdout
    try:
        flow = load_flow(path)
    except FlowError as error:
        print(error, file=sys.stderr)
        return 1
    if language is not None and language not in flow.languages:
        print(f"{path}: speaks {', '.join(flow.languages)}, not {language}", file=sys.stderr)
        return 1
    drawing = draw(flow, language, None if visits is None else visits(flow.name))
    text = svg(drawing) if format == "svg" else mermaid(drawing)
    if file is None:
        out.write(text)
    else:
        file.write_text(text, encoding="utf-8")
    return 0
