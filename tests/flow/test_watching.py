"""Doing it again after a change: the wait between two looks is where the test changes the files."""

import io
from collections.abc import Callable

import pytest

from ivr.watching import CLEAR, watch


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def watched(tmp_path):
    """Watches a folder through changes made between two looks; gives how often the work was done, and what
    was printed. Ctrl-C follows the last change."""

    def watched(*changes: Callable[[], object], paths=None, out=None) -> tuple[int, str]:
        out = out or io.StringIO()
        coming = list(changes)
        done = []

        def sleep(seconds: float) -> None:
            if not coming:
                raise KeyboardInterrupt
            coming.pop(0)()

        def work() -> int:
            done.append(True)
            out.write(f"work {len(done)}\n")
            return len(done)

        assert watch(paths or [tmp_path], work, out, sleep) == len(done)
        return len(done), out.getvalue()

    return watched


def test_works_at_once_and_not_again_without_a_change(watched):
    assert watched(lambda: None, lambda: None) == (1, "work 1\nwatching for changes; Ctrl-C ends\n\n")


def test_works_again_when_a_file_changes_comes_or_goes(watched, tmp_path):
    file = tmp_path / "below" / "a.yaml"
    file.parent.mkdir()
    changes = [lambda: file.write_text("1"), lambda: file.write_text("12"), lambda: None, file.unlink]
    assert watched(*changes)[0] == 4


def test_other_files_do_not_matter(watched, tmp_path):
    assert watched(lambda: (tmp_path / "notes.txt").write_text("1"))[0] == 1


def test_beside_a_file_its_neighbours_matter(watched, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("1")
    neighbour = tmp_path / "hello.wav"
    assert watched(lambda: neighbour.write_bytes(b"1"), paths=[file])[0] == 2


def test_a_terminal_is_cleared_before_each_time(watched, tmp_path):
    out = Terminal()
    _, printed = watched(lambda: (tmp_path / "a.yml").write_text("1"), out=out)
    assert printed.count(CLEAR) == 2
    assert printed.startswith(CLEAR + "work 1\n")
