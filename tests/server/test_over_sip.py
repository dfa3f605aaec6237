"""Scenarios as real calls: the same file that comes true in virtual time comes true over SIP, and what does
not is told alike."""

import math
import queue
import shutil
import struct
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest

from ivr.flow.scenarios import load_scenarios
from ivr.flow.test_command import Wishes, run
from ivr.over_sip.endpoints import Asked, answering
from ivr.over_sip.run import over_sip
from ivr.over_sip.stage import CannotStage, Outside, cannot, set_stage
from tests.flow import nested
from tests.flow.calls import write_wav

FLOW = """
flow: desk
languages: [en]
params: {count: count}
variables: {state: {type: text, default: unknown}}
result:
  answer: {one_of: ["yes", "no", none], default: none}
limits: {call: 2m, visits: 3}
events: {hangup: report}
start: ask
steps:
  ask:
    menu:
      prompt: {en: "Well?"}
      choices:
        "yes": {key: "1", intent: affirm, set: {answer: "yes"}, next: look}
        "no": {key: "2", intent: deny, set: {answer: "no"}, next: person}
      retry: {wait: 3s}
      otherwise: report
  look:
    request: {get: status, body: {count: "{{ count }}"}, answer: {state: order.state}, timeout: 5s}
    next: told
    otherwise: report
  told: {say: {en: "It is {{ state }}."}, next: report}
  person: {transfer: {to: somebody}, next: report, otherwise: busy}
  busy: {say: {en: "Nobody is free."}, next: report}
  report: {request: {post: report, body: result, background: true}, next: bye, otherwise: bye}
  bye: {end: normal}
"""

SCENARIOS = """
flow: desk
with: {count: 3}
scenarios:
  - name: asks how it stands
    steps: [{hears: "well"}, {presses: "1"}, {sends: {to: status, body: {count: 3}}},
            {replies: {body: {order: {state: ready}}}}, {hears: "it is ready"},
            {sends: {to: report, body: {answer: "yes"}}}]
    result: {answer: "yes"}
    cause: normal
    path: [ask, look, told, report, bye]
  - name: nobody is free
    steps: [{presses: "2"}, {transfer: {to: somebody, outcome: busy}}, {hears: "nobody is free"}]
    result: {answer: "no"}
  - name: is connected
    steps: [{presses: "2"}, {transfer: done}, {sends: report}]
    result: {answer: "no"}
    cause: transferred
  - name: hangs up at once
    steps: [{hears: "well"}, {hangs_up: true}, {sends: report}]
    cause: hangup
  - name: waits for words that never come
    steps: [{presses: "1"}, {fails: refused}, {hears: "it is ready"}]
  - name: speaks freely
    steps: [{says: "whatever you like"}]
"""


OUTSIDE = Outside("http://127.0.0.1:1/", "mqtt://127.0.0.1:3", "sip:desk@127.0.0.1:2")


def written(folder: Path) -> Path:
    (folder / "desk.yaml").write_text(FLOW, encoding="utf-8")
    path = folder / "desk.scenarios.yaml"
    path.write_text(SCENARIOS, encoding="utf-8")
    return path


def test_scenarios_as_calls(tmp_path: Path) -> None:
    path = written(tmp_path)
    out = StringIO()
    with over_sip([path]) as play:
        status = run([path], out, Wishes(verbose=True), play)
    told = out.getvalue()
    for name in ("asks how it stands", "nobody is free", "is connected", "hangs up at once"):
        assert f"{name}: ok\n" in told, told
    assert 'waits for words that never come: step 3: hears "it is ready": ' in told
    assert "the call went: ask (1) -> look (" in told
    assert 'speaks freely: skipped: says "whatever you like"' in told
    assert told.endswith("6 scenarios, 1 failed, 1 skipped\n")
    assert status == 1


def test_an_attended_transfer_is_played_with_its_whisper(tmp_path: Path) -> None:
    path = written(tmp_path)
    flow = FLOW.replace(
        "{to: somebody}", '{to: somebody, mode: attended, accept: "5", wait: 5s, whisper: brief}'
    )
    (tmp_path / "desk.yaml").write_text(
        flow + 'prompts:\n  brief: {en: "Call {{ count }}, press 5."}\n', encoding="utf-8"
    )
    path.write_text(
        SCENARIOS.partition("scenarios:")[0]
        + """scenarios:
  - name: nobody takes it
    steps: [{presses: "2"}, {transfer: {whispers: "call 3", outcome: busy}}, {hears: "nobody is free"}]
  - name: is taken
    steps: [{presses: "2"}, {transfer: {whispers: "press five", outcome: done}}, {sends: report}]
    cause: transferred
""",
        encoding="utf-8",
    )
    out = StringIO()
    with over_sip([path]) as play:
        assert run([path], out, Wishes(verbose=True), play) == 0, out.getvalue()


