"""What `ivr knowledge` does. Each function prints, and gives the exit status."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ivr.config import Config, ConfigError, load
from ivr.knowledge.builder import Report, run
from ivr.knowledge.configured import index_of, job_of
from ivr.knowledge.contract import MOST_PASSAGES
from ivr.knowledge.embedding import EmbeddingError, Vector
from ivr.knowledge.index import erase
from ivr.knowledge.meaning import Source, meaning_of
from ivr.knowledge.searching import Searcher

_EMBED_S = 10.0


def build(path: Path) -> int:
    """0: all is read; 1: something is left out; 2: nothing could be done."""
    return _with_config(path, _build)


def ask(path: Path, collection: str, question: str, most: int = MOST_PASSAGES) -> int:
    """0: something was found; 1: nothing; 2: nothing could be done."""
    return _with_config(path, lambda config: _ask(config, collection, question, most))


def forget(path: Path) -> int:
    return _with_config(path, _forget)


def _build(config: Config) -> int:
    report = run(job_of(config))
    for line in told(report):
        print(line)
    if report.failure:
        return 2
    whole = not report.without_vectors and not any(one.faults for one in report.collections.values())
    return 0 if whole else 1


def told(report: Report) -> list[str]:
    """What a build did, in words."""
    if report.failure:
        return [f"not built: {report.failure}"]
    lines = []
    for name, collection in report.collections.items():
        files, passages = _counted(collection.files, "file"), _counted(collection.pieces, "passage")
        lines.append(f"{name}: {files}, {passages}")
        lines += [f"  {file}: {fault}" for file, fault in collection.faults]
    if report.without_vectors:
        lines.append(
            f"without vectors: {_counted(report.without_vectors, 'passage')}: {report.vectors_fault}"
        )
    return lines


def _ask(config: Config, collection: str, question: str, most: int) -> int:
    if collection not in config.knowledge:
        print(f"ivr: there is no collection {collection}: {', '.join(config.knowledge)}", file=sys.stderr)
        return 2
    job = job_of(config)
    report = run(job)
    if report.failure:
        print(f"ivr: {report.failure}", file=sys.stderr)
        return 2
    searcher = Searcher(index_of(config))
    try:
        vector = None
        if job.source is not None:
            vector = _vector(job.source, question)
            searcher.load_vectors(job.source.model)
        searcher.find({collection}, question, vector, most=most)  # the first one opens the file
        began = time.perf_counter()
        passages = searcher.find({collection}, question, vector, most=most)
        took_ms = (time.perf_counter() - began) * 1000
    except sqlite3.Error as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
    finally:
        searcher.close()
    for passage in passages:
        print(f"{passage.source} ({passage.score:.4f})")
        print("".join(f"  {line}\n" for line in passage.text.splitlines()))
    print(f"{_counted(len(passages), 'passage')} in {took_ms:.1f} ms" if passages else "nothing was found")
    return 0 if passages else 1


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _vector(source: Source, question: str) -> Vector | None:
    async def one() -> Vector:
        meaning = meaning_of(source)
        try:
            await meaning.start()
            return await meaning.question(question, _EMBED_S)
        finally:
            await meaning.close()

    try:
        return asyncio.run(one())
    except EmbeddingError as error:
        print(f"ivr: by words alone: {error}", file=sys.stderr)
        return None


def _forget(config: Config) -> int:
    there = erase(index_of(config))
    print("the index is gone; the files are as they were" if there else "there is no index")
    return 0


def _with_config(path: Path, work: Callable[[Config], int]) -> int:
    try:
        config = load(path)
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
    if not config.knowledge and work is not _forget:
        print(f"ivr: {path} names no knowledge (docs/agents.md)", file=sys.stderr)
        return 2
    try:
        return work(config)
    except (ConfigError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
