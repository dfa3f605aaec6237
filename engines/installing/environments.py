"""A virtual environment with exactly what its engines need, by venv, pip and git."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from engines.catalogue import Environment
from engines.installing.shelf import STAMP
from engines.installing.sources import InstallError

_PIP_S: Final = 3600.0
_LAST_LINES: Final = 12


async def build(
    environment: Environment,
    folder: Path,
    python: str = sys.executable,
    say: Callable[[str], None] = print,
) -> None:
    """Makes the environment, unless it is there with the same packages. What cannot be finished is removed.

    Our own pip fills it, from whatever index it is configured for. Raises `InstallError` with the end of what
    pip or git said.
    """
    wanted = json.dumps(asdict(environment), sort_keys=True)
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    version = await _python_version(python)
    if version > environment.newest_python:
        newest = ".".join(map(str, environment.newest_python))
        found = ".".join(map(str, version))
        raise InstallError(
            f"{environment.name} runs on Python {newest} at the latest; {python} is {found}: "
            "name another one with --python"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        say(f"making the environment {environment.name}")
        await _run(python, "-m", "venv", "--without-pip", str(folder))
        own = str(folder / "bin" / "python")
        pip = (sys.executable, "-m", "pip", "--python", own, "--no-input", "install")
        if environment.packages:
            say(f"installing {', '.join(environment.packages)}")
            await _run(*pip, *environment.packages)
        for checkout in environment.checkouts:
            say(f"fetching {checkout.url}")
            name = checkout.url.rstrip("/").rpartition("/")[2]
            where = folder / "src" / name
            await _run(
                "git", "clone", "--quiet", "--depth", "1", "--recurse-submodules", "--branch",
                checkout.revision, checkout.url, str(where),
            )  # fmt: skip
            if checkout.requirements:
                await _run(*pip, "--requirement", str(where / checkout.requirements))
            _put_on_path(folder, where)
        stamp.write_text(wanted)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _put_on_path(folder: Path, where: Path) -> None:
    """A checkout is no package: its folder goes on the path, as it tells its users to do."""
    for packages in (folder / "lib").glob("python*/site-packages"):
        (packages / f"{where.name}.pth").write_text(f"{where}\n")


async def _python_version(python: str) -> tuple[int, int]:
    out = await _run(python, "-c", "import sys; print(*sys.version_info[:2])")
    major, minor = out.split()[-2:]
    return int(major), int(minor)


async def _run(*command: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(_PIP_S):
            output = (await process.communicate())[0].decode(errors="replace")
    except TimeoutError:
        raise InstallError(f"{' '.join(command[:4])} took longer than {_PIP_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = "\n".join(output.strip().splitlines()[-_LAST_LINES:])
        raise InstallError(f"{' '.join(command[:5])} ended with {process.returncode}:\n{last}")
    return output
