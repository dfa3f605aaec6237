"""How many scenarios `ivr test` plays in a second, seen from outside its process.

    python -m bench.scenarios --times 50

The scenarios of flows/ are written out so many times and played by the command, as authors do;
the cost of starting it and of loading each flow is taken off by a run with each scenario once. `wall` is what
one waits on this machine as busy as it is, `cpu` what it takes of one core.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FLOWS = Path(__file__).parents[1] / "flows"
SUFFIX = ".scenarios.yaml"
LIST = "scenarios:\n"


@dataclass(frozen=True)
class Run:
    scenarios: int
    wall_s: float
    cpu_s: float


def write(folder: Path, times: int) -> None:
    """The flows, each with its scenarios so many times."""
    for path in FLOWS.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if path.name.endswith(SUFFIX):
            head, _, listed = text.partition(LIST)
            again = (re.sub(r'- name: ("?)', rf"- name: \g<1>{turn} ", listed) for turn in range(times))
            text = f"{head}{LIST}{''.join(again)}"
        (folder / path.name).write_text(text, encoding="utf-8")


def measure(times: int) -> Run:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, times)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "ivr.cli", "test", str(folder)], capture_output=True, text=True, check=True
        )
        wall_s = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(int(done.stdout.split()[0]), wall_s, cpu_s)


def main() -> None:
    parser = argparse.ArgumentParser(description="Scenarios that ivr test plays in a second.")
    parser.add_argument("--times", type=int, default=50, help="how often each scenario is played")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rates = []
    for _ in range(options.runs):
        once, often = measure(1), measure(options.times)
        played = often.scenarios - once.scenarios
        rates.append(
            {
                "scenarios": often.scenarios,
                "per_second_wall": round(played / (often.wall_s - once.wall_s)),
                "per_second_cpu": round(played / (often.cpu_s - once.cpu_s)),
                "start_cpu_s": round(once.cpu_s, 2),
            }
        )
    print(json.dumps(rates, indent=2))


if __name__ == "__main__":
    main()
