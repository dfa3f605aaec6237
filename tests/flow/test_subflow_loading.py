"""Flows within flows: how they are found, and what the check proves of all together."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow.loader import check_file, flows_of, load_flow
from tests.flow.subflows import PART, SHOP, changed, messages, written


def test_its_hash_is_part_of_the_hash(tmp_path: Path) -> None:
    first = written(tmp_path, SHOP, PART)
    assert written(tmp_path, SHOP, PART).hash == first.hash
    assert written(tmp_path, SHOP, changed(PART, ("Which floor?", "What floor?"))).hash != first.hash


def test_a_flow_knows_its_family(tmp_path: Path) -> None:
    flow = written(tmp_path, SHOP, PART)
    assert list(flow.family) == ["shop", "part"]
    assert flow.depth == 2


def test_it_is_found_below_the_folder_and_read_once(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "parts" / "part.yaml").write_text(PART, encoding="utf-8")
    children = flows_of(tmp_path)
    first, second = (load_flow(tmp_path / "shop.yaml", None, children) for _ in range(2))
    assert first.family["part"] is second.family["part"]


def test_where_its_mistake_is_is_told_within_the_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "parts" / "part.yaml").write_text(PART.replace("start: ", "start: x"), encoding="utf-8")
    (problem,) = check_file(tmp_path / "shop.yaml")
    assert problem.hint.startswith("see parts/part.yaml:")
    assert str(tmp_path) not in f"{problem.message} {problem.hint}"


def chain(*names: str) -> list[str]:
    return [
        f"flow: {name}\nlanguages: [en]\nstart: go\nsteps:\n"
        f"  go: {{flow: {following}, next: bye, otherwise: bye}}\n  bye: {{end: normal}}\n"
        for name, following in zip(names, (*names[1:], names[0]), strict=True)
    ]


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_a_circle_is_shown_from_each_of_its_flows(tmp_path: Path, names: tuple[str, ...]) -> None:
    texts = chain(*names)
    for at in range(len(names)):
        way = " -> ".join((*names[at:], *names[:at], names[at]))
        (told,) = messages(tmp_path, *texts, at=at)
        assert told.startswith(f"5: rule 6: step go: the flow leads back to itself: {way} (let one of ")


def test_a_circle_is_shown_to_those_who_enter_it(tmp_path: Path) -> None:
    texts = [chain("d", "b")[0], *chain("b", "c")]
    assert messages(tmp_path, *texts) == [
        "5: rule 6: step go: the flow b leads back to itself: b -> c -> b (mend b first)"
    ]


def test_flows_are_not_nested_without_a_bound(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(12)]
    texts = chain(*names)
    texts[-1] = "flow: f11\nlanguages: [en]\nstart: bye\nsteps: {bye: {end: normal}}\n"
    assert messages(tmp_path, *texts, at=4) == []
    (told,) = messages(tmp_path, *texts, at=3)
    way = " -> ".join(names[3:])
    assert told.startswith(f"5: rule 6: step go: more than 8 flows within each other: {way} (")
    children = flows_of(tmp_path)
    refused = [bool(check_file(tmp_path / f"flow{n}.yaml", None, children)) for n in range(12)]
    assert refused == [True] * 4 + [False] * 8, "whatever was asked for first"


def test_its_longest_way_counts(tmp_path: Path) -> None:
    told = messages(tmp_path, changed(SHOP, ("call: 5m", "call: 10s")), PART)
    assert len(told) == 1
    assert "the longest way through takes about" in told[0]
    assert "part" in told[0]
