"""Values of a flow, whichever request they come in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from ivr.api.campaign_models import ContactRequest
from ivr.api.models import InitiateRequest
from ivr.api.signals import SignalRequest
from ivr.web.phone import PhoneCall
from ivr.web.routes import SessionRequest

REQUESTS: list[tuple[type[BaseModel], str, dict[str, Any]]] = [
    (InitiateRequest, "params", {"to": "+919876543210", "flow": "f"}),
    (SessionRequest, "params", {"flow": "f"}),
    (PhoneCall, "params", {"flow": "f"}),
    (ContactRequest, "params", {"to": "+919876543210"}),
    (SignalRequest, "values", {"name": "s"}),
]


@pytest.mark.parametrize(("model", "field", "body"), REQUESTS, ids=lambda part: getattr(part, "__name__", ""))
@pytest.mark.parametrize("values", ['{"a": "\\ud800"}', '{"a": {"b": ["\\udfff"]}}', '{"\\ud800": 1}'])
def test_half_of_a_surrogate_pair_is_no_text(
    model: type[BaseModel], field: str, body: dict[str, Any], values: str
) -> None:
    model.model_validate(body | {field: {"a": "आशा 😀"}})
    with pytest.raises(ValidationError):
        model.model_validate(body | {field: json.loads(values)})
