"""What `ivr bench asr` and `ivr bench tts` do alike: a service, its levels, the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

import psutil
from websockets.exceptions import WebSocketException

from ivr.bench.random_weights import prepared
from ivr.bench.service import Options, service
from ivr.failures import first_of
from ivr.local import ServerFailed

Levels = list[dict[str, Any]]


def measured(
    kind: str,
    options: Options,
    spoken: Collection[str],
    levels: Callable[[Options, str, int | None], Coroutine[Any, Any, Levels]],
    draw: Callable[[Sequence[dict[str, Any]]], str],
) -> int:
    """Measures, prints one JSON object, writes the chart; 1 when something of it failed.

    `levels` measures the service at an address (its process id, where it is ours); the bench has sentences in
    the languages of `spoken`. Raises SystemExit with what is wrong.
    """
    if unknown := [language for language in options.languages if language not in spoken]:
        names = ", ".join(map(repr, unknown))
        raise SystemExit(f"ivr: the bench has nothing to say in {names}: it has {', '.join(spoken)}")
    try:
        with (
            prepared(kind, options) as chosen,
            service(kind, chosen.url, chosen.config, chosen.cpus) as (url, pid),
        ):
            found = asyncio.run(levels(chosen, url, pid))
    except* (ServerFailed, OSError, WebSocketException) as failed:
        raise SystemExit(f"ivr: {first_of(failed)}") from failed
    report = {
        "cores": psutil.cpu_count(),
        "languages": options.languages,
        "random_weights": options.random_weights,
        "levels": found,
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))
    if options.plot:
        options.plot.write_text(draw(found), encoding="utf-8")
    return 1 if any(level["failures"] for level in found) else 0
