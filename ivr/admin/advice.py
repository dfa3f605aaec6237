"""What to do about a trunk or an engine that does not stand well, in the words of `ivr doctor`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.api.engines import Engine
from ivr.api.trunks import Trunk

SLOW_MS = 300.0
"""A round trip beyond this is heard (ITU-T G.114: at ease up to 150 ms one way)."""

NEARLY_FULL = 0.8
OFTEN_RESTARTED = 3


def for_trunk(trunk: Trunk) -> Iterator[str]:
    """Nothing where all is well."""
    if trunk.seen_as is not None:
        yield (
            f"The trunk sees us as {trunk.seen_as}, and we tell it another address: set sip.advertise to it, "
            "else neither sound nor hang-ups may come back."
        )
    if trunk.registered is False:
        yield "It is not registered: calls to us go nowhere. Check registration.registrar and credentials."
    silent = [target.address for target in trunk.targets if target.up is False]
    if trunk.up is False and not silent:
        yield "No address of its proxy answers: check the name, and that the firewall lets us reach it."
    elif silent and len(silent) < len(trunk.targets):
        yield f"{', '.join(silent)} does not answer: calls go by the others, as long as those do."
    elif silent:
        yield f"{', '.join(silent)} does not answer OPTIONS: ask the provider whether our address is allowed."
    if trunk.rtt_ms is not None and trunk.rtt_ms > SLOW_MS:
        yield f"A round trip takes {trunk.rtt_ms:.0f} ms, which callers notice: is there a nearer edge?"
    if trunk.max_calls and trunk.calls >= trunk.max_calls * NEARLY_FULL:
        yield f"{trunk.calls} of {trunk.max_calls} lines are in use: the next calls may be refused."


def for_engine(engine: Engine) -> Iterator[str]:
    """Nothing where all is well."""
    if engine.breaker == "open":
        yield "It failed again and again, and is left alone for a while: the next of its chain serves."
    elif engine.breaker == "half open":
        yield "It is being tried again, one request at a time."
    if engine.state == "down":
        yield "It does not run: the next of its chain serves calls. `ivr engines test` says what is missing."
    if engine.restarts >= OFTEN_RESTARTED:
        yield f"Its worker was started anew {engine.restarts} times: the log has its last words."