JINGLE = """
flow: jingle
languages: [en]
voice: {en: f2}
rate: 1.3
say_as: {Acme: {en: "ack me"}}
start: hello
steps:
  hello: {say: {en: {audio: audio/hello.wav, text: "Welcome to Acme."}}, next: more}
  more: {say: {en: {audio: audio/more.wav}}, next: bye}
  bye: {say: {en: "Acme says goodbye."}, next: end}
  end: {end: normal}
"""

JINGLE_SCENARIOS = """
flow: jingle
scenarios:
  - name: hears recordings and a voice
    steps: [{hears: "Welcome to Acme"}, {hears: "[audio/more.wav]"},
            {hears: "Acme says goodbye", to_end: true}]
    cause: normal
"""


def test_recordings_are_heard_in_virtual_time_and_over_sip(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    for name, rate in (("hello", 16000), ("more", 44100)):
        tones = (round(9000 * math.sin(2 * math.pi * 500 * n / rate)) for n in range(rate))
        write_wav(tmp_path / "audio" / f"{name}.wav", struct.pack(f"<{rate}h", *tones), rate)
    (tmp_path / "jingle.yaml").write_text(JINGLE, encoding="utf-8")
    path = tmp_path / "jingle.scenarios.yaml"
    path.write_text(JINGLE_SCENARIOS, encoding="utf-8")
    out = StringIO()
    assert run([path], out) == 0, out.getvalue()
    with over_sip([path]) as play:
        assert run([path], out, Wishes(), play) == 0, out.getvalue()


FINDING = """
flow: finding
languages: [en]
params: {order: digits}
result: {rider: optional text}
limits: {call: 3m}
events: {hangup: report}
start: hello
steps:
  hello: {say: {en: "We look for a rider."}, next: asked}
  asked: {publish: {to: rider-wanted, body: {order: "{{ order }}"}}, next: search}
  search: {wait: {for: 40s, sound: music, until: rider-found, values: [rider]}, next: told}
  told: {say: {en: "The search is over."}, next: report}
  report: {publish: {to: rider-events, body: result}, next: bye}
  bye: {end: normal}
"""

FINDING_SCENARIOS = """
flow: finding
with: {order: "48213"}
scenarios:
  - name: a rider is found while music plays
    steps: [{hears: "we look", to_end: true}, {publishes: {to: rider-wanted, body: {order: "48213"}}},
            {signal: {name: rider-found, values: {rider: Ravi}}}, {hears: "the search is over"},
            {publishes: {to: rider-events, body: {rider: Ravi}}}]
    result: {rider: Ravi}
    cause: normal
  - name: hangs up in the music
    steps: [{publishes: rider-wanted}, {hangs_up: true}, {publishes: {to: rider-events, body: {rider: null}}}]
    cause: hangup
  - name: another rider is told of
    steps: [{publishes: {to: rider-wanted, body: {order: "1"}}}]
"""


def test_waits_signals_and_events_as_calls(tmp_path: Path) -> None:
    (tmp_path / "finding.yaml").write_text(FINDING, encoding="utf-8")
    path = tmp_path / "finding.scenarios.yaml"
    path.write_text(FINDING_SCENARIOS, encoding="utf-8")
    out = StringIO()
    with over_sip([path]) as play:
        run([path], out, Wishes(verbose=True), play)
    told = out.getvalue()
    assert "a rider is found while music plays: ok\n" in told, told
    assert "hangs up in the music: ok\n" in told, told
    assert "another rider is told of: step 1: publishes rider-wanted {'order': '1'}: published were: " in told


def test_a_yes_can_be_said_and_free_speech_cannot(tmp_path: Path) -> None:
    file = load_scenarios(written(tmp_path))
    assert [bool(cannot(file.flow, scenario)) for scenario in file.scenarios] == [False] * 5 + [True]
    yes = SCENARIOS.replace("whatever you like", "Yes")
    (tmp_path / "desk.scenarios.yaml").write_text(yes, encoding="utf-8")
    file = load_scenarios(tmp_path / "desk.scenarios.yaml")
    assert cannot(file.flow, file.scenarios[-1]) == ""


def test_a_transfer_to_a_number_needs_a_trunk(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "desk.yaml").write_text(FLOW.replace("to: somebody", 'to: "+911234567890"'))
    path.write_text(SCENARIOS.replace("to: somebody", 'to: "+911234567890"'))
    file = load_scenarios(path)
    assert cannot(file.flow, file.scenarios[1]) == "transfers elsewhere than to a queue"
    assert cannot(file.flow, file.scenarios[0]) == ""


def test_every_scenario_has_a_number_and_its_values(tmp_path: Path) -> None:
    file = load_scenarios(written(tmp_path))
    stage = set_stage([file], tmp_path / "stage", OUTSIDE)
    assert len(set(stage.numbers.values())) == 6
    assert stage.config["numbers"]["1000"] == {"flow": "desk", "params": {"count": 3}}
    assert stage.config["endpoints"]["status"] == {"url": "http://127.0.0.1:1/status"}
    assert stage.config["queues"] == {"somebody": "sip:desk@127.0.0.1:2"}
    assert (tmp_path / "stage" / "desk" / "desk.yaml").read_text(encoding="utf-8") == FLOW
    with pytest.raises(CannotStage, match="two flows named desk"):
        set_stage([file, file], tmp_path / "other", OUTSIDE)


def test_a_request_waits_for_its_answer() -> None:
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()

    def get(url: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(url, timeout=20) as response:
            return response.status, response.read()

    with answering(asked) as url, ThreadPoolExecutor(1) as pool:
        coming = pool.submit(get, url + "status?order=48213&count=3")
        request = asked.get(timeout=20)
        assert (request.endpoint, request.get) == ("status", True)
        assert request.body == {"order": "48213", "count": "3"}
        assert not coming.done()
        request.answer(200, {"state": "ready"})
        assert coming.result(20) == (200, b'{"state": "ready"}')


HELPLINE_SCENARIOS = """
flow: helpline
scenarios:
  - name: leaves a message
    steps: [{hears: "tone"}, {leaves_message: 2s}, {presses: "#"}, {hears: "thank you"}]
    result: {message: complaint}
  - name: hangs up in the middle of it
    steps: [{leaves_message: 2s}, {hangs_up: true}, {sends: {to: report, body: {message: complaint}}}]
    result: {message: complaint}
    cause: hangup
  - name: says nothing
    steps: [{hears: "nothing"}]
    result: {}
"""


def test_messages_are_left_with_a_real_voice(tmp_path):
    shutil.copy(Path(__file__).parents[1] / "flow" / "helpline.yaml", tmp_path)
    path = tmp_path / "helpline.scenarios.yaml"
    path.write_text(HELPLINE_SCENARIOS, encoding="utf-8")
    out = StringIO()
    with over_sip([path]) as play:
        assert run([path], out, play=play) == 0, out.getvalue()
    assert run([path], StringIO()) == 0, "and in virtual time"


def test_a_flow_within_a_flow_is_played_as_one_call(tmp_path: Path) -> None:
    nested.write(tmp_path)
    out = StringIO()
    with over_sip([tmp_path]) as play:
        assert run([tmp_path], out, Wishes(), play) == 0, out.getvalue()
    assert out.getvalue().endswith("2 scenarios, all came true\n")


CALLBACK_SCENARIOS = """
flow: callback
with: {shop: Sharma}
scenarios:
  - name: a machine answers
    steps: [{answered_by: machine}, {hears: "call back"}, {sends: {to: report, body: {answered_by: machine}}}]
    result: {answered_by: machine}
    cause: normal
  - name: a human answers
    steps: [{answered_by: human}, {hears: "offer", to_end: true}, {presses: "1"}, {sends: report}]
    result: {answered_by: human, wanted: true}
  - name: a switchboard answers, and hangs up
    steps: [{answered_by: unknown}, {hears: "offer"}, {hangs_up: true}, {sends: report}]
    result: {answered_by: unknown}
    cause: hangup
  - name: somebody calls
    steps: [{hears: "offer", to_end: true}, {presses: "1"}]
    result: {answered_by: human, wanted: true}
"""


def test_the_server_calls_where_a_scenario_says_who_answers(tmp_path):
    shutil.copy(Path(__file__).parents[1] / "flow" / "callback.yaml", tmp_path)
    path = tmp_path / "callback.scenarios.yaml"
    path.write_text(CALLBACK_SCENARIOS, encoding="utf-8")
    assert run([path], StringIO()) == 0, "in virtual time"
    out = StringIO()
    with over_sip([path]) as play:
        assert run([path], out, play=play) == 0, out.getvalue()
    assert "skipped" not in out.getvalue()
