"""What goes to the broker: one JSON object around what a flow, or the end of a call, has to say.

    {"id": "019aab1c-…", "event": "rider-events", "time": "2025-11-22T09:30:12.300000Z",
     "call_id": "019aab1b-…", "flow": "rider-assignment", "body": {"order": "48213", "decision": "accepted"}}

`id` is the same for every repetition: an event is delivered at least once. `event` is the name that the flow
publishes to, or `call.ended`, whose body is the call as the webhook tells it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

CALL_ENDED: Final = "call.ended"
"""No topic that a flow publishes to can have this name."""

FIELDS: Final = ("id", "event", "time", "call_id", "flow", "body")


def envelope(id: str, event: str, at: float, call_id: str, flow: str, body: Mapping[str, Any]) -> str:
    """The JSON text; `at` is Unix seconds, `body` JSON values."""
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = (id, event, time, call_id, flow, body)
    return json.dumps(dict(zip(FIELDS, values, strict=True)), ensure_ascii=False)
