"""What is known of an engine before it runs: pure data, no engine is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    ASR = "asr"
    TTS = "tts"
    EMBEDDING = "embedding"

    @property
    def does(self) -> str:
        """For a sentence about an engine that cannot do something else."""
        return _DOES[self]


_DOES: Final = {Kind.ASR: "hears", Kind.TTS: "speaks", Kind.EMBEDDING: "knows what texts mean"}


class Streaming(StrEnum):
    """How results come: as they are made, in pieces (sentence by sentence, window by window), or all at the
    end."""

    NATIVE = "native"
    PIECES = "pieces"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Licence:
    """Of the code and of the weights, as SPDX names where there are such. `service`: a provider's terms."""

    code: str
    weights: str
    commercial: bool = True
    """False: the weights may not earn money, so the engine is off until somebody accepts that."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Code that is on no registry: a git repository, put on the environment's path."""

    url: str
    revision: str
    requirements: str = "requirements.txt"
    """Installed from the checkout, after the environment's own packages."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of its own, shared by the engines that can live together in it.

    `packages` are requirements as pip reads them. `newest_python`: later interpreters lack wheels.
    """

    name: str
    packages: tuple[str, ...]
    checkouts: tuple[Checkout, ...] = ()
    newest_python: tuple[int, int] = (3, 13)


@dataclass(frozen=True, slots=True)
class Hub:
    """Weights in a repository of the Hugging Face hub. The hub's own listing has a checksum of every file.

    `files` are shell patterns; a file is fetched when one of them fits. They go into `folder`, below that of
    the engine's weights.
    """

    repository: str
    files: tuple[str, ...] = ("*",)
    revision: str = "main"
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Weights as assets of a GitHub release. The release's description has their checksums."""

    repository: str
    tag: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repository:
    """Files of a GitHub repository, as they are at the newest commit of `revision`. Its listing has git's
    hash of every file.

    They go into `folder`, below that of the engine's weights, under their own names alone. `words` are what
    is said in recordings, by the file's name: they are written beside them, as `NAME.txt`.
    """

    repository: str
    files: tuple[str, ...]
    folder: str
    revision: str = "main"
    words: tuple[tuple[str, str], ...] = ()


Source = Hub | Release | Repository


class VoiceFiles(StrEnum):
    """What a voice of an engine is in the folder `voices` of its weights: a preset of its own kind, or a
    recording with what is said in it beside (`NAME.txt`)."""

    PRESETS = ".pt"
    RECORDINGS = ".wav"


@dataclass(frozen=True, slots=True)
class Embedded:
    """Comes with this project and runs in its own environment: nothing to install."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Runs in `environment` on `weights`, which `ivr engines install` fetches.

    `vram_gb` is what it takes of the GPU's memory, in GB, None where that was never measured; `worker` is the
    engine for `WorkerCommand`. `voice_files`: its voices are files, to which others may be added.
    """

    environment: Environment
    weights: tuple[Source, ...]
    vram_gb: float | None
    worker: str
    voice_files: VoiceFiles | None = None


@dataclass(frozen=True, slots=True)
class Cloud:
    """A provider's service. `key_variable` is the environment variable with its key."""

    address: str
    key_variable: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """`rate` in Hz is what the engine takes (asr) or gives (tts), None where it has to do with texts alone;
    `languages` are ISO 639 codes.

    `tags` are the sounds that a voice knows inside a text, as the engine writes them. `role` is one line for
    a list. `voices` are those by name that are known before the engine runs, all that it has; None:
    that is known once it runs, or from its files.
    """

    name: str
    kind: Kind
    role: str
    languages: tuple[str, ...]
    rate: int | None
    streaming: Streaming
    licence: Licence
    runs: Embedded | Installed | Cloud
    cloning: bool = False
    tags: tuple[str, ...] = ()
    voices: Mapping[str, tuple[str, ...]] | None = field(default=None, hash=False)

    def speaks(self, language: str) -> bool:
        """ "hi-IN" is spoken by who speaks "hi"."""
        return language.partition("-")[0].lower() in self.languages


def codes(text: str) -> tuple[str, ...]:
    """Language codes, written with spaces between them."""
    return tuple(text.split())
