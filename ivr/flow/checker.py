"""The rules that a flow is checked against once it has been read."""

from __future__ import annotations

from ivr.flow.model import Flow
from ivr.flow.problems import Report


def check_flow(
    flow: Flow,
    report: Report,
    *,
    unread: frozenset[str] = frozenset(),
    endpoints: frozenset[str] | None = None,
    queues: frozenset[str] | None = None,
) -> None:
    """Adds every problem to the report. `unread` are steps that stand in the file and could not be understood;
    `endpoints` and `queues` None: not checked."""
