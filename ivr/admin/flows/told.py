"""How the pages about flows word what they show. Pure."""

from __future__ import annotations

from datetime import datetime

from ivr.api.flow_models import FlowProblem


def problem_line(problem: FlowProblem) -> str:
    """As `ivr check` prints it, without the file."""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{problem.line}:{problem.column}: rule {problem.rule}: {problem.message}{hint}"


def ago(at: datetime) -> str:
    """A time as tables show it, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def percent(share: float) -> str:
    """ "0 %" is none at all."""
    if 0 < share < 0.01:
        return "<1 %"
    return f"{share:.0%}".replace("%", " %")
