"""The history of flows."""

from __future__ import annotations

from pathlib import Path

from ivr.store import FlowVersion, Store, database_url
from ivr.store.flows import MOST_VERSIONS


def version(flow: str, at: float, hash: str = "") -> FlowVersion:
    return FlowVersion(flow, at, hash or f"h{at:g}", f"{flow}.yaml", "file", f"text {at:g}")


async def test_versions_are_kept_newest_first(tmp_path: Path) -> None:
    store = await Store.open(database_url(tmp_path))
    await store.keep_flow_versions([version("a", 1), version("b", 2)])
    await store.keep_flow_versions([version("a", 3), version("a", 4, "h1")])
    await store.close()
    store = await Store.open(database_url(tmp_path))
    assert [(v.at, v.hash, v.text) for v in await store.flow_versions("a")] == [
        (4.0, "h1", ""),
        (3.0, "h3", ""),
        (1.0, "h1", ""),
    ]
    assert await store.flow_version("a", "h1") == version("a", 4, "h1")
    assert await store.flow_version("b", "h1") is None
    newest = await store.newest_flow_versions()
    assert sorted(newest, key=lambda v: v.flow) == [version("a", 4, "h1"), version("b", 2)]
    await store.close()


async def test_the_oldest_go_and_those_of_other_flows_stay(tmp_path: Path) -> None:
    store = await Store.open(database_url(tmp_path))
    await store.keep_flow_versions([version("b", 0.5)])
    await store.keep_flow_versions([version("a", float(at)) for at in range(MOST_VERSIONS)])
    await store.keep_flow_versions([version("a", 1000.0), version("a", 1001.0)])
    await store.close()
    store = await Store.open(database_url(tmp_path))
    ages = [v.at for v in await store.flow_versions("a")]
    assert len(ages) == MOST_VERSIONS
    assert (ages[0], ages[1], ages[-1]) == (1001.0, 1000.0, 2.0)
    assert len(await store.flow_versions("b")) == 1
    await store.close()
