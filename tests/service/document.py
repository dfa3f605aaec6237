"""What schemathesis may not conclude from a service's own document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import schemathesis
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)

Check = Callable[..., Any]

_ALWAYS: Final[list[Check]] = [positive_data_acceptance, allow_header_conformance]
"""A schema cannot tell every wrong value: what is audio, a language that no engine here speaks, a consent in
the future. And the framework's 405 names the methods of one route where a path has several."""


def excluded(case: schemathesis.Case) -> list[Check]:
    """Checks to leave out. A form holds texts: a number that is sent as a text of its figures is that
    number."""
    form = case.media_type == "multipart/form-data"
    return [*_ALWAYS, negative_data_rejection] if form else _ALWAYS
