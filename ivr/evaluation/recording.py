"""What a data set is made of: recordings, each a file of its own or a cell of a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO


class ManifestError(Exception):
    """A manifest that cannot be read; the text names the file, and the line (of Parquet: the row) where it is
    one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A recording inside a Parquet file: in a column, the row of a row group. `row` is that of the file."""

    path: Path
    column: str
    group: int
    at: int
    row: int

    def __str__(self) -> str:
        return f"{self.path}:{self.row}"


@dataclass(frozen=True, slots=True)
class Recording:
    """`language` is empty where the data set does not tell it."""

    audio: Path | Cell
    text: str
    language: str = ""


def opened(audio: Path | Cell) -> BinaryIO:
    """The file with its sound. Raises `OSError`, and `ManifestError` for a cell without any."""
    if isinstance(audio, Path):
        return audio.open("rb")
    value = _column(audio.path, audio.column, audio.group)[audio.at].as_py()
    data = value.get("bytes") if isinstance(value, Mapping) else value
    if not isinstance(data, bytes) or not data:
        raise ManifestError(f"{audio}: the column {audio.column} holds no audio")
    return io.BytesIO(data)


@lru_cache(maxsize=2)
def _column(path: Path, column: str, group: int) -> Any:
    """Of a row group, some hundred recordings: they are asked for one after the other."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=[column]).column(0)
