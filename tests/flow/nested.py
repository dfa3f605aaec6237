"""Two flows, one entered by the other, and scenarios of each."""

from __future__ import annotations

from pathlib import Path

SHOP = """
flow: shop
languages: [en]
params: {vendor: text}
result: {size: {one_of: [small, large, unknown], default: unknown}}
limits: {call: 5m, visits: 3}
events: {hangup: report}
start: part
steps:
  part:
    flow: {name: part, with: {shop: "{{ vendor }}"}, result: {size: chosen}}
    next: thanks
    otherwise: report
  thanks: {say: thanks, next: report}
  report: {request: {post: report, body: result, background: true}, next: bye}
  bye: {end: normal}
prompts:
  thanks: {en: "Thank you, {{ size }}."}
"""

PART = """
flow: part
languages: [en]
params: {shop: text}
result: {chosen: {one_of: [small, large], default: small}}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      choices:
        small: {key: "1", next: bye}
        large: {key: "2", intent: affirm, set: {chosen: large}, next: bye}
      otherwise: gone
  bye: {end: normal}
  gone: {end: rejected}
prompts:
  ask: {en: "Small or large, {{ shop }}?"}
"""

SHOP_SCENARIOS = """
flow: shop
with: {vendor: Asha}
scenarios:
  - name: takes the large one
    steps: [{hears: "large, Asha"}, {presses: "2"}, {hears: "thank you, large"},
            {sends: {to: report, body: {size: large}}}]
    result: {size: large}
    cause: normal
    path: [part, part/ask, part/bye, thanks, report, bye]
"""

PART_SCENARIOS = """
flow: part
with: {shop: Asha}
scenarios:
  - {name: says nothing, steps: [{hears: "small or large"}, {silence: 10s}], result: {}, cause: rejected}
"""


def write(folder: Path) -> tuple[Path, Path]:
    """The files of the two flows, with their scenarios beside them."""
    for name, flow, scenarios in (("shop", SHOP, SHOP_SCENARIOS), ("part", PART, PART_SCENARIOS)):
        (folder / f"{name}.yaml").write_text(flow, encoding="utf-8")
        (folder / f"{name}.scenarios.yaml").write_text(scenarios, encoding="utf-8")
    return folder / "shop.yaml", folder / "part.yaml"
