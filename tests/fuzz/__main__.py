"""Fuzzes every target for a while: `python -m tests.fuzz --minutes 10`, or some: `--only sdp`.

Two engines take turns on each target: hypothesis, which changes the seeds with a sense of their structure,
and atheris (libFuzzer), which follows the branches that an input reaches. What breaks a target is kept in
`var/fuzz/TARGET`; `python -m tests.fuzz --only TARGET --replay FILE` runs it again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import TARGETS

KEPT = Path("var/fuzz")
GRACE_S = 120


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--only", choices=sorted(TARGETS), action="append", help="repeatable")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--replay", type=Path, help="run the target of --only on this file, once")
    asked = parser.parse_args()
    names = asked.only or list(TARGETS)
    if asked.replay is not None:
        TARGETS[names[0]][0](asked.replay.read_bytes())
        return 0
    seconds = asked.minutes * 60 * asked.parallel / len(names) / 2
    began = time.monotonic()
    jobs = [(name, engine, max(2, int(seconds))) for engine in ("hypothesis", "atheris") for name in names]
    with ThreadPoolExecutor(asked.parallel) as pool:
        failed = [job[0] for job, fine in zip(jobs, pool.map(_run, jobs), strict=True) if not fine]
    minutes = (time.monotonic() - began) / 60
    print(
        f"{len(names)} targets, {minutes:.1f} minutes: {f'findings in {failed}' if failed else 'no finding'}"
    )
    return 1 if failed else 0


def _run(job: tuple[str, str, int]) -> bool:
    name, engine, seconds = job
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.engines", name, engine, str(seconds), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + GRACE_S, check=False)
        code, output = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, output = -1, f"still running {GRACE_S} s after its time\n{error.stdout or ''}"
    last = output.strip().splitlines()[-1:] or [""]
    print(
        f"{name:18} {engine:10} {seconds:4} s  {'ok' if code == 0 else 'FINDING'}  {last[0][:100]}",
        flush=True,
    )
    if code:
        print(output[-6000:], flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
