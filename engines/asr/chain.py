"""Recognisers in the order of each language, as one row for whoever tries them in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines.contract import OnPartial, RecognitionRequest, Recognizer, RecognizerStream


class InLanguage:
    """A recogniser that is asked for one language alone."""

    def __init__(self, inner: Recognizer, language: str) -> None:
        self._inner = inner
        self._language = language

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def version(self) -> str:
        return self._inner.version

    def supports(self, request: RecognitionRequest) -> bool:
        return request.language.partition("-")[0].lower() == self._language and self._inner.supports(request)

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> RecognizerStream:
        return self._inner.open(request, on_partial)


def in_order(
    chains: Mapping[str, Sequence[str]], engines: Mapping[str, Recognizer], last: Sequence[Recognizer]
) -> tuple[Recognizer, ...]:
    """All recognisers so that, of those that support a request, the first is its language's first choice.

    `chains` names `engines` by language; `last` follows in every language.
    """
    row = [
        InLanguage(engines[name], language)
        for language, names in chains.items()
        for name in names
        if name in engines
    ]
    return (*row, *last)
