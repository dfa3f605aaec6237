"""pjsua2, as far as it is there. It has no types: what it makes is `Any`, and only here is it imported."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

_ERRORS: Final = 1
"""Log level: before it is told otherwise, PJSIP writes to the standard output."""

DEFAULT_CALLS: Final = 4
"""PJSUA_MAX_CALLS where a build does not set it."""


class NoPjsip(OSError):
    """pjsua2 cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Library:
    """pjsua2 as it is installed. `calls` tells, once it is initialised, how many it holds in a process, those
    that it refuses included."""

    pj: Any
    calls: Callable[[], int]
    version: str


def load() -> Library:
    """Finds pjsua2; raises `NoPjsip`. Nothing is started."""
    try:
        pj = importlib.import_module("pjsua2")
    except ImportError as error:
        raise NoPjsip(
            f"sip.stack: pjsip needs pjsua2 ({error}): install ivr-server[pjsip], or a build of your own; "
            "docs/pjsip.md says how"
        ) from error
    native = _native(pj)
    if native is None:
        return Library(pj, lambda: DEFAULT_CALLS, "of unknown version")
    native.pj_get_version.restype = ctypes.c_char_p
    native.pj_log_set_level(_ERRORS)
    version: bytes = native.pj_get_version()
    return Library(pj, lambda: int(native.pjsua_call_get_max_count()), version.decode("ascii", "replace"))


def _native(pj: ModuleType) -> Any:
    """The C library inside the module, for what pjsua2 does not tell; None when it hides its names.

    The functions used do no more than read or write one variable.
    """
    try:
        extension = getattr(pj, "_pjsua2", None) or importlib.import_module("_pjsua2")
        native = ctypes.CDLL(str(extension.__file__))
        _ = native.pjsua_call_get_max_count, native.pj_get_version, native.pj_log_set_level
    except (ImportError, OSError, AttributeError):
        return None
    return native
