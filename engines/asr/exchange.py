"""What a recogniser's parent and worker say to each other in fields. Standard library only: workers of other
environments use it, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from engines.contract import RecognitionRequest, Segment, Transcript, Word
from engines.wire import Fields


class Mode(StrEnum):
    """What a job is asked for."""

    UTTERANCE = "utterance"
    """A caller's turn as it streams in: partials, and one final."""
    RECORDING = "recording"
    """All audio is there: a segment after the other, and one final."""
    DETECT = "detect"
    """The language alone."""


def request_fields(request: RecognitionRequest, mode: Mode, *, partials: bool = False) -> Fields:
    return {
        "mode": mode.value,
        "language": request.language,
        "rate": request.rate,
        "phrases": list(request.phrases),
        "prompt": request.prompt,
        "words": request.words,
        "partials": partials,
    }


def read_request(fields: Fields) -> tuple[RecognitionRequest, Mode, bool]:
    """The request, its mode, and whether partials are wanted."""
    request = RecognitionRequest(
        str(fields["language"]),
        int(fields["rate"]),
        tuple(map(str, fields["phrases"])),
        str(fields.get("prompt", "")),
        bool(fields.get("words", False)),
    )
    return request, Mode(fields["mode"]), bool(fields.get("partials", False))


def partial(text: str, stable: int, language: str) -> Fields:
    return {"partial": text, "stable": stable, "language": language}


def segment(found: Segment) -> Fields:
    """One frame for each: a long recording's would not fit into one."""
    words = [[w.text, w.start_s, w.end_s, w.confidence] for w in found.words]
    return {"segment": found.text, "start_s": found.start_s, "end_s": found.end_s, "words": words}


def final(language: str, confidence: float, text: str | None = None) -> Fields:
    """`text` None: it is that of the segments."""
    return {"final": text, "language": language, "confidence": confidence}


def detected(languages: Iterable[tuple[str, float]]) -> Fields:
    return {"languages": [[code, probability] for code, probability in languages]}


class Reader:
    """Puts the answers of one job together."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []

    def read(self, fields: Fields) -> Transcript | None:
        """A partial or the final transcript; None for what is only a part of it."""
        if "partial" in fields:
            text = str(fields["partial"])
            return Transcript(text, str(fields["language"]), 0.0, final=False, stable=int(fields["stable"]))
        if "segment" in fields:
            self._segments.append(_segment(fields))
            return None
        text = fields["final"]
        if text is None:
            text = " ".join(part.text for part in self._segments if part.text)
        return Transcript(
            str(text), str(fields["language"]), float(fields["confidence"]), segments=tuple(self._segments)
        )


def _segment(fields: dict[str, Any]) -> Segment:
    words = tuple(Word(str(w[0]), float(w[1]), float(w[2]), float(w[3])) for w in fields["words"])
    return Segment(str(fields["segment"]), float(fields["start_s"]), float(fields["end_s"]), words)
