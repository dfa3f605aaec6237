"""Builds the index in a process of its own: reading megabytes of text would hold up the calls.

`python -m ivr.knowledge.builder` takes a job as JSON on its standard input (the keys of a server stand in no
list of processes then), and writes its report as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from ivr.knowledge.index import CollectionReport, build
from ivr.knowledge.meaning import Source, packed, unpacked
from ivr.knowledge.vectors import fill

BUILD_S: Final = 600.0
_NICE: Final = 10
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Job:
    index: Path
    collections: Mapping[str, Path]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was built; `without_vectors` passages have none yet, for the reason in `vectors_fault`. `failure`
    is why nothing was built."""

    collections: Mapping[str, CollectionReport] = field(default_factory=dict)
    changed: int = 0
    without_vectors: int = 0
    vectors_fault: str = ""
    failure: str = ""


def run(job: Job) -> Report:
    """Builds here and now; never raises for what files, disk or model do."""
    try:
        built = build(job.index, job.collections)
        missing, fault = (0, "") if job.source is None else asyncio.run(fill(job.index, job.source))
    except (sqlite3.Error, OSError) as error:
        return Report(failure=f"{job.index}: {error}")
    return Report(built.collections, built.changed, missing, fault)


async def run_beside(job: Job, within_s: float = BUILD_S) -> Report:
    """Builds in a process of its own, which ends with this task."""
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ivr.knowledge.builder",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": _path()},
        )
    except OSError as error:
        return Report(failure=f"the index was not built: {error}")
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate(_packed(job))
    except TimeoutError:
        return Report(failure=f"the index was not built within {within_s:g} s")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or [f"status {process.returncode}"]
        return Report(failure=f"the index was not built: {last[0]}")
    return _unpacked(out)


def _path() -> str:
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(_PACKAGE_ROOT), *([inherited] if inherited else [])])


def _packed(job: Job) -> bytes:
    return json.dumps(
        {
            "index": str(job.index),
            "collections": {name: str(path) for name, path in job.collections.items()},
            "source": None if job.source is None else packed(job.source),
        }
    ).encode()


def _job(packed: bytes) -> Job:
    job = json.loads(packed)
    source = None if job["source"] is None else unpacked(job["source"])
    collections = {name: Path(path) for name, path in job["collections"].items()}
    return Job(Path(job["index"]), collections, source)


def _unpacked(out: bytes) -> Report:
    report = json.loads(out)
    report["collections"] = {
        name: CollectionReport(one["files"], one["pieces"], tuple(map(tuple, one["faults"])))
        for name, one in report["collections"].items()
    }
    return Report(**report)


def main() -> None:
    os.nice(_NICE)
    report = run(_job(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
