"""One target under one engine, in a process of its own."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.agent import left
from tests.fuzz.targets import TARGETS, Target, inputs

INPUT_S = 20
"""An input that takes longer is a finding: something hangs."""
RSS_MB = 2048
BATCH = 500


def hypothesis_engine(target: Target, starts: tuple[bytes, ...], seconds: float) -> None:
    """Batch after batch of new examples, shrunk where one fails."""
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


def atheris_engine(target: Target, starts: tuple[bytes, ...], seconds: int, folder: Path) -> None:
    """libFuzzer, guided by the branches of our own packages."""
    import atheris  # type: ignore[import-not-found,unused-ignore]

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for at, start in enumerate(starts):
        (corpus / f"seed-{at}").write_bytes(start)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={RSS_MB}",
        "-max_len=4096",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
    ]
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()


def main() -> None:
    name, engine, seconds, folder = sys.argv[1:]
    target, starts = TARGETS[name]
    if engine == "hypothesis":
        hypothesis_engine(target, starts, float(seconds))
    else:
        atheris_engine(target, starts, int(seconds), Path(folder))


if __name__ == "__main__":
    main()
