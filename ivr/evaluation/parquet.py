"""Recordings inside Parquet files, as the hub's own library writes them: a row each, its sound in a column of
`{bytes, path}`, or of bytes. Read group by group: a file holds some gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from ivr.evaluation.datasets import ANY, DataSet, by_columns, language_code, language_of_path
from ivr.evaluation.recording import Cell, ManifestError, Recording


def of_split(folder: Path, files: Sequence[Path], usual: str, wanted: str) -> list[Path]:
    """Those of the split that is wanted; else those of the `usual` one, where there is such; else all. A file
    is named after its split, `test-00000-of-00007.parquet`, or lies in a folder of its name. Raises
    `ManifestError`.
    """
    splits: dict[str, list[Path]] = {}
    for path in files:
        for name in {_stem(path), *path.relative_to(folder).parts[:-1]}:
            splits.setdefault(name, []).append(path)
    if wanted:
        if wanted not in splits:
            raise ManifestError(f"{folder}: has no split {wanted}; there are {', '.join(sorted(splits))}")
        return splits[wanted]
    return splits.get(usual) or list(files)


def recordings(path: Path, known: DataSet) -> Iterator[Recording]:
    """Raises `ManifestError` with the row, counted from 1, where it is one's."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ManifestError(f"{path}: pyarrow is not installed: pip install 'ivr-server[eval]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = frozenset(str(name) for name in file.schema_arrow.names)
            if known is ANY:
                known = by_columns(columns)
            heavy = _of_bytes(file.schema_arrow)
            audio = _column(path, heavy, known.audio, "audio")
            _column(path, columns - heavy, known.text, "text")
            others = sorted(columns - heavy)
            row = 0
            for group in range(file.num_row_groups):
                for at, entry in enumerate(file.read_row_group(group, columns=others).to_pylist()):
                    row += 1
                    if known.wanted(entry):
                        yield _recording(Cell(path, audio, group, at, row), entry, known)
    except pyarrow.ArrowException as error:
        raise ManifestError(f"{path}: is no Parquet file that can be read: {error}") from error


def _recording(cell: Cell, entry: dict[str, Any], known: DataSet) -> Recording:
    text = next((entry[name] for name in known.text if entry.get(name)), None)
    if text is None:
        raise ManifestError(f"{cell}: has no text (one of {', '.join(known.text)})")
    named = next((str(entry[name]) for name in known.language if entry.get(name)), known.spoken)
    return Recording(
        cell, known.clean(str(text).strip()), language_code(named) or language_of_path(cell.path)
    )


def _column(path: Path, columns: Set[str], names: Sequence[str], what: str) -> str:
    for name in names:
        if name in columns:
            return name
    raise ManifestError(
        f"{path}: has no column of {what} (one of {', '.join(names)}); it has {', '.join(sorted(columns))}"
    )


def _of_bytes(schema: Any) -> frozenset[str]:
    """The columns of sounds, and of pictures: they are read when they are asked for alone."""
    import pyarrow

    def heavy(kind: Any) -> bool:
        types = pyarrow.types
        if types.is_struct(kind):
            return any(heavy(kind.field(number).type) for number in range(kind.num_fields))
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    return frozenset(field.name for field in schema if heavy(field.type))


def _stem(path: Path) -> str:
    return re.sub(r"-\d+-of-\d+$", "", path.stem)
