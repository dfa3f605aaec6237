"""Whatever is sent, the answer is one of the documented ones: generated from the service's own document."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance

from tests.speech.conftest import KEYS, Stage

# A schema cannot tell every wrong value: a language that no engine here speaks, a consent in the future.
# And the framework's 405 names the methods of one route where a path has several.
EXCEPT: Final = [positive_data_acceptance, allow_header_conformance]

_folder = tempfile.TemporaryDirectory(prefix="ivr-voices-")
schema = schemathesis.openapi.from_asgi("/openapi.json", Stage(Path(_folder.name), keys=KEYS).app())


@schema.parametrize()
@settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_the_service_keeps_to_its_document(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {KEYS['shop']}"}, excluded_checks=EXCEPT)
