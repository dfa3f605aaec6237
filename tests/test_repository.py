"""What must hold for every tracked file: it speaks of the project alone, and is pinned."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))

# Written so that this file does not find itself.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root|home|tmp/(?!\S*\bX))/\w" + r"[\w./-]*")
REGISTRIES = re.compile(r"(?:pypi|pythonhosted|deb\.debian)\." + r"org|npmjs\." + r"(?:com|org)")


def tracked() -> list[Path]:
    """Text files under version control; in an archive without git, none can be told from others."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return ""


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        for pattern in (MACHINE_PATHS, REGISTRIES)
        for match in pattern.finditer(text_of(path))
    ]
    assert found == []


def test_no_module_is_too_long_to_read() -> None:
    lengths = {
        str(path.relative_to(ROOT)): text_of(path).count("\n") for path in tracked() if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > 600} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_with_hashes(lock: Path) -> None:
    entries = re.split(r"(?m)^(?=[a-zA-Z])", lock.read_text(encoding="utf-8"))[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.+!-]+[ ;]", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


def test_what_the_core_installs_has_no_torch() -> None:
    assert "\ntorch==" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_all_that_the_project_declares_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": project["dependency-groups"]["dev"],
    }
    for lock, requirements in declared.items():
        names = {
            _normal(line.partition("==")[0])
            for line in (ROOT / lock).read_text(encoding="utf-8").splitlines()
            if "==" in line
        }
        missing = {_normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements} - names
        assert missing == set(), lock


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
