"""Small flows to change."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from engines.contract import EngineError
from ivr.shelf.folder import FlowFolder
from ivr.shelf.version import Gone, Seen, Sighting


def flow(name: str = "hello", says: str = "Hello.", more: str = "") -> str:
    return (
        f"flow: {name}\nlanguages: [en]\nstart: hello\n{more}"
        f'steps:\n  hello: {{say: {{en: "{says}"}}, next: bye}}\n  bye: {{end: normal}}\n'
    )


class HereReader:
    """Reads flows in this process; `failure` is raised instead, as when there is no other process."""

    def __init__(self, folder: Path) -> None:
        self._folder = FlowFolder(folder, None)
        self.failure: EngineError | None = None

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def look(self, *, settled: bool) -> AsyncGenerator[Sighting, None]:
        if self.failure is not None:
            raise self.failure
        for sighting in self._folder.look(settled=settled):
            yield sighting

    async def check(self, file: str, text: bytes) -> list[Seen]:
        if self.failure is not None:
            raise self.failure
        return self._folder.check(file, text)


def entering(name: str, child: str) -> str:
    return (
        f"flow: {name}\nlanguages: [en]\nstart: enter\n"
        f"steps:\n  enter: {{flow: {child}, next: bye, otherwise: bye}}\n  bye: {{end: normal}}\n"
    )


WITH_AUDIO = """flow: jingle
languages: [en]
start: hello
steps:
  hello: {say: {en: {audio: hello.wav}}, next: bye}
  bye: {end: normal}
"""


def write(folder: Path, file: str, text: str) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def told(sightings: list[Sighting]) -> list[str]:
    """Sightings in short: a file with its flow, `!` where it has problems, `-` where it is gone."""
    found = []
    for sighting in sightings:
        if isinstance(sighting, Gone):
            found.append(f"-{sighting.file}")
        elif isinstance(sighting, Seen):
            found.append(f"{sighting.file}:{sighting.name}{'!' if sighting.problems else ''}")
    return found


def look(folder: FlowFolder, *, settled: bool = False) -> list[str]:
    return told(list(folder.look(settled=settled)))
