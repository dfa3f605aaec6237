"""Pages lead to what is there, and the flow in the README is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.flow.loader import check_file, load_flow
from ivr.flow.simulator import Simulation

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "flows" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def prose(path: Path) -> str:
    return CODE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """As the usual viewers make them of headings, and those that are written out."""
    text = prose(path)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_files_that_pages_name_are_there() -> None:
    for page in PAGES:
        if page.name == "tutorial.md":  # its files are those that its reader writes
            continue
        for name in re.findall(r"`((?:docs|flows|tests|examples|bench)/[\w./-]+\.\w+)`", prose(page)):
            if "NAME" not in name:
                assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_the_flow_of_the_readme_can_be_called(tmp_path: Path) -> None:
    blocks = re.findall(
        r"```yaml\n(flow: .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (text,) = blocks
    path = tmp_path / "open_today.yaml"
    path.write_text(text, encoding="utf-8")
    assert check_file(path) == []
    flow = load_flow(path)
    call = Simulation(flow, flow.bind({"shop": "Sharma", "language": "en"}))
    assert "Are you open today" in "".join(call.begin())
    assert 'result: {"open": "yes"}' in call.feed("1")
