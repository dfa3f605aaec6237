"""One target under one engine, in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

INPUT_S = 20
"""An input that takes longer is a finding: something hangs."""
RSS_MB = 2048
LONGEST = 4096
BATCH = 500


def main() -> None:
    name, engine, seconds, folder = sys.argv[1:]
    run: Callable[..., None] = {"hypothesis": with_hypothesis, "atheris": with_atheris}[engine]
    run(name, int(seconds), Path(folder))


def with_hypothesis(name: str, seconds: int, _folder: Path) -> None:
    """Batch after batch of new examples, shrunk where one fails."""
    from hypothesis import HealthCheck, Phase, given, settings

    from tests.fuzz.agent import left
    from tests.fuzz.targets import TARGETS, inputs

    target, starts = TARGETS[name]
    until, tried = time.monotonic() + seconds, 0

    @settings(
        max_examples=BATCH,
        deadline=INPUT_S * 1000,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(data=inputs(starts))
    def batch(data: bytes) -> None:
        target(data)

    while time.monotonic() < until:
        batch()
        tried += BATCH
    left()
    print(f"{tried} inputs")


def with_atheris(name: str, seconds: int, folder: Path) -> None:
    """libFuzzer, guided by the branches of our own packages."""
    import atheris  # type: ignore[import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["sip", "media"]):
        from tests.fuzz.targets import TARGETS

    target, starts = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for at, start in enumerate(starts):
        (corpus / f"seed-{at}").write_bytes(start)
    options: list[Any] = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={RSS_MB}",
        f"-max_len={LONGEST}",
        "-verbosity=1",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
