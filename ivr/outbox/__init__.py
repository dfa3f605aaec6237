"""Delivers what calls owe to the world: results and requests by HTTP, events and results by MQTT."""

from ivr.outbox.http import EVENT_ID, RESULT
from ivr.outbox.outbox import Outbox

__all__ = ["EVENT_ID", "RESULT", "Outbox"]
