"""Calls at once as people make them: a key every five seconds or so. A process of its own, as
`ivr.bench.generator`: `python -m ivr.bench.web.callers PLAN`."""

from __future__ import annotations

import json
import sys
from typing import Final

from ivr.bench.caller import Caller
from ivr.bench.generator import Plan, generate
from ivr.bench.line import SECOND
from ivr.bench.stats import Samples

PAUSE: Final = (4 * SECOND, 6 * SECOND)
"""Between the beginning of a prompt and the key."""


def main(arguments: list[str]) -> None:
    plan, samples = Plan(**json.loads(arguments[0])), Samples()
    generate(
        plan,
        samples,
        lambda at: Caller(at.offer, at.rtp, at.send_sip, samples, at.index, pause=PAUSE, cipher=at.cipher),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
