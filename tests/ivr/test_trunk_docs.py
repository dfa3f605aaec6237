"""What docs/trunks.md says holds: its configurations load, and it explains every finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.config import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trunks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CODE = re.compile(
    r"(?:config|dns|reach|tls|options|register|nat|media|system|clock|server|doctor|call)\.[A-Za-z-]+"
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("trunks:")[1].split()[0])
def test_every_example_loads(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\$\{(\w+)\}", example):
        monkeypatch.setenv(name, "a-long-enough-password")
    path = tmp_path / "ivr.yaml"
    path.write_text(example, encoding="utf-8")
    assert load(path).trunks


def test_every_finding_is_explained() -> None:
    table = PAGE.partition("## What each finding means")[2]
    explained = {
        code
        for line in table.splitlines()
        if line.startswith("| `")
        for code in CODE.findall(line.split("|")[1])
    }
    made = set()
    for path in (ROOT / "ivr" / "doctor").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        made |= set(
            re.findall(rf'(?:ok|warn|fail|skipped|check|code, about =)\(?\s*"({CODE.pattern})"', text)
        )
    assert made
    assert explained == made | {"options.STATUS"}
