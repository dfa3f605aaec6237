"""A small flow with every kind of step, and a scenario file beside it."""

from pathlib import Path

from ivr.flow.scenarios import ScenarioFile, load_scenarios

FLOW = """
flow: kitchen
languages: [en]
params: {name: text}
variables: {state: {one_of: [unknown, ready, late], default: unknown}}
result:
  answer: {one_of: [good, bad, unknown], default: unknown}
  minutes: optional minutes
limits: {call: 3m, visits: 4}
events: {hangup: report}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      choices:
        good: {key: "1", intent: affirm, set: {answer: good}, next: when}
        bad: {key: "2", intent: deny, set: {answer: bad}, next: lookup}
        person: {key: "5", next: desk}
      retry: {wait: 5s, prompts: [again]}
      otherwise: report
  when:
    collect:
      prompt: when
      into: minutes
      keys: {length: 1..3, end: "#", gap: 3s}
      speech: {slot: minutes}
      retry: {wait: 5s, prompts: [when]}
      next: thanks
      otherwise: report
  lookup:
    request: {get: status, body: {name: "{{ name }}"}, answer: {state: order.state}, timeout: 2s}
    next: told
    otherwise: sorry
  told: {say: told, next: report}
  sorry: {say: sorry, next: report}
  thanks: {say: thanks, next: report}
  desk: {transfer: {to: "+911234567890"}, next: report, otherwise: sorry}
  report:
    request: {post: report, body: result, background: true}
    next: bye
    otherwise: bye
  bye: {end: normal}
prompts:
  ask: {en: "Hello {{ name }}, 1 for good, 2 for bad."}
  again: {en: "Sorry, good or bad?"}
  when: {en: "In how many minutes?"}
  told: {en: "It is {{ state }}."}
  sorry: {en: "We cannot say."}
  thanks: {en: "Thank you, {{ minutes }}."}
"""


def write(folder: Path, scenarios: str) -> ScenarioFile:
    """Writes the flow and its scenarios (a YAML list) into a folder, and loads them."""
    (folder / "kitchen.yaml").write_text(FLOW, encoding="utf-8")
    path = folder / "kitchen.scenarios.yaml"
    listed = "\n  ".join(scenarios.splitlines())
    path.write_text(f"flow: kitchen\nwith: {{name: Asha}}\nscenarios:\n  {listed}\n", encoding="utf-8")
    return load_scenarios(path)
