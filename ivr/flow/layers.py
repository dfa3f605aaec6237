"""Laying out a directed graph in layers, from top to bottom (after Sugiyama, Tagawa and Toda, 1981).

Edges that go back up are turned round while laying out. An edge is a chain of points, one in every layer it
crosses; its label is a point of the chain with a size of its own, so that labels overlap neither boxes nor
each other. Within a layer the order is found by barycentres, the places by least squares with the distances
kept (pool adjacent violators).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

GAP: Final = 28.0
LAYER_GAP: Final = 26.0
_SWEEPS: Final = 24
_FEWEST_SWEEPS: Final = 4
_CELL_SWEEPS: Final = 200_000
"""Cells looked at in all sweeps together: a large picture gets fewer."""
_STRAIGHT: Final = 6.0
MAX_SEPARATE: Final = 400
"""Points of edges from which edges to the same box run together: else a large picture is all lines."""


@dataclass(frozen=True, slots=True)
class Size:
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Link:
    """An edge to lay out, with the size of its label."""

    source: str
    target: str
    label: Size


@dataclass(frozen=True, slots=True)
class Route:
    """Where an edge runs: the ends of straight pieces, from source to target, and the middle of its label."""

    points: tuple[Point, ...]
    label: Point


@dataclass(frozen=True, slots=True)
class Layout:
    """Middles of the boxes by name, and a route for each link; all within `size`, from (0, 0)."""

    boxes: Mapping[str, Point]
    routes: tuple[Route, ...]
    size: Size


class _Cell:
    """A box, or a point of an edge, in its layer."""

    __slots__ = ("above", "below", "beside", "height", "layer", "place", "width", "x")

    def __init__(self, layer: int, size: Size, beside: float = 0.0) -> None:
        self.layer = layer
        self.width = size.width + beside
        self.height = size.height
        self.beside = beside
        self.x = 0.0
        self.place = 0.0
        self.above: list[_Cell] = []
        self.below: list[_Cell] = []

    @property
    def middle(self) -> float:
        """Of what is drawn; the room beside it is empty."""
        return self.x - self.beside / 2

    @property
    def bare(self) -> bool:
        """Whether it is but a point of an edge."""
        return self.height == 0.0

    @property
    def drawn(self) -> float:
        return self.width - self.beside


_NO_SIZE: Final = Size(6.0, 0.0)


def lay_out(boxes: Mapping[str, Size], links: Sequence[Link], beside: Mapping[str, float]) -> Layout:
    """No link leads from a box to itself. The first box begins; order decides between equals. `beside` is
    room to keep at the right of a box."""
    back = _back_links(boxes, links)
    ends = [(link.target, link.source) if turned else (link.source, link.target)
            for link, turned in zip(links, back, strict=True)]  # fmt: skip
    ranks = _ranks(boxes, ends)
    # Every second layer is for labels.
    cells = {name: _Cell(2 * ranks[name], size, beside.get(name, 0.0)) for name, size in boxes.items()}
    crossed = sum(cells[bottom].layer - cells[top].layer for top, bottom in ends)
    shared: _Shared | None = {} if crossed > MAX_SEPARATE else None
    chains = [
        _chain(cells[top], cells[bottom], link.label, turned, shared)
        for (top, bottom), link, turned in zip(ends, links, back, strict=True)
    ]
    layers = _layers([*cells.values(), *dict.fromkeys(cell for chain in chains for cell in chain[1:-1])])
    _order(layers)
    _place(layers)
    heights = _heights(layers)
    left = min(cell.x - cell.width / 2 for layer in layers for cell in layer)
    for layer in layers:
        for cell in layer:
            cell.x -= left
    width = max(cell.x + cell.width / 2 for layer in layers for cell in layer)
    routes = tuple(_route(chain, heights, turned) for chain, turned in zip(chains, back, strict=True))
    places = {name: Point(cell.middle, heights[cell.layer][0]) for name, cell in cells.items()}
    return Layout(places, routes, Size(width, sum(heights[-1])))


# --- layers


def _back_links(boxes: Mapping[str, Size], links: Sequence[Link]) -> list[bool]:
    """Links that close a cycle, found by walking from the first box on."""
    out: dict[str, list[int]] = {name: [] for name in boxes}
    for number, link in enumerate(links):
        out[link.source].append(number)
    back = [False] * len(links)
    done: set[str] = set()
    open_: set[str] = set()
    for root in boxes:
        if root in done:
            continue
        done.add(root)
        open_.add(root)
        work = [(root, iter(out[root]))]
        while work:
            name, numbers = work[-1]
            for number in numbers:
                target = links[number].target
                if target in open_:
                    back[number] = True
                elif target not in done:
                    done.add(target)
                    open_.add(target)
                    work.append((target, iter(out[target])))
                    break
            else:
                open_.discard(name)
                work.pop()
    return back


def _ranks(boxes: Mapping[str, Size], ends: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Longest way from the top; a box that nothing leads to stands just above where it leads."""
    below: dict[str, list[str]] = {name: [] for name in boxes}
    above = dict.fromkeys(boxes, 0)
    for top, bottom in ends:
        below[top].append(bottom)
        above[bottom] += 1
    sources = [name for name in boxes if not above[name]]
    ranks = dict.fromkeys(boxes, 0)
    ready = list(sources)
    while ready:
        name = ready.pop()
        for target in below[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
            above[target] -= 1
            if not above[target]:
                ready.append(target)
    first = next(iter(boxes))
    for name in sources:
        if name != first and below[name]:
            ranks[name] = max(0, min(ranks[target] for target in below[name]) - 1)
    return ranks


_Shared = dict[tuple[_Cell, int, bool], _Cell]
"""The points in which edges to one box run together, by box, layer and whether they are turned round."""


def _chain(top: _Cell, bottom: _Cell, label: Size, turned: bool, shared: _Shared | None) -> list[_Cell]:
    """The cells of an edge from one box to another; the label stands right below the upper one."""
    chain = [top]
    for layer in range(top.layer + 1, bottom.layer):
        if layer == top.layer + 1:
            chain.append(_Cell(layer, label))
        elif shared is None:
            chain.append(_Cell(layer, _NO_SIZE))
        else:
            key = (bottom, layer, turned)
            chain.append(shared.get(key) or shared.setdefault(key, _Cell(layer, _NO_SIZE)))
    chain.append(bottom)
    for upper, lower in pairwise(chain):
        if lower not in upper.below:
            upper.below.append(lower)
            lower.above.append(upper)
    return chain


def _layers(cells: Sequence[_Cell]) -> list[list[_Cell]]:
    layers: list[list[_Cell]] = [[] for _ in range(1 + max(cell.layer for cell in cells))]
    for cell in cells:
        layers[cell.layer].append(cell)
    return layers


# --- order


def _sweeps(layers: list[list[_Cell]]) -> int:
    cells = sum(map(len, layers))
    return max(_FEWEST_SWEEPS, min(_SWEEPS, _CELL_SWEEPS // cells))


def _order(layers: list[list[_Cell]]) -> None:
    """Sorts every layer by the middle of the neighbours, down and up again; keeps the fewest crossings."""
    _number(layers)
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers)
    for sweep in range(_sweeps(layers)):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            layer.sort(key=lambda cell: _middle(cell.above if downwards else cell.below, cell.place))
            _renumber(layer)
        _swap(layers)
        crossings = _crossings(layers)
        if crossings < fewest:
            fewest = crossings
            best = [list(layer) for layer in layers]
    layers[:] = best
    _number(layers)


def _number(layers: list[list[_Cell]]) -> None:
    for layer in layers:
        _renumber(layer)


def _renumber(layer: list[_Cell]) -> None:
    for number, cell in enumerate(layer):
        cell.place = float(number)


def _middle(neighbours: list[_Cell], otherwise: float) -> float:
    return sum(cell.place for cell in neighbours) / len(neighbours) if neighbours else otherwise


def _crossings(layers: list[list[_Cell]]) -> int:
    total = 0
    for layer in layers:
        ends: list[float] = []
        for cell in layer:
            places = [below.place for below in cell.below]
            total += sum(len(ends) - bisect_right(ends, place) for place in places)
            for place in places:
                insort(ends, place)
    return total


def _swap(layers: list[list[_Cell]]) -> None:
    """Exchanges neighbours of a layer wherever their edges cross less then."""
    for layer in layers:
        for number in range(len(layer) - 1):
            left, right = layer[number], layer[number + 1]
            if _between(left, right) > _between(right, left):
                layer[number], layer[number + 1] = right, left
                left.place, right.place = right.place, left.place


def _between(left: _Cell, right: _Cell) -> int:
    """How often the edges of two cells cross when one stands left of the other."""
    return sum(
        a.place > b.place
        for ends, others in ((left.above, right.above), (left.below, right.below))
        for a in ends
        for b in others
    )


# --- places


def _place(layers: list[list[_Cell]]) -> None:
    for layer in layers:
        x = 0.0
        for cell in layer:
            cell.x = x + cell.width / 2
            x += cell.width + GAP
    for sweep in range(_sweeps(layers)):
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            _settle(layer, lambda cell: cell.above if downwards else cell.below)  # noqa: B023 - used at once
    for sweep in range(_sweeps(layers)):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _settle(layer, lambda cell: (*cell.above, *cell.below))


def _settle(layer: list[_Cell], neighbours: Callable[[_Cell], Sequence[_Cell]]) -> None:
    """Moves the cells of a layer as near as can be to their neighbours, without changing the order. Points
    of long edges weigh most among each other: such an edge is to be straight."""
    wanted: list[float] = []
    weights: list[float] = []
    offset = 0.0
    for number, cell in enumerate(layer):
        if number:
            offset += (layer[number - 1].width + cell.width) / 2 + GAP
        pulls = [(other.x, _STRAIGHT if cell.bare and other.bare else 1.0) for other in neighbours(cell)]
        pull = sum(weight for _, weight in pulls)
        goal = sum(x * weight for x, weight in pulls) / pull if pulls else cell.x
        wanted.append(goal - offset)
        weights.append(max(pull, 0.1))
        cell.place = offset
    for cell, x in zip(layer, _monotone(wanted, weights), strict=True):
        cell.x = x + cell.place


def _monotone(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest sequence that never falls, by weighted least squares."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        count = 1
        while pools and pools[-1][0] > value:
            other, other_weight, other_count = pools.pop()
            value = (value * weight + other * other_weight) / (weight + other_weight)
            weight += other_weight
            count += other_count
        pools.append((value, weight, count))
    return [value for value, _, count in pools for _ in range(count)]


def _heights(layers: list[list[_Cell]]) -> list[tuple[float, float]]:
    """Of every layer the middle, and half of its height."""
    found: list[tuple[float, float]] = []
    y = 0.0
    for layer in layers:
        height = max((cell.height for cell in layer), default=0.0)
        found.append((y + height / 2, height / 2))
        y += height + LAYER_GAP
    return found


# --- routes


def _route(chain: list[_Cell], heights: list[tuple[float, float]], turned: bool) -> Route:
    points: list[Point] = []
    top, bottom = chain[0], chain[-1]
    points.append(Point(_port(top, top.below, chain[1]), heights[top.layer][0] + top.height / 2))
    for cell in chain[1:-1]:
        middle, half = heights[cell.layer]
        points += (
            [Point(cell.x, middle - half), Point(cell.x, middle + half)] if half else [Point(cell.x, middle)]
        )
    points.append(Point(_port(bottom, bottom.above, chain[-2]), heights[bottom.layer][0] - bottom.height / 2))
    label = Point(chain[1].x, heights[chain[1].layer][0])
    return Route(tuple(reversed(points)) if turned else tuple(points), label)


def _port(box: _Cell, neighbours: list[_Cell], neighbour: _Cell) -> float:
    """Where an edge meets a box: edges share its width in the order of where they come from."""
    ordered = sorted(neighbours, key=lambda cell: cell.x)
    at = next(number for number, cell in enumerate(ordered) if cell is neighbour)
    return box.middle - box.drawn / 2 + box.drawn * (at + 1) / (len(ordered) + 1)
