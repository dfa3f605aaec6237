"""As much of torch as the adapters and the recorded contracts touch: a tensor is a numpy array."""

from __future__ import annotations

import numpy as np

from torch import cuda

__version__ = "2.6.0"
OutOfMemoryError = cuda.OutOfMemoryError
float32, bfloat16, int32 = "float32", "bfloat16", "int32"


class Tensor:
    def __init__(self, array):
        self.array = np.asarray(array)

    @property
    def shape(self):
        return self.array.shape

    def detach(self):
        return self

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.array.astype(np.float32))

    def to(self, device):
        return self

    def numpy(self):
        if self.array.dtype == np.float64:
            raise TypeError("the adapters should ask for float32")
        return self.array

    def squeeze(self):
        return Tensor(self.array.squeeze())

    def unsqueeze(self, axis):
        return Tensor(np.expand_dims(self.array, axis))

    def tolist(self):
        return self.array.tolist()

    def __getitem__(self, key):
        return Tensor(self.array[key])

    def __len__(self):
        return len(self.array)


def tensor(data, dtype=None):
    return Tensor(data)


def load(f, map_location=None, weights_only=None):
    return {"preset": str(f)}


class Module:
    """What a forward hook is registered on."""

    def __init__(self):
        self._hooks = []

    def register_forward_pre_hook(self, hook):
        self._hooks.append(hook)

    def __call__(self, **inputs):
        for hook in self._hooks:
            hook(self, inputs)
