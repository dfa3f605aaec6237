"""Whatever is sent, the answer is one of the documented ones: generated from the service's own document."""

from __future__ import annotations

import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings

from tests.service.document import excluded
from tests.speech.conftest import KEYS, Stage

_folder = tempfile.TemporaryDirectory(prefix="ivr-voices-")
schema = schemathesis.openapi.from_asgi(
    "/openapi.json", Stage(Path(_folder.name), keys=KEYS, operators=KEYS).app()
)


@schema.parametrize()
@settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_the_service_keeps_to_its_document(case: schemathesis.Case) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {KEYS['shop']}"}, excluded_checks=excluded(case)
    )
