"""The callers of `ivr bench talk`, a process: `python -m ivr.bench.talk_generator PLAN UTTERANCES`.

PLAN is JSON and UTTERANCES a file of JSON: for each utterance its packets in base64."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from ivr.bench.generator import Plan, generate
from ivr.bench.talker import Talker, TalkSamples


def main(arguments: list[str]) -> None:
    plan = Plan(**json.loads(arguments[0]))
    told = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
    utterances = [[base64.b64decode(packet) for packet in packets] for packets in told]
    samples = TalkSamples()
    generate(
        plan,
        samples,
        lambda at: Talker(at.offer, at.rtp, at.send_sip, samples, at.index, utterances),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
