"""Whatever is sent, the answer is one of the documented ones: generated from the service's own document."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings

from engines.service.admin import Operators, admin_routes
from engines.service.asr.app import create_app
from engines.service.asr.roster import Roster
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from ivr.switching import monitor_of
from tests.fakes.switching import no_switcher
from tests.service.asr.conftest import KEY, Scripted, ScriptedVad
from tests.service.document import excluded

keys = Keys({"tests": KEY})
app = create_app(Roster({"scripted": Scripted()}), ScriptedVad(), ServiceMetrics("asr"), keys)
switcher = no_switcher()
app.include_router(admin_routes(Operators({"tests": KEY}, keys), monitor_of(switcher), switcher))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@schema.parametrize()
@settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_the_service_keeps_to_its_document(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=excluded(case))
