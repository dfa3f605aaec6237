"""Files as passages: Markdown by its headings and paragraphs, tables by their rows. Pure.

A passage is short enough for a model to read several, and says where it stands. What cannot be read is told,
and the rest is kept.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one file."""

MOST_PIECES: Final = 5_000
"""Of one file."""

LONGEST: Final = 800
"""Characters of a passage; a longer paragraph is cut between sentences."""

_LONGEST_HEADING: Final = 120
_MOST_COLUMNS: Final = 60
_MOST_FAULTS: Final = 5

MARKDOWN: Final = frozenset({".md", ".markdown", ".txt"})
TABLES: Final = frozenset({".csv", ".tsv"})

_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(```+|~~~+)")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_MARKS: Final = re.compile(r"\*\*|__|`")
_SENTENCE: Final = re.compile(r"(?<=[.!?।])\s+|\n")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class CannotRead(Exception):
    """The file cannot be used; the text says why, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage of a file; `heading` says where in it."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, and what of it was left out."""

    pieces: tuple[Piece, ...]
    faults: tuple[str, ...] = ()


def readable(name: str) -> bool:
    return PurePath(name).suffix.lower() in MARKDOWN | TABLES


def read(name: str, data: bytes) -> Contents:
    """The passages of a file. Raises `CannotRead`."""
    if len(data) > MOST_BYTES:
        raise CannotRead(f"is over {MOST_BYTES // 1024 // 1024} MiB: split it")
    text = _decoded(data)
    table = PurePath(name).suffix.lower() in TABLES
    contents = _table(text) if table else Contents(tuple(_markdown(text)))
    if len(contents.pieces) > MOST_PIECES:
        left_out = f"only the first {MOST_PIECES} of its {len(contents.pieces)} passages are kept: split it"
        return Contents(contents.pieces[:MOST_PIECES], (*contents.faults, left_out))
    if not contents.pieces and not contents.faults:
        return Contents((), ("holds no text",))
    return contents


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CannotRead("is written in UTF-16: save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "is no text" if b"\0" in data[:4096] else "is not written in UTF-8"
        raise CannotRead(f"{kind} (byte {error.start}): save it as UTF-8") from error
    if _CONTROL.search(text):
        raise CannotRead("is no text: it holds control characters")
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- Markdown


def _markdown(text: str) -> Iterator[Piece]:
    text = _COMMENT.sub("", _FRONT_MATTER.sub("", text))
    path: list[tuple[int, str]] = []
    paragraphs: list[str] = []
    for block in _blocks(text):
        if isinstance(block, str):
            paragraphs.append(block)
            continue
        yield from _packed(path, paragraphs)
        paragraphs = []
        level, title = block
        path = [one for one in path if one[0] < level]
        path.append((level, _plain(title)[:_LONGEST_HEADING]))
    yield from _packed(path, paragraphs)


def _blocks(text: str) -> Iterator[str | tuple[int, str]]:
    """Paragraphs, and headings with their level."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if fence:
            lines.append(line)
            if line.strip().startswith(fence):
                fence = ""
        elif match := _FENCE.match(line):
            fence = match[1][:3]
            lines.append(line)
        elif match := _HEADING.match(line):
            yield from _paragraph(lines)
            lines = []
            yield len(match[1]), match[2]
        elif (match := _UNDERLINE.match(line)) and len(lines) == 1 and lines[0].strip():
            yield (1 if match[1][0] == "=" else 2), lines[0]
            lines = []
        elif line.strip():
            lines.append(line)
        else:
            yield from _paragraph(lines)
            lines = []
    yield from _paragraph(lines)


def _paragraph(lines: list[str]) -> Iterator[str]:
    text = _plain("\n".join(line.rstrip() for line in lines if not _FENCE.match(line)))
    if text:
        yield text


def _plain(text: str) -> str:
    return _MARKS.sub("", _LINK.sub(r"\1", text)).strip()


def _packed(path: list[tuple[int, str]], paragraphs: list[str]) -> Iterator[Piece]:
    """Paragraphs under one heading, as many together as a passage holds."""
    heading = ", ".join(title for _, title in path if title)
    held = ""
    for paragraph in paragraphs:
        for part in _parts(paragraph):
            if held and len(held) + len(part) + 1 > LONGEST:
                yield Piece(heading, held)
                held = ""
            held = f"{held}\n{part}" if held else part
    if held:
        yield Piece(heading, held)


def _parts(paragraph: str) -> Iterator[str]:
    """A paragraph in parts that are short enough: sentences, or what can be cut of one."""
    if len(paragraph) <= LONGEST:
        yield paragraph
        return
    held = ""
    for sentence in _SENTENCE.split(paragraph):
        for at in range(0, max(len(sentence), 1), LONGEST):
            part = sentence[at : at + LONGEST]
            if held and len(held) + len(part) + 1 > LONGEST:
                yield held
                held = ""
            held = f"{held} {part}" if held else part
    if held.strip():
        yield held


# --- tables


def _table(text: str) -> Contents:
    """Every row with the names of its columns: `item: kurta; days: 10`."""
    lines = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=lines.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    faults: list[str] = []
    pieces: list[Piece] = []
    header: list[str] | None = None
    try:
        for row in rows:
            cells = [" ".join(cell.split()) for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = _header(cells)
            elif len(cells) > len(header) and any(cells[len(header) :]):
                faults.append(f"line {rows.line_num}: {len(cells)} cells under {len(header)} columns")
            else:
                pairs = (
                    f"{column}: {cell}" if column else cell
                    for column, cell in zip(header, cells, strict=False)
                    if cell
                )
                pieces.append(Piece(f"line {rows.line_num}", "; ".join(pairs)[: LONGEST * 2]))
    except csv.Error as error:
        faults.append(f"line {rows.line_num}: {error}; what follows is left out")
    if header is None and not faults:
        return Contents((), ("holds no text",))
    if not pieces and not faults:
        return Contents((), ("holds a header and no row",))
    more = len(faults) - _MOST_FAULTS
    shown = faults[:_MOST_FAULTS] + ([f"and {more} more lines like that"] if more > 0 else [])
    return Contents(tuple(pieces), tuple(shown))


def _header(cells: list[str]) -> list[str]:
    if len(cells) > _MOST_COLUMNS:
        raise CannotRead(f"has {len(cells)} columns; {_MOST_COLUMNS} are the most")
    return [cell[:_LONGEST_HEADING] for cell in cells]
