"""The steps of a flow as a graph: what leads where, which loops there are, and how long a way can be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ivr.flow.model import Exit, Flow

Edges = Mapping[str, tuple[str, ...]]

MAX_NESTED_LOOPS = 8
"""Loops nested deeper are bounded by the visits of each step alone."""


def exits_of(flow: Flow, name: str) -> tuple[Exit, ...]:
    """Every way out of a step to a step that exists, the operator's included."""
    step = flow.steps[name]
    exits = step.exits()
    if step.listens and flow.events.operator is not None:
        exits = (*exits, step.operator_exit(flow.events.operator))
    return tuple(way for way in exits if way.target.step in flow.steps)


def edges_of(flow: Flow) -> Edges:
    """step -> the steps it leads to, each once."""
    return {
        name: tuple(dict.fromkeys(way.target.step for way in exits_of(flow, name))) for name in flow.steps
    }


def reached_from(edges: Edges, roots: Iterable[str]) -> dict[str, str | None]:
    """Every step that can be reached, with the one it is first reached from (None: a root)."""
    found: dict[str, str | None] = {root: None for root in roots if root in edges}
    queue = deque(found)
    while queue:
        name = queue.popleft()
        for target in edges[name]:
            if target not in found:
                found[target] = name
                queue.append(target)
    return found


def way_to(found: Mapping[str, str | None], name: str) -> list[str]:
    """The steps from a root to `name`, by the way it was first reached."""
    way = [name]
    while (before := found[way[-1]]) is not None:
        way.append(before)
    return way[::-1]


def components(edges: Edges, nodes: frozenset[str]) -> list[list[str]]:
    """Strongly connected components within `nodes`, each after those it leads to (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in sorted(nodes):
        if root in order:
            continue
        work = [(root, iter(edges[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, targets = work[-1]
            for target in targets:
                if target not in nodes:
                    continue
                if target not in order:
                    order[target] = low[target] = len(order)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[name] = min(low[name], order[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name]:
                    at = stack.index(name)
                    found.append(stack[at:])
                    on_stack.difference_update(stack[at:])
                    del stack[at:]
    return found


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the longest way: its steps (more than one: a loop), and the seconds spent in it."""

    steps: tuple[str, ...]
    seconds: float
    loop: bool


def longest_way(edges: Edges, seconds: Mapping[str, float], visits: int, start: str) -> list[Stretch]:
    """An upper bound of the longest way from `start`, with every loop taken as often as `visits` allows."""
    nodes = frozenset(reached_from(edges, (start,)))
    return _longest(edges, nodes, seconds, visits, start, 0)


def _longest(
    edges: Edges,
    nodes: frozenset[str],
    seconds: Mapping[str, float],
    visits: int,
    start: str | None,
    depth: int,
) -> list[Stretch]:
    best: dict[str, tuple[float, list[Stretch]]] = {}
    longest: tuple[float, list[Stretch]] = (0.0, [])
    for component in components(edges, nodes):
        members = frozenset(component)
        after: tuple[float, list[Stretch]] = (0.0, [])
        for name in component:
            for target in edges[name]:
                if target in nodes and target not in members and best[target][0] > after[0]:
                    after = best[target]
        loop = len(component) > 1 or component[0] in edges[component[0]]
        here = _loop_seconds(edges, members, seconds, visits, depth) if loop else seconds[component[0]]
        total = (here + after[0], [Stretch(tuple(sorted(members)), here, loop), *after[1]])
        for name in component:
            best[name] = total
        if (start is None or start in members) and total[0] >= longest[0]:
            longest = total
    return longest[1]


def _loop_seconds(
    edges: Edges, members: frozenset[str], seconds: Mapping[str, float], visits: int, depth: int
) -> float:
    """Longest time in a loop: no step more than `visits` times; and every lap passes its busiest step, if
    the rest holds no lap of its own."""
    every = visits * sum(seconds[name] for name in members)
    if depth >= MAX_NESTED_LOOPS or len(members) == 1:
        return every
    incoming = dict.fromkeys(sorted(members), 0)
    for name in members:
        for target in edges[name]:
            if target in members:
                incoming[target] += 1
    head = max(incoming, key=lambda name: incoming[name])
    rest = members - {head}
    lap = sum(part.seconds for part in _longest(edges, rest, seconds, visits, None, depth + 1))
    return min(every, visits * seconds[head] + (visits + 1) * lap)
