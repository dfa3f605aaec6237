"""The steps as a graph: what is reached, which loops there are, and how long a way can be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.graph import Edges, components, edges_of, longest_way, reached_from, way_to
from ivr.flow.model import Flow

DIAMOND: Edges = {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}
LOOPS: Edges = {"menu": ("ask", "menu", "bye"), "ask": ("check",), "check": ("ask", "menu"), "bye": ()}


def seconds_of(edges: Edges, visits: int, start: str, **seconds: float) -> float:
    return sum(part.seconds for part in longest_way(edges, seconds, visits, start))


def test_what_is_reached_and_by_which_way() -> None:
    found = reached_from({**DIAMOND, "x": ("a",)}, ("b", "nowhere"))
    assert found == {"b": None, "d": "b"}
    assert way_to(found, "d") == ["b", "d"]


def test_loops_come_as_one_component_after_what_they_lead_to() -> None:
    assert [sorted(c) for c in components(LOOPS, frozenset(LOOPS))] == [["bye"], ["ask", "check", "menu"]]


def test_without_loops_it_is_the_longest_path() -> None:
    way = longest_way(DIAMOND, {"a": 1, "b": 5, "c": 2, "d": 1}, 9, "a")
    assert [part.steps for part in way] == [("a",), ("b",), ("d",)]
    assert sum(part.seconds for part in way) == 7


def test_a_step_that_repeats_itself_counts_with_every_visit() -> None:
    assert seconds_of({"a": ("a", "b"), "b": ()}, 4, "a", a=10, b=1) == 41


def test_a_loop_counts_by_its_laps_and_not_by_all_of_its_steps() -> None:
    edges = {"menu": ("x", "y", "bye"), "x": ("menu",), "y": ("menu",), "bye": ()}
    assert seconds_of(edges, 2, "menu", menu=1, x=10, y=8, bye=0) == 2 * 1 + 3 * 10
    assert seconds_of(edges, 2, "menu", menu=1, x=10, y=1, bye=0) == 2 * (1 + 10 + 1)


def test_the_operator_is_an_outcome_of_every_step_that_listens(vendor_order: Flow) -> None:
    edges = edges_of(vendor_order)
    assert edges["offer"] == ("eta", "reason", "offer", "report", "desk")
    assert edges["booked"] == ("report",)


def longest_walk(edges: Edges, seconds: dict[str, float], visits: int, name: str) -> float:
    """By trying every walk."""
    left = dict.fromkeys(edges, visits)

    def go(at: str) -> float:
        if not left[at]:
            return 0.0
        left[at] -= 1
        best = max((go(target) for target in edges[at]), default=0.0)
        left[at] += 1
        return seconds[at] + best

    return go(name)


NAMES = "abcd"


@given(
    st.fixed_dictionaries({n: st.lists(st.sampled_from(NAMES), max_size=2, unique=True) for n in NAMES}),
    st.fixed_dictionaries({n: st.integers(0, 9) for n in NAMES}),
    st.integers(1, 2),
)
def test_no_walk_is_longer_than_the_bound(
    edges: dict[str, list[str]], seconds: dict[str, int], visits: int
) -> None:
    graph = {name: tuple(targets) for name, targets in edges.items()}
    weights = {name: float(value) for name, value in seconds.items()}
    bound = sum(part.seconds for part in longest_way(graph, weights, visits, "a"))
    walk = longest_walk(graph, weights, visits, "a")
    assert walk <= bound
    assert bound <= visits * sum(weights.values())
