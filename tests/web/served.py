"""What the server of the tests of sockets is told, and how it is reached (`served` in conftest)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final

from ivr.local import LocalServer

ROOT: Final = Path(__file__).parents[2]
PARAMS: Final = {"vendor": "Sharma", "order": "48213", "amount": 1250.5, "language": "en"}
TOKEN: Final = "a-token-for-tests-only"
SECRET: Final = "a-secret-for-tests-only"
BASIC: Final = {"Authorization": "Basic " + base64.b64encode(f"voicebot:{TOKEN}".encode()).decode()}

CONFIG: Final[dict[str, Any]] = {
    "numbers": {"+918047112233": {"flow": "vendor-order", "params": PARAMS}},
    "flows": str(ROOT / "flows"),
    "queues": {"vendor-desk": "+912212345678"},
    "endpoints": {"order-webhook": {"url": "http://127.0.0.1:9/orders"}},
    "limits": {"loop_lag_ms": 10_000, "calls": 50},
    "exotel": {
        "keys": {"voicebot": TOKEN},
        "secret": SECRET,
        "streams": {
            "numbers": {"chunk_ms": 100},
            "orders": {"flow": "vendor-order", "params": PARAMS, "connects": True},
        },
    },
}


def ws(server: LocalServer, path: str) -> str:
    return server.url.replace("http://", "ws://") + path
