"""As much of torch as the adapter of IndicConformer touches, over numpy: names, signatures, failures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np


class Tensor:
    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def unsqueeze(self, axis: int) -> Tensor:
        return Tensor(np.expand_dims(self.values, axis))

    def to(self, device: str) -> Tensor:
        return self


def from_numpy(values: np.ndarray[Any, Any]) -> Tensor:
    if not values.flags.writeable:
        raise UserWarning("the array is not writable")
    return Tensor(values)


@contextlib.contextmanager
def inference_mode() -> Iterator[None]:
    yield


class cuda:
    class OutOfMemoryError(RuntimeError):
        pass

    @staticmethod
    def is_available() -> bool:
        return False


class nn:
    class functional:
        @staticmethod
        def pad(tensor: Tensor, pad: tuple[int, int]) -> Tensor:
            return Tensor(np.pad(tensor.values, ((0, 0), pad)))
