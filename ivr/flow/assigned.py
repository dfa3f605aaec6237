"""Which values surely are there when a step is entered, on every way that leads to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ivr.flow.expressions import Expression
from ivr.flow.graph import exits_of
from ivr.flow.model import Exit, Flow, Target

Names = frozenset[str]


def assigned_at(flow: Flow, events: Mapping[str, Target]) -> dict[str, Names]:
    """step -> names that hold a value whenever it is entered; steps that cannot be reached are left out.

    A forward analysis over all ways: what is known at a step is what is known on each of them. A hang-up or
    a failure can come in any step, before or after it has changed anything.
    """
    known: dict[str, Names] = {}
    queue: deque[str] = deque()

    def arrive(name: str, names: Names) -> None:
        if name not in flow.steps:
            return
        before = known.get(name)
        after = names if before is None else before & names
        if after != before:
            known[name] = after
            queue.append(name)

    arrive(flow.start.step, _at_start(flow))
    interrupts = [events[event].step for event in ("hangup", "failure") if event in events]
    while queue:
        name = queue.popleft()
        names = known[name]
        ways = exits_of(flow, name)
        for way in ways:
            arrive(way.target.step, _after(way, names))
        surely = names.intersection(*(_after(way, names) for way in ways))
        for target in interrupts:
            arrive(target, surely)
    return known


def _at_start(flow: Flow) -> Names:
    given = {name for name, type_ in flow.params.items() if not type_.optional}
    fields = (*flow.result.items(), *flow.variables.items())
    return frozenset(given | {name for name, field in fields if field.default is not None})


def _after(way: Exit, names: Names) -> Names:
    changed = set((names - way.clears) | way.certain)
    for assign in way.assigns:
        if isinstance(assign.source, Expression) or assign.source is not None:
            changed.add(assign.name)
        else:
            changed.discard(assign.name)
    return frozenset(changed)
