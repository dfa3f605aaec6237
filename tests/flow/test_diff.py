"""What changes for callers between two versions of a flow."""

import json
from io import StringIO
from pathlib import Path

import pytest

from ivr.flow.diff import diff, run
from ivr.flow.loader import load_flow
from tests.flow.calls import write_wav
from tests.flow.kitchen import FLOW

BRANCH = """
flow: sizes
languages: [en, hi]
params: {amount: rupees, order: digits}
variables: {tries: {type: count, default: 0}, state: optional text}
start: size
steps:
  size:
    branch:
      - {if: "amount > 1000", next: count}
      - {else: look}
  count: {set: {tries: "{{ tries + 1 }}"}, next: look}
  look:
    request: {get: status, body: {order: "{{ order }}", deep: {one: 1}}, answer: {state: order.state}}
    next: bye
    otherwise: bye
  bye: {end: normal}
"""


@pytest.fixture
def changes(tmp_path):
    """What changes when words of a flow are replaced."""

    def changes(*replaced: tuple[str, str], flow: str = FLOW) -> list[str]:
        flows = []
        after = flow
        for old, new in replaced:
            assert old in after
            after = after.replace(old, new)
        for name, text in (("a", flow), ("b", after)):
            (tmp_path / name).mkdir(exist_ok=True)
            path = tmp_path / name / "flow.yaml"
            path.write_text(text, encoding="utf-8")
            flows.append(load_flow(path))
        return [str(change) for change in diff(*flows)]

    return changes


def test_layout_comments_and_order_change_nothing(changes):
    told = "  told: {say: told, next: report}\n"
    assert changes((told, ""), ("  bye: {end", f"{told}  # the last one\n  bye:   {{end")) == []


CHANGES = [
    ([("limits: {call: 3m, visits: 4}", "limits: {call: 4m, visits: 5}")],
     ["limits: call: was 180 s, now 240 s", "limits: visits of a step: was 4, now 5"]),
    ([("hangup: report", "hangup: bye")], ["events: hangup leads to: was report, now bye"]),
    ([("params: {name: text}", "params: {name: text, city: optional text}")],
     ["params: city: new: optional text"]),
    ([("minutes: optional minutes", "minutes: {type: minutes, default: 30}")],
     ["result: minutes: was optional minutes, now minutes, default 30"]),
    ([('key: "2", intent: deny', 'key: "3", intent: deny')],
     ["step ask: key 3: new: bad, leads to lookup", "step ask: key 2: gone (was bad, leads to lookup)"]),
    ([('key: "1", intent: affirm, set: {answer: good}, next: when', 'key: "1", next: told')],
     ["step ask: key 1: was good, leads to when, now good, leads to told",
      "step ask: intent affirm: gone (was good, leads to when)",
      "step ask: good sets: gone (was answer = good)",
      "step when: gone (was collect that says \"when\", leads to thanks, report)",
      "step thanks: gone (was say that says \"thanks\", leads to report)",
      'prompt when: in en\n    - "In how many minutes?"',
      'prompt thanks: in en\n    - "Thank you, {{ minutes }}."']),
    ([("length: 1..3", "length: 1..2"), ("gap: 3s", "gap: 4s")],
     ["step when: most digits: was 3, now 2", "step when: waits for the next digit: was 3 s, now 4 s"]),
    ([("speech: {slot: minutes}\n", "speech: {slot: minutes}\n      barge_in: none\n")],
     ["step when: the prompt may be cut by: was any, now none"]),
    ([("retry: {wait: 5s, prompts: [again]}", "retry: {wait: 6s, prompts: [again, again]}")],
     ["step ask: waits for input: was 5 s, now 6 s",
      "step ask: asks again with: was again, now again, again"]),
    ([("thanks: {say: thanks", "thanks: {say: told")],
     ["step thanks: says: was thanks, now told",
      'prompt thanks: in en\n    - "Thank you, {{ minutes }}."']),
    ([("We cannot say.", "Nobody knows.")],
     ['prompt sorry: in en\n    - "We cannot say."\n    + "Nobody knows."']),
    ([('"+911234567890"', '"+911234567891"')], ["step desk: to: was +911234567890, now +911234567891"]),
    ([("intent: affirm,", 'intent: affirm, phrases: {en: ["lovely"]},')],
     ['step ask: phrases of affirm in en: new: "lovely"']),
    ([("start: ask", "start: hello"), ("  ask:\n", "  hello: {say: told, next: ask}\n  ask:\n")],
     ["flow: first step: was ask, now hello", 'step hello: new: say that says "told", leads to ask']),
]  # fmt: skip


@pytest.mark.parametrize(("replaced", "told"), CHANGES, ids=[one[1][0].split(" (")[0] for one in CHANGES])
def test_a_change_is_told_in_words(changes, replaced, told):
    # A step that nobody reaches is no flow: where a change cuts one off, it goes too.
    cut = []
    if "step thanks: gone" in " ".join(told):
        when = FLOW[FLOW.index("  when:\n") : FLOW.index("  lookup:\n")]
        cut = [(when, ""), ("  thanks: {say: thanks, next: report}\n", "")]
    assert changes(*replaced, *cut) == told


def test_other_verbs(changes):
    replaced = [
        ("amount > 1000", "amount > 2000"), ("tries + 1", "tries + 2"), ("{one: 1}", "{one: 2}"),
        ("state: order.state", "state: state"),
    ]  # fmt: skip
    assert changes(*replaced, flow=BRANCH) == [
        "step size: cases: was amount > 1000: to count, now amount > 2000: to count",
        "step count: sets: was tries = tries + 1, now tries = tries + 2",
        "step look: body deep one: was 1, now 2",
        "step look: answers: was state from order.state, now state from state",
    ]


def test_a_language_more_is_one_change(changes):
    assert changes(("[en, hi]", "[en, hi, mr]"), flow=BRANCH) == [
        "flow: languages: was en, hi, now en, hi, mr"
    ]


def test_another_recording_under_the_same_name(tmp_path):
    flows = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_wav(tmp_path / name / "no.wav", b"\0" + name.encode())
        path = tmp_path / name / "flow.yaml"
        path.write_text(FLOW.replace('{en: "We cannot say."}', '{en: {audio: no.wav, text: "No."}}'))
        flows.append(load_flow(path))
    (change,) = diff(*flows)
    assert (change.where, change.what) == ("prompt sorry", "in en")
    assert change.before.startswith("[no.wav ")
    assert change.before != change.after
    assert change.after.endswith("] No.")


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text(FLOW)
    b.write_text(FLOW.replace("call: 3m", "call: 4m"))
    return a, b


def test_the_exit_status_tells_whether_something_changes(files, tmp_path, capsys):
    a, b = files
    out = StringIO()
    assert run(a, a, out=out) == 0
    assert out.getvalue() == "nothing changes for callers\n"
    assert run(a, b, out=StringIO()) == 1
    assert run(a, tmp_path / "c.yaml", out=StringIO()) == 2
    assert "c.yaml:1:1: rule 9: the file cannot be read" in capsys.readouterr().err


def test_json_for_tools(files):
    a, b = files
    out = StringIO()
    assert run(a, b, "json", out) == 1
    assert json.loads(out.getvalue()) == {
        "a": str(a),
        "b": str(b),
        "changes": [{"where": "limits", "what": "call", "before": "180 s", "after": "240 s"}],
    }
