"""Measures what a flow costs: its check, its way from one process to another, and a step of a call in it.

    python -m bench.flow_machine --steps 300 --rounds 20

The flow is made here: menus, collects, branches, requests and announcements by turns, three languages, a
prompt of its own for each. Times are CPU time of this process, the fastest of all rounds and the middle one,
so that what else the machine does matters little. A machine step is one event with the commands it leads to.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ivr.flow.loader import check_file, load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.packing import pack, unpack
from ivr.flow.protocol import Finish, Key, PromptDone, Replied, Say, SendRequest, Tick

HEAD: Final = """flow: large
languages: [hi, mr, en]
params: {vendor: text, order: digits, amount: rupees, language: language}
result:
  decision: {one_of: [accepted, rejected], default: rejected}
  eta: optional minutes
variables: {state: {type: text, default: unknown}}
limits: {call: 120m, visits: 2}
events: {hangup: report, failure: report}
start: s0
steps:
"""
TAIL: Final = """  report: {request: {post: report, body: result, background: true}, next: bye}
  bye: {end: normal}
prompts:
"""


def large(steps: int) -> str:
    """The text of a flow with so many steps."""
    lines, prompts = [HEAD], [TAIL]
    for n in range(steps - 2):
        next_ = f"s{n + 1}" if n < steps - 3 else "report"
        match n % 5:
            case 0:
                lines.append(
                    f"  s{n}:\n    menu:\n      prompt: p{n}\n      choices:\n"
                    f'        a: {{key: "1", intent: affirm, set: {{decision: accepted}}, next: {next_}}}\n'
                    f'        b: {{key: "2", intent: deny, set: {{decision: rejected}}, next: {next_}}}\n'
                    f"      retry: {{wait: 4s, prompts: [p{n}]}}\n      otherwise: report\n"
                )
            case 1:
                lines.append(
                    f"  s{n}:\n    collect:\n      prompt: p{n}\n      into: eta\n"
                    f'      keys: {{length: 1..3, end: "#", gap: 3s}}\n      speech: {{slot: minutes}}\n'
                    f'      accept: "5 <= eta <= 240"\n      next: {next_}\n      otherwise: report\n'
                )
            case 2:
                lines.append(f"  s{n}: {{say: p{n}, next: {next_}}}\n")
            case 3:
                cases = f'[{{if: "amount > {n}", next: {next_}}}, {{else: report}}]'
                lines.append(f"  s{n}: {{branch: {cases}}}\n")
            case _:
                lines.append(
                    f'  s{n}: {{request: {{get: status, body: {{order: "{{{{ order }}}}", n: {n}}}, '
                    f"answer: {{state: order.state}}, timeout: 2s}}, next: {next_}, otherwise: report}}\n"
                )
        if n % 5 < 3:
            prompts.append(
                f'  p{n}: {{hi: "नमस्ते {{{{ vendor }}}}, ऑर्डर {{{{ order }}}}, {n} दबाएँ।", '
                f'mr: "नमस्कार {{{{ vendor }}}}, ऑर्डर {{{{ order }}}}, {n} दाबा.", '
                f'en: "Hello {{{{ vendor }}}}, order {{{{ order }}}}, press {n}."}}\n'
            )
    return "".join(lines + prompts)


def timed(work: Callable[[], object], rounds: int, per: int = 1) -> dict[str, float]:
    """Milliseconds of CPU: the fastest and the middle of all rounds."""
    taken = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - began) / per)
    return {"fastest": round(min(taken), 4), "median": round(statistics.median(taken), 4)}


def call(flow: Flow) -> int:
    """A call that goes through the whole flow; gives how many events it took."""
    values = flow.bind({"vendor": "Sharma", "order": "48213", "amount": 99_999, "language": "hi"})
    machine = FlowMachine(flow, values)
    now, events = 0.0, 0
    commands = machine.start(now)
    while not any(isinstance(command, Finish) for command in commands):
        now += 0.1
        events += 1
        step = flow.steps[machine.step]
        said = next((command for command in commands if isinstance(command, Say)), None)
        sent = next((command for command in commands if isinstance(command, SendRequest)), None)
        if sent is not None and not sent.background:
            commands = machine.handle(Replied(sent.id, 200, {"order": {"state": "ready"}}), now)
        elif step.verb == "say" and said is not None:
            commands = machine.handle(PromptDone(said.id), now)
        elif step.verb == "menu":
            commands = machine.handle(Key("1"), now)
        elif step.verb == "collect":
            events += 1
            machine.handle(Key("9"), now)
            commands = machine.handle(Key("#"), now)
        else:
            commands = machine.handle(Tick(), now)
    return events


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        path = Path(folder) / "large.yaml"
        path.write_text(large(options.steps), encoding="utf-8")
        first = timed(lambda: check_file(path), 1)["fastest"]
        if problems := check_file(path):
            raise SystemExit("\n".join(map(str, problems)))
        flow = load_flow(path)
        packed = pack(flow)
        events = call(flow)
        report: dict[str, Any] = {
            "steps": len(flow.steps),
            "kib": round(path.stat().st_size / 1024, 1),
            "check_ms": {"first": first, **timed(lambda: check_file(path), options.rounds)},
            "pack_ms": timed(lambda: pack(flow), options.rounds),
            "unpack_ms": timed(lambda: unpack(packed), options.rounds),
            "packed_kib": round(len(packed) / 1024, 1),
            "events_of_a_call": events,
            "machine_step_ms": timed(lambda: call(flow), options.rounds, per=events),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
