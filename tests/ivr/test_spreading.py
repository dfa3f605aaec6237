"""Files of scenarios are played on all cores, and told as if it were one after the other."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest

from ivr.flow.test_command import Wishes, run
from ivr.spreading import spread
from tests.flow.kitchen import FLOW

ROOT = Path(__file__).parents[2]


def twice(item: int) -> tuple[int, int]:
    if item < 0:
        raise ValueError("negative")
    return 2 * item, os.getpid()


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_results_come_in_order_from_other_processes() -> None:
    results = list(spread(twice, range(20)))
    assert [doubled for doubled, _ in results] == [2 * item for item in range(20)]
    assert os.getpid() not in {process for _, process in results}


def test_one_item_needs_no_process() -> None:
    assert list(spread(twice, [4])) == [(8, os.getpid())]
    assert list(spread(twice, [])) == []


def test_what_goes_wrong_is_raised() -> None:
    with pytest.raises(ValueError, match="negative"):
        list(spread(twice, [1, -1]))


def test_apart_and_together_the_same_is_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(
            FLOW.replace("flow: kitchen", f"flow: {name}"), encoding="utf-8"
        )
        scenarios = [
            '{name: comes true, steps: [{hears: "Hello Asha"}, {presses: "1"}, {presses: "20#"}]}',
            '{name: does not, steps: [{hears: "Good evening"}]}',
        ]
        text = f"flow: {name}\nwith: {{name: Asha}}\nscenarios: [{', '.join(scenarios)}]\n"
        (tmp_path / f"{name}.scenarios.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "d.scenarios.yaml").write_text("flow: d\n", encoding="utf-8")
    wishes = Wishes(verbose=True, coverage=True, min_coverage=90, junit=tmp_path / "junit.xml")
    told: list[tuple[int, str, bytes]] = []
    for how in (None, spread):
        out = StringIO()
        status = run([tmp_path], out, wishes, spread=how)
        told.append((status, out.getvalue(), (tmp_path / "junit.xml").read_bytes()))
    assert told[0] == told[1]
    assert told[0][1].count("does not: step 1") == 3
