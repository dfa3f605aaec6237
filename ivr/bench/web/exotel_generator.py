"""The streams of the benchmark, a process of their own: `python -m ivr.bench.web.exotel_generator PLAN`.

As `ivr.bench.generator`: it prints `steady` when all are up, `ending` before they leave, then one line of
JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final

import uvloop

from ivr.bench.stats import Samples
from ivr.bench.web.exotel_caller import StreamCaller

_APART_S: Final = 0.04
_SETTLE_S: Final = 3.0
_LEAVING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """So many streams at once for `seconds`, to `ws://HOST:PORT/PATH`."""

    host: str
    port: int
    path: str
    streams: int
    seconds: float


async def generate(plan: Plan) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    samples = Samples()
    callers: list[StreamCaller] = []
    gone = asyncio.Semaphore(0)
    for number in range(plan.streams):
        caller = StreamCaller(f"bench-{number}", plan.host, plan.path, samples, gone.release)
        await loop.create_connection(lambda caller=caller: caller, plan.host, plan.port)  # type: ignore[misc]
        callers.append(caller)
        await asyncio.sleep(_APART_S)
    await asyncio.sleep(_SETTLE_S)
    for caller in callers:
        caller.gaps = 0
    samples.key_to_prompt.clear()
    samples.lateness.clear()
    print("steady", flush=True)
    await asyncio.sleep(plan.seconds)
    print("ending", flush=True)
    measured = {**asdict(samples), "gaps": sum(caller.gaps for caller in callers)}
    measured["chunks"] = sum(caller.chunks for caller in callers)
    measured["clears"] = sum(caller.clears for caller in callers)
    measured["chunk_bytes"] = max((caller.chunk_bytes for caller in callers), default=0)
    measured["failures"] = list(samples.failures)
    for caller in callers:
        caller.leave()
    async with asyncio.timeout(_LEAVING_S):
        for _ in callers:
            await gone.acquire()
    return measured


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(generate(plan))))


if __name__ == "__main__":
    main()
