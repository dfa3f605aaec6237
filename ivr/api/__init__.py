"""The HTTP API: `create_app` over a `Gateway`."""

from ivr.api.app import create_app
from ivr.api.gateway import (
    BadNumber,
    CallRefused,
    CallRequest,
    Gateway,
    LiveCall,
    NoCapacity,
    ParamsRefused,
    Readiness,
    SignalRefused,
    TrunkStatus,
    UnknownFlow,
    UnknownTrunk,
)

__all__ = [
    "BadNumber",
    "CallRefused",
    "CallRequest",
    "Gateway",
    "LiveCall",
    "NoCapacity",
    "ParamsRefused",
    "Readiness",
    "SignalRefused",
    "TrunkStatus",
    "UnknownFlow",
    "UnknownTrunk",
    "create_app",
]
