"""The part of the configuration about language models."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from engines.catalogue import Kind, UnknownEngine, find
from ivr.speech_config import SHAPE

_OURS: Final = ("messages", "model", "n", "stream", "tools")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _options(options: dict[str, Any]) -> dict[str, Any]:
    for name in _OURS:
        if name in options:
            raise ValueError(f"{name} is set by us")
    return options


BaseUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
Key = Annotated[str, Field(min_length=1)]


class LlmProvider(_Strict):
    """A model at an OpenAI-compatible server; `url` is the base of its API, as http://gpu-1:8000/v1.

    `price_in` and `price_out` are of a million tokens, in the unit in which flows bound the cost. `options`
    are set in the body of every request; one that is null takes a field out.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    url: BaseUrl
    model: str = Field(min_length=1)
    key: Key | None = Field(default=None, repr=False)
    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)
    options: Annotated[dict[str, Any], AfterValidator(_options)] = {}


class Embeddings(_Strict):
    """A model of meaning at an OpenAI-compatible server, for `knowledge`. A caller's question has
    `deadline_s`; without an answer by then the words alone count."""

    url: BaseUrl
    model: str = Field(min_length=1)
    key: Key | None = Field(default=None, repr=False)
    deadline_s: float = Field(default=0.25, gt=0, le=5)


def _of_meaning(name: str) -> str:
    try:
        entry = find(name)
    except UnknownEngine as error:
        raise ValueError(str(error)) from error
    if entry.kind is not Kind.EMBEDDING:
        raise ValueError(f"{name} {entry.kind.does}, it makes no vectors of texts")
    return name


class EmbeddingsHere(_Strict):
    """A model of meaning that runs on this machine, by its name in the catalogue of engines. A caller's
    question has `deadline_s`."""

    engine: Annotated[str, AfterValidator(_of_meaning)]
    deadline_s: float = Field(default=0.15, gt=0, le=5)


def _where(written: Any) -> str | None:
    if isinstance(written, dict):
        return SHAPE + ("here" if "engine" in written else "server")
    if isinstance(written, EmbeddingsHere):
        return SHAPE + "here"
    return SHAPE + "server" if isinstance(written, Embeddings) else None


_Embeddings = Annotated[
    Annotated[Embeddings, Tag(SHAPE + "server")] | Annotated[EmbeddingsHere, Tag(SHAPE + "here")],
    Discriminator(
        _where,
        custom_error_type="embeddings",
        custom_error_message="a model of meaning is {engine: NAME}, or {url: ..., model: ...} of a server",
    ),
]


class Llm(_Strict):
    """`providers` are asked in their order. After `slow_s` without a word the caller hears a filler; each has
    `second_s` before the next is asked too; `deadline_s` after the question, or in the middle of an answer,
    it is given up. An answer has up to `most_tokens`."""

    providers: list[LlmProvider] = []
    temperature: float = Field(default=0.3, ge=0, le=2)
    most_tokens: int = Field(default=300, ge=1, le=8192)
    slow_s: float = Field(default=0.7, gt=0, le=30)
    second_s: float = Field(default=1.5, gt=0, le=30)
    deadline_s: float = Field(default=6.0, gt=0, le=60)
    embeddings: _Embeddings | None = None

    @property
    def engines(self) -> tuple[str, ...]:
        """Those of this machine."""
        return (self.embeddings.engine,) if isinstance(self.embeddings, EmbeddingsHere) else ()

    @model_validator(mode="after")
    def _consistent(self) -> Llm:
        names = [provider.name for provider in self.providers]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the provider {twice} is here twice")
        if not self.slow_s <= self.second_s < self.deadline_s:
            raise ValueError("slow_s comes before second_s, and both before deadline_s")
        return self
