"""`ivr eval asr`: word and character errors of a service over a telephone line, by language."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import jiwer

from engines.service.audio import decode
from engines.service.encoding import AudioFormat, encode
from engines.service.errors import ServiceError
from ivr.bench.service import service
from ivr.evaluation.line import RATE, Line
from ivr.evaluation.manifests import read
from ivr.evaluation.recording import Cell, ManifestError, Recording, opened
from ivr.local import ServerFailed

_LONGEST_S: Final = 600.0
_TIMEOUT_S: Final = 600.0
_WORST: Final = 10


@dataclass(frozen=True, slots=True)
class Options:
    """`dataset` and `split` as `manifests.read` has them. `language` is that of recordings which tell none.
    `at_once` requests are under way together."""

    manifest: Path
    url: str | None = None
    config: Path | None = None
    key: str | None = None
    model: str = "auto"
    language: str = ""
    line: Line = field(default_factory=Line)
    limit: int | None = None
    at_once: int = 4
    dataset: str = ""
    split: str = ""


def run(options: Options) -> int:
    """Measures, and prints one JSON object; 1 when a recording could not be recognised."""
    try:
        recordings = read(options.manifest, options.dataset, options.split)[: options.limit]
        with service("asr", options.url, options.config, None) as (url, _):
            report = asyncio.run(_measure(options, url, recordings))
    except (ManifestError, ServerFailed, httpx.HTTPError) as error:
        raise SystemExit(f"ivr: {error}") from error
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 1 if report["failures"] else 0


def errors(pairs: list[tuple[str, str]]) -> dict[str, float]:
    """Word and character error rates (WER, CER) over all pairs of what was said and what was heard, both
    without case and punctuation."""
    said = [plain(one) for one, _ in pairs]
    heard = [plain(other) for _, other in pairs]
    return {"wer": round(jiwer.wer(said, heard), 4), "cer": round(jiwer.cer(said, heard), 4)}


def plain(text: str) -> str:
    """As it is compared. Signs that change a letter (matras, nukta) stay."""
    folded = unicodedata.normalize("NFC", text).casefold()
    kept = (each if unicodedata.category(each)[0] in "LMN" else " " for each in folded)
    return " ".join("".join(kept).split())


async def _measure(options: Options, url: str, recordings: list[Recording]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    heard: dict[str, list[tuple[str, str]]] = defaultdict(list)
    failures: list[str] = []
    slots = asyncio.Semaphore(options.at_once)
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=False
    ) as client:

        async def one(number: int, recording: Recording) -> None:
            language = recording.language or options.language
            async with slots:
                try:
                    text = await _recognise(client, options, recording, language, number)
                except (ServiceError, ManifestError, OSError, ValueError) as error:
                    failures.append(f"{recording.audio}: {error}")
                    return
            if plain(recording.text):
                heard[language or "unknown"].append((recording.text, text))

        async with asyncio.TaskGroup() as tasks:
            for number, recording in enumerate(recordings):
                tasks.create_task(one(number, recording))
    every = [pair for pairs in heard.values() for pair in pairs]
    return {
        "manifest": str(options.manifest),
        "model": options.model,
        "line": asdict(options.line),
        "recordings": len(recordings),
        "all": errors(every) if every else None,
        "languages": {code: {"recordings": len(p), **errors(p)} for code, p in sorted(heard.items())},
        "worst": [
            {"said": said, "heard": text}
            for said, text in sorted(every, key=lambda pair: -jiwer.wer(plain(pair[0]), plain(pair[1])))[
                :_WORST
            ]
        ],
        "failures": failures[:_WORST],
    }


async def _recognise(
    client: httpx.AsyncClient, options: Options, recording: Recording, language: str, number: int
) -> str:
    wav = await asyncio.to_thread(_over_the_line, recording.audio, options.line, number)
    fields = {"model": options.model, "language": language}
    response = await client.post(
        "/v1/audio/transcriptions", files={"file": ("a.wav", wav, "audio/wav")}, data=fields
    )
    if response.status_code != httpx.codes.OK:
        raise ValueError(response.json()["error"]["message"])
    return str(response.json()["text"])


def _over_the_line(recorded: Path | Cell, line: Line, number: int) -> bytes:
    with opened(recorded) as file:
        audio = decode(file, rate=RATE, most_s=_LONGEST_S)
    return encode(line.carry(audio.pcm, number), RATE, AudioFormat.WAV)
