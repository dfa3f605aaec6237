"""Where installed engines lie, and what is known of each: one folder, readable without running anything."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from engines.catalogue import ENGINES, CatalogueEntry, Cloud, Embedded, Environment, Installed


class Standing(StrEnum):
    """How an engine stands on this machine."""

    EMBEDDED = "embedded"
    INSTALLED = "installed"
    ABSENT = "not installed"
    KEY_SET = "key set"
    KEY_MISSING = "key missing"


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of an engine. `files` are the weights by path, with size and checksum as fetched;
    `latency_ms`, `vram_gb` and the `voices` by language are what `ivr engines test` found last, at
    `tested_at` (Unix time)."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: str = ""
    licence_accepted: bool = False
    latency_ms: float | None = None
    vram_gb: float | None = None
    voices: dict[str, list[str]] = field(default_factory=dict)
    tested_at: float | None = None


class Shelf:
    """`root` holds `environments`, `weights` and `records`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def environment(self, environment: Environment) -> Path:
        return self.root / "environments" / environment.name

    def interpreter(self, entry: CatalogueEntry) -> Path | None:
        """That of the engine's own environment, once it is complete."""
        if not isinstance(entry.runs, Installed):
            return None
        folder = self.environment(entry.runs.environment)
        python = folder / "bin" / "python"
        return python if (folder / STAMP).exists() and python.exists() else None

    def weights(self, entry: CatalogueEntry) -> Path | None:
        """The folder of the engine's weights, once they are complete."""
        folder = self.weights_folder(entry)
        return folder if self.record(entry).files and folder.is_dir() else None

    def weights_folder(self, entry: CatalogueEntry) -> Path:
        return self.root / "weights" / entry.name

    def standing(self, entry: CatalogueEntry) -> Standing:
        match entry.runs:
            case Embedded():
                return Standing.EMBEDDED
            case Cloud():
                return Standing.KEY_SET if os.environ.get(entry.runs.key_variable) else Standing.KEY_MISSING
            case Installed():
                complete = self.interpreter(entry) and self.weights(entry)
                return Standing.INSTALLED if complete else Standing.ABSENT

    def record(self, entry: CatalogueEntry) -> Record:
        """What is known; empty when nothing is, or when the file cannot be read."""
        try:
            return Record(**json.loads(self._record_path(entry).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Record()

    def note(self, entry: CatalogueEntry, **changes: Any) -> Record:
        """Changes the record, all or nothing."""
        record = replace(self.record(entry), **changes)
        path = self._record_path(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}.part")
        beside.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
        beside.replace(path)
        return record

    def remove(self, entry: CatalogueEntry) -> list[Path]:
        """Deletes weights and record, and the environment when no installed engine needs it; says what."""
        removed = []
        folder = self.weights_folder(entry)
        if folder.exists():
            shutil.rmtree(folder)
            removed.append(folder)
        self._record_path(entry).unlink(missing_ok=True)
        if isinstance(entry.runs, Installed) and not self._needed(entry.runs.environment):
            environment = self.environment(entry.runs.environment)
            if environment.exists():
                shutil.rmtree(environment)
                removed.append(environment)
        return removed

    def _needed(self, environment: Environment) -> bool:
        return any(
            isinstance(entry.runs, Installed)
            and entry.runs.environment is environment
            and self.weights_folder(entry).exists()
            for entry in ENGINES
        )

    def _record_path(self, entry: CatalogueEntry) -> Path:
        return self.root / "records" / f"{entry.name}.json"


STAMP = ".complete"
"""In an environment, once all its packages are there; holds what they were."""
