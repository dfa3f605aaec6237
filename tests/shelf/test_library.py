"""Which version answers, whatever happens to the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config import InboundNumber
from ivr.library import FlowLibrary
from ivr.shelf.folder import FlowFolder
from ivr.shelf.version import Sighting
from tests.shelf.flows import flow, write

NEEDS = {"100": InboundNumber(flow="hello", params={"shop": "Sharma"})}
SHOP = "params: {shop: text}\n"


class Shelf:
    """A folder with a library that looks at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = FlowFolder(folder, None)
        self.library = FlowLibrary(folder, NEEDS)
        self.at = 0.0

    def look(self) -> list[str]:
        """What became of what was seen, as `what name`."""
        self.at += 1
        sightings: list[Sighting] = list(self.files.look(settled=False))
        changes = [change for seen in sightings for change in self.library.take(seen, self.at, "file")]
        return [f"{change.what} {change.entry.name}" for change in changes]

    def write(self, file: str, text: str) -> list[str]:
        write(self.folder, file, text)
        return self.look()

    def remove(self, file: str) -> list[str]:
        (self.folder / file).unlink()
        return self.look()

    def state(self, name: str = "hello") -> str:
        entry = self.library.entry(name)
        return "unknown" if entry is None else entry.state

    def problems(self, name: str = "hello") -> list[str]:
        entry = self.library.entry(name)
        return [] if entry is None else [problem.message for problem in entry.problems]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    assert shelf.write("hello.yaml", flow(more=SHOP)) == ["added hello"]
    return shelf


def test_a_good_version_replaces_and_a_call_keeps_what_it_had(shelf: Shelf) -> None:
    held = shelf.library.get("hello")
    assert shelf.write("hello.yaml", flow(says="Well.", more=SHOP)) == ["replaced hello"]
    now = shelf.library.get("hello")
    assert held is not None
    assert now is not None
    assert held.hash != now.hash
    assert held.prompts["hello.say"].wordings["en"].text.source == "Hello."  # type: ignore[union-attr]


def test_comments_and_layout_are_no_new_version(shelf: Shelf) -> None:
    before = shelf.library.entry("hello")
    assert shelf.write("hello.yaml", "# A greeting.\n" + flow(more=SHOP)) == []
    assert shelf.library.entry("hello") == before


def test_a_bad_file_never_replaces_a_good_one(shelf: Shelf) -> None:
    held = shelf.library.get("hello")
    bad = flow(more=SHOP).replace("next: bye", "next: by")
    assert shelf.write("hello.yaml", bad) == ["refused hello"]
    assert shelf.library.get("hello") is held
    assert shelf.state() == "behind"
    assert shelf.problems()[0].startswith('next of step hello leads to "by"')
    assert shelf.write("hello.yaml", "flo: [\n") == ["refused hello"]
    assert shelf.library.get("hello") is held
    assert shelf.write("hello.yaml", flow(more=SHOP)) == ["mended hello"]
    assert shelf.state() == "current"
    assert shelf.library.get("hello") is held


def test_a_version_that_does_not_fit_its_numbers_is_refused(shelf: Shelf) -> None:
    held = shelf.library.get("hello")
    more = "params: {shop: text, order: digits}\n"
    assert shelf.write("hello.yaml", flow(more=more)) == ["refused hello"]
    assert shelf.problems() == ["numbers: 100: order: is missing"]
    assert shelf.library.get("hello") is held


def test_a_flow_whose_file_is_gone_answers_no_new_calls(shelf: Shelf) -> None:
    shelf.write("other.yaml", flow("other"))
    assert shelf.remove("other.yaml") == ["removed other"]
    assert shelf.library.get("other") is None
    assert shelf.library.names == ("hello",)


def test_unless_a_number_needs_it(shelf: Shelf) -> None:
    assert shelf.remove("hello.yaml") == ["kept hello"]
    assert shelf.library.get("hello") is not None
    assert shelf.problems() == ["the flow 'hello' is gone, and number 100 needs it"]
    assert shelf.write("greeting.yaml", flow(more=SHOP)) == ["mended hello"]
    assert shelf.problems() == []
    assert shelf.library.entry("hello").file == "greeting.yaml"  # type: ignore[union-attr]


def test_a_file_that_holds_another_flow_now(shelf: Shelf) -> None:
    shelf.write("other.yaml", flow("other"))
    assert shelf.write("other.yaml", flow("third")) == ["removed other", "added third"]
    assert shelf.write("hello.yaml", flow("greeting")) == ["kept hello", "added greeting"]
    assert shelf.write("hello.yaml", flow("greeting", "Well.")) == ["replaced greeting"]
    assert shelf.library.names == ("greeting", "hello", "third")


def test_a_name_belongs_to_the_first_file_and_then_to_the_next(shelf: Shelf) -> None:
    assert shelf.write("second.yaml", flow(says="Second.", more=SHOP)) == ["refused hello"]
    assert shelf.state() == "current"
    assert [(entry.name, entry.file, entry.state) for entry in shelf.library] == [
        ("hello", "hello.yaml", "current"),
        ("hello", "second.yaml", "broken"),
    ]
    held = shelf.library.get("hello")
    assert shelf.remove("hello.yaml") == ["kept hello", "replaced hello"]
    assert shelf.library.get("hello") is not held
    assert [(entry.file, entry.state) for entry in shelf.library] == [("second.yaml", "current")]


def test_a_second_file_may_be_mended_or_go(shelf: Shelf) -> None:
    shelf.write("second.yaml", flow(more=SHOP))
    assert shelf.write("second.yaml", flow("second")) == ["added second"]
    shelf.write("second.yaml", flow(more=SHOP))
    assert shelf.remove("second.yaml") == []
    assert [entry.file for entry in shelf.library] == ["hello.yaml"]


def test_a_renamed_file_is_no_change(shelf: Shelf) -> None:
    shelf.write("other.yaml", flow("other"))
    (shelf.folder / "other.yaml").rename(shelf.folder / "renamed.yaml")
    assert shelf.look() == ["removed other", "added other"]


def test_a_flow_that_never_was_good_is_broken_until_it_is(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.write("new.yaml", flow("new").replace("next: bye", "next: by")) == ["refused new"]
    assert shelf.state("new") == "broken"
    assert shelf.library.get("new") is None
    assert shelf.library.names == ()
    assert shelf.library.lacking() == [f"numbers: 100: there is no flow 'hello' in {tmp_path}"]
    assert shelf.write("new.yaml", flow("new")) == ["added new"]
