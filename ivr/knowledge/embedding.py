"""A model of meaning behind an OpenAI-compatible /embeddings: texts in, vectors of length 1 out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

MOST_DIMENSIONS: Final = 4_096
_MOST_BYTES: Final = 32 * 1024 * 1024


class EmbeddingError(Exception):
    """There are no vectors; the text says why."""


@dataclass(frozen=True, slots=True)
class EmbeddingServer:
    """`url` is the base of its API; each request has `deadline_s`."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    deadline_s: float = 0.25


async def embed(
    client: httpx.AsyncClient, server: EmbeddingServer, texts: Sequence[str], deadline_s: float
) -> list[Vector]:
    """A vector for each text. Raises `EmbeddingError`."""
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    body = {"model": server.model, "input": list(texts), "encoding_format": "float"}
    url = server.url.rstrip("/") + "/embeddings"
    try:
        async with client.stream("POST", url, json=body, headers=headers, timeout=deadline_s) as response:
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise EmbeddingError(
                        f"{server.model}: the answer is over {_MOST_BYTES // 1024 // 1024} MiB"
                    )
            if not response.is_success:
                raise EmbeddingError(f"{server.model}: status {response.status_code} from {server.url}")
        return _vectors(httpx.Response(200, content=bytes(data)).json(), len(texts))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EmbeddingError(f"{server.model}: {error or type(error).__name__}") from error
    except (ValueError, TypeError, LookupError) as error:
        raise EmbeddingError(f"{server.model}: the answer is none: {error}") from error


def _vectors(answer: Any, count: int) -> list[Vector]:
    found = {int(item["index"]): item["embedding"] for item in answer["data"]}
    return unit_vectors(np.asarray(found[index], dtype=np.float32) for index in range(count))


def unit_vectors(given: Iterable[Vector]) -> list[Vector]:
    """The same directions with length 1. Raises `ValueError` where one is none."""
    vectors: list[Vector] = []
    for vector in given:
        length = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not 0 < len(vector) <= MOST_DIMENSIONS:
            raise ValueError("a vector of another shape")
        if not math.isfinite(length) or length == 0:
            raise ValueError("a vector without a direction")
        vectors.append(vector / np.float32(length))
    if len({len(vector) for vector in vectors}) > 1:
        raise ValueError("vectors of several lengths")
    return vectors
