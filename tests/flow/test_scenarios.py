"""Scenario files: what is read, what comes true, and what is told when it does not."""

import shutil
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.check_command import problems_of
from ivr.flow.rehearsal import rehearse
from ivr.flow.scenario_acts import (
    Fails,
    HangsUp,
    Hears,
    Presses,
    Replies,
    Says,
    Sends,
    Silence,
    Step,
    TransferGoes,
)
from ivr.flow.scenarios import (
    Scenario,
    ScenarioError,
    load_scenarios,
    sample_values,
    scenario_files,
)
from ivr.flow.test_command import Wishes, run
from tests.flow.calls import CALLBACK, DELIVERY, HELPLINE
from tests.flow.kitchen import FLOW, write


@pytest.fixture
def play(tmp_path):
    """Plays the steps of one scenario in the kitchen flow; gives its failure as text, or None."""

    def play(steps: str, rest: str = "") -> str | None:
        file = write(tmp_path, f"- {{name: it, steps: [{steps}]{', ' + rest if rest else ''}}}")
        failure = rehearse(file.flow, file.scenarios[0])
        if failure is None:
            return None
        return "\n".join([f"{failure.step}: {failure.message}", *failure.details])

    return play


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    return write(tmp_path_factory.mktemp("flows"), "- {name: a, steps: []}").flow


TRUE = [
    '{hears: "Hello Asha"}, {presses: "1"}, {hears: "how many"}, {presses: "20#"}, {hears: "twenty minutes"}',
    '{hears: "hello  ASHA"}, {hears: "2 for bad"}',
    '{hears: "two for bad", to_end: true}, {says: "yes"}, {hears: "how many"}, {says: "half an hour"}',
    '{presses: "120#"}, {hears: "Thank you"}',
    '{hears: "Hello"}, {presses: "1"}, {hears: "how many"}, {presses: "20"}, {silence: 4s}, {hears: "Thank"}',
    '{hears: "Hello"}, {silence: 12s}, {hears: "Sorry"}, {silence: 0s}',
    '{hears: "Hello"}, {says: ""}, {hears: "Sorry"}',
    '{hears: "Hello"}, {says: "no"}, {replies: {body: {order: {state: ready}}}}, {hears: "It is ready"}',
    '{presses: "2"}, {sends: {to: status, body: {name: Asha}}}, {replies: {status: 204}}, {hears: "cannot"}',
    '{presses: "2"}, {fails: "refused"}, {hears: "cannot say"}',
    '{presses: "2"}, {silence: 5s}, {hears: "cannot say"}',
    '{presses: "5"}, {transfer: busy}, {hears: "cannot say"}',
    '{presses: "5"}, {transfer: {to: "+911234567890", outcome: done}}, {sends: report}',
    "{hangs_up: true}, {sends: {to: report, body: {answer: unknown}}}",
    "",
]


@pytest.mark.parametrize("steps", TRUE)
def test_comes_true(play, steps):
    assert play(steps) is None


FALSE = [
    # what is heard
    ('{hears: "Namaste"}', '1: hears "Namaste": heard instead: "Hello Asha, one for good, two for bad."'),
    ('{hears: "Hello"}, {hears: "Hello"}', '2: hears "Hello": nothing was said'),
    (
        '{hears: "Hello"}, {presses: "1"}, {hears: "Sorry"}',
        '3: hears "Sorry": heard instead: "In how many minutes?"\nthe call went: ask (1) -> when',
    ),
    ('{hears: "Hello"}, {presses: "1"}, {hears: "one for good"}', "3: hears"),
    (
        '{hears: "Hello"}, {presses: "1"}, {hears: "how many"}, {presses: "20#"}, {hears: "Goodbye"}',
        '5: hears "Goodbye": heard instead: "Thank you, twenty minutes."; the call was over (normal)',
    ),
    # what cannot be done
    (
        '{presses: "5"}, {says: "hello"}',
        '2: says "hello": nobody listens for speech\nthe call went: ask (5) -> desk',
    ),
    ('{presses: "1"}, {replies: {}}', "2: replies 200: no request is awaited"),
    ('{presses: "1"}, {fails: late}', "2: fails late: no request is awaited"),
    ('{presses: "1"}, {transfer: busy}', "2: transfer busy: no transfer is under way"),
    (
        '{presses: "5"}, {transfer: {to: "12", outcome: busy}}',
        "2: transfer to 12 busy: the transfer is to +911234567890",
    ),
    (
        '{hangs_up: true}, {presses: "1"}',
        '2: presses "1": the call was over (hangup)\nthe call went: ask (hangup) -> report',
    ),
    # what is sent
    (
        '{presses: "2"}, {sends: {to: status, body: {name: Ravi}}}',
        "2: sends status {'name': 'Ravi'}: sent were: status {'name': 'Asha'}",
    ),
    ('{hears: "Hello"}, {sends: report}', "2: sends report: nothing was sent"),
    ("{hangs_up: true}, {sends: report}, {sends: report}", "3: sends report: sent were: report"),
]


@pytest.mark.parametrize(("steps", "message"), FALSE)
def test_a_step_that_does_not_come_true_is_told(play, steps, message):
    assert play(steps).startswith(message)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("result: {answer: bad, minutes: 20}", 'None: result answer: "good", expected "bad"'),
        ("result: {answer: good}", "None: result minutes: 20, expected nothing"),
        ("result: {answer: good, minutes: 25}", "None: result minutes: 20, expected 25"),
        ("cause: hangup", "None: cause: normal, expected hangup"),
        ("path: [ask, bye]", "None: path: expected ask -> bye\nthe call went: ask (1) -> when (keys) -> "),
    ],
)
def test_an_end_that_does_not_come_true_is_told(play, rest, message):
    assert play('{presses: "120#"}', rest).startswith(message)


def test_all_that_is_wrong_with_the_end_is_told_at_once(play):
    told = play('{presses: "120#"}', "result: {answer: bad}, cause: failed, path: [ask]")
    assert [line.partition(":")[0] for line in told.splitlines()] == [
        "None", "result minutes", "cause", "path", "the call went",
    ]  # fmt: skip


def test_a_right_end(play):
    rest = "result: {answer: good, minutes: 20}, cause: normal, path: [ask, when, thanks, report, bye]"
    assert play('{presses: "120#"}', rest) is None


UNUSABLE = [
    ("- {name: a, steps: [{heers: x}]}",
     '4:23: rule 9: a step of a scenario does one thing\n    hint: did you mean "hears"?'),
    ("- {name: a, steps: [{hears: x, says: y}]}", "a step of a scenario does one thing"),
    ("- {name: a, steps: [{hears: 1}]}",
     'hears must be a text, and YAML reads 1 as a number\n    hint: quote it: "1"'),
    ('- {name: a, steps: [{hears: ""}]}', "hears needs a text"),
    ("- {name: a, steps: [{presses: 1}]}", 'hint: quote it: "1"'),
    ('- {name: a, steps: [{presses: "1x"}]}', '"1x" are no keys'),
    ("- {name: a, steps: [{silence: 5}]}", "write a unit: 800ms, 5s, 4m"),
    ("- {name: a, steps: [{hangs_up: false}]}", "hangs_up: false does nothing"),
    ("- {name: a, steps: [{transfer: gone}]}", 'transfer "gone" is not known'),
    ("- {name: a, steps: [{replies: {status: 500}}]}", "must be a whole number from 200 to 299"),
    ("- {name: a, steps: [{sends: {body: {}}}]}", "hint: name the endpoint: to: ENDPOINT"),
    ("- {name: a}", "a scenario has no steps"),
    ("- {steps: []}", "say what happens"),
    ("- {name: a, steps: [], result: {anser: good}}",
     'the flow has no result anser\n    hint: did you mean "answer"?'),
    ("- {name: a, steps: [], result: {answer: fine}}", "result answer must be one of good, bad, unknown"),
    ("- {name: a, steps: [], path: [aks]}", 'the flow has no step "aks"\n    hint: did you mean "ask"?'),
    ("- {name: a, steps: [], with: {nam: Ravi}}", 'scenario "a": with: nam is not a parameter of kitchen'),
    ("- {name: a, steps: [], expect: {}}", 'a scenario has no key "expect"'),
    ("- {name: a, steps: [], name: b}", '"name" stands twice'),
    ("- {name: a, steps: []}\n- {name: b, steps: []}\n- {name: a, steps: []}",
     'two scenarios are named "a" (the first in line '),
    ("- {name: a, steps: [], cause: hangpu}",
     'cause of "a" "hangpu" is not known\n    hint: did you mean "hangup"?'),
]  # fmt: skip


@pytest.mark.parametrize(("scenarios", "message"), UNUSABLE)
def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path, scenarios, message):
    with pytest.raises(ScenarioError) as error:
        write(tmp_path, scenarios)
    assert message in str(error.value)
    assert all(problem.line >= 4 for problem in error.value.problems)


def test_a_wrong_flow_name_is_told(tmp_path):
    write(tmp_path, "- {name: a, steps: []}")
    path = tmp_path / "kitchen.scenarios.yaml"
    path.write_text(path.read_text().replace("flow: kitchen", "flow: cook"))
    with pytest.raises(ScenarioError, match="yaml is not the flow cook"):
        load_scenarios(path)


def test_scenarios_without_their_flow_are_told_where_it_should_be(tmp_path):
    write(tmp_path, "- {name: a, steps: []}")
    path = (tmp_path / "kitchen.scenarios.yaml").rename(tmp_path / "kitchne.scenarios.yaml")
    (problem,) = problems_of(path)
    assert problem.message == "there is no flow kitchne.yaml beside it"
    with pytest.raises(ScenarioError, match="no flow kitchne"):
        load_scenarios(path)


def test_the_problems_of_the_flow_are_told(tmp_path):
    write(tmp_path, "- {name: a, steps: []}")
    (tmp_path / "kitchen.yaml").write_text(FLOW.replace("start: ask", "start: aks"))
    with pytest.raises(ScenarioError) as error:
        load_scenarios(tmp_path / "kitchen.scenarios.yaml")
    assert error.value.problems[0].file.endswith("kitchen.yaml")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"- 1", b"flow: [", b"flow: kitchen"])
def test_a_file_that_holds_no_scenarios_is_refused(tmp_path, content):
    write(tmp_path, "- {name: a, steps: []}")
    path = tmp_path / "kitchen.scenarios.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError):
        load_scenarios(path)


def test_values_of_a_scenario_go_over_those_of_the_file(tmp_path):
    file = write(tmp_path, "- {name: a, steps: []}\n- {name: b, with: {name: Ravi}, steps: []}")
    assert [scenario.values["name"] for scenario in file.scenarios] == ["Asha", "Ravi"]
    assert sample_values(file.path) == {"name": "Asha"}


ACTS = st.one_of(
    st.builds(Hears, st.sampled_from(["hello", "minutes", "sorry", "thank", "nowhere"]), st.booleans()),
    st.builds(Presses, st.text(alphabet="0123459#*", min_size=1, max_size=4)),
    st.builds(Says, st.sampled_from(["", "yes", "no", "twenty", "hold on"])),
    st.builds(Silence, st.floats(0, 60)),
    st.just(HangsUp()),
    st.builds(Sends, st.sampled_from(["report", "status"]), st.just({})),
    st.just(Replies(200, {"order": {"state": "ready"}})),
    st.just(Fails("late")),
    st.builds(TransferGoes, st.sampled_from(["done", "busy", "no_answer", "failed"])),
)


@given(st.lists(ACTS, max_size=8))
def test_any_scenario_ends_true_or_with_a_reason(kitchen, acts):
    steps = tuple(Step(act, line) for line, act in enumerate(acts, start=10))
    scenario = Scenario("any", 9, {"name": "Asha"}, steps, None, None, None)
    failure = rehearse(kitchen, scenario)
    assert failure is None or (
        failure.step is not None and failure.line == 9 + failure.step and failure.message
    )


def test_finds_scenario_files_by_folder_by_flow_and_by_name(tmp_path):
    path = write(tmp_path, "- {name: a, steps: []}").path
    assert scenario_files([tmp_path]) == [path]
    assert scenario_files([tmp_path / "kitchen.yaml"]) == [path]
    assert scenario_files([path, tmp_path]) == [path]


def test_the_command_tells_failures_and_counts(tmp_path):
    path = write(
        tmp_path, "- {name: good, steps: [{hears: Hello}]}\n- {name: bad, steps: [{hears: Bye}]}"
    ).path
    out = StringIO()
    assert run([tmp_path], out=out) == 1
    assert out.getvalue().splitlines() == [
        f'{path}:5: bad: step 1: hears "Bye": heard instead: "Hello Asha, one for good, two for bad."',
        "    the call went: ask",
        "2 scenarios, 1 failed",
    ]


def test_the_command_names_every_scenario_when_asked(tmp_path):
    write(tmp_path, "- {name: good, steps: []}")
    out = StringIO()
    assert run([tmp_path], out=out, wishes=Wishes(verbose=True)) == 0
    assert out.getvalue() == f"{tmp_path}/kitchen.scenarios.yaml:4: good: ok\n1 scenario, all came true\n"


def test_the_command_goes_on_after_a_file_that_cannot_be_used(tmp_path):
    write(tmp_path, "- {name: good, steps: []}")
    (tmp_path / "a.scenarios.yaml").write_text("flow: a")
    out = StringIO()
    assert run([tmp_path], out=out) == 1
    assert "a.scenarios.yaml:1:1: rule 9: there is no flow a.yaml beside it" in out.getvalue()
    assert out.getvalue().endswith("1 scenario, all came true, 1 file cannot be used\n")


def test_the_command_has_nothing_to_play(tmp_path):
    out = StringIO()
    assert run([tmp_path], out=out) == 2
    assert out.getvalue() == "no scenarios found\n"


def played(folder: Path, flow: Path, steps: str, rest: str) -> str | None:
    """Plays the steps of one scenario in a flow; gives its failure as text, or None."""
    shutil.copy(flow, folder)
    path = folder / f"{flow.stem}.scenarios.yaml"
    path.write_text(f"flow: {flow.stem}\nscenarios:\n  - {{name: it, steps: [{steps}], {rest}}}\n")
    file = load_scenarios(path)
    failure = rehearse(file.flow, file.scenarios[0])
    return None if failure is None else f"{failure.step}: {failure.message}"


@pytest.fixture
def helpline(tmp_path):
    return partial(played, tmp_path, HELPLINE)


@pytest.fixture
def delivery(tmp_path):
    def play(steps: str, rest: str) -> str | None:
        return played(tmp_path, DELIVERY, steps, f"with: {{shop: Sharma, language: en}}, {rest}")

    return play


@pytest.mark.parametrize(
    ("steps", "rest"),
    [
        ('{hears: "[beep]"}, {leaves_message: 8s}, {hears: "Thank"}', "result: {message: complaint}"),
        ('{leaves_message: 8s}, {presses: "#"}, {hears: "Thank"}', "result: {message: complaint}"),
        ('{leaves_message: 40s}, {hears: "Thank"}', "result: {message: complaint}"),
        (
            "{leaves_message: 2s}, {hangs_up: true}, {sends: report}",
            "result: {message: complaint}, cause: hangup",
        ),
        ('{hears: "[beep]", to_end: true}, {silence: 5s}, {hears: "nothing"}', "result: {}"),
        ('{presses: "5"}, {leaves_message: 1s}', "result: {message: complaint}"),
        (
            '{hears: "nothing"}, {presses: "1"}, {leaves_message: 1s}, {silence: 2s}, {leaves_message: 1s}',
            "result: {message: complaint-2}",
        ),
    ],
)
def test_a_message_is_left(helpline, steps, rest):
    assert helpline(steps, rest) is None


def test_a_message_that_nobody_takes_is_told(helpline):
    told = helpline('{hears: "nothing"}, {leaves_message: 3s}', "result: {}")
    assert told is not None
    assert told.startswith("2: leaves a message of 3s: no message is recorded")


TODAY_FLOW = """
flow: day
languages: [en]
result: {day: optional date}
start: ask
steps:
  ask:
    collect: {prompt: {en: "Which day?"}, into: day, keys: {length: 4}, speech: {slot: date}, next: bye, otherwise: bye}
  bye: {end: normal}
"""  # noqa: E501
DAYS = """
flow: day
today: "2026-11-22"
scenarios:
  - {name: said, steps: [{hears: "Which"}, {says: tomorrow}], result: {day: "2026-11-23"}}
  - {name: keyed, steps: [{presses: "2112"}], result: {day: "2026-12-21"}}
  - {name: own, today: "2027-02-28", steps: [{hears: "Which"}, {says: tomorrow}], result: {day: "2027-03-01"}}
"""


def days(folder: Path, scenarios: str) -> Path:
    (folder / "day.yaml").write_text(TODAY_FLOW, encoding="utf-8")
    path = folder / "day.scenarios.yaml"
    path.write_text(scenarios, encoding="utf-8")
    return path


def test_a_scenario_says_what_day_it_is_and_what_is_said_last_may_end_the_call(tmp_path):
    file = load_scenarios(days(tmp_path, DAYS))
    assert [rehearse(file.flow, scenario) for scenario in file.scenarios] == [None] * 3


def test_without_a_day_tomorrow_is_not_understood(tmp_path):
    file = load_scenarios(days(tmp_path, DAYS.replace('today: "2026-11-22"\n', "")))
    said, keyed, own = (rehearse(file.flow, scenario) for scenario in file.scenarios)
    assert own is None
    assert [failure.message for failure in (said, keyed)] == [
        'result day: nothing, expected "2026-11-23"',
        'result day: nothing, expected "2026-12-21"',
    ]


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2026-11-22", "must be a text, and YAML reads 2026-11-22 as a date"),
        ('"22.11.2026"', 'today must be a date such as "2026-12-31"'),
    ],
)
def test_a_day_that_is_none_is_told(tmp_path, day, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenarios(days(tmp_path, DAYS.replace('"2026-11-22"', day)))


@pytest.mark.parametrize(
    ("steps", "rest"),
    [
        (
            '{consents: recording}, {hears: "offers"}, {says: "yes"}, {consents: whatsapp-offers}',
            "result: {offers: true}",
        ),
        ('{hears: "offers", to_end: true}, {presses: "2"}, {refuses: whatsapp-offers}', "result: {}"),
        ("{silence: 40s}, {refuses: whatsapp-offers}, {sends: report}", "result: {}, cause: normal"),
    ],
)
def test_consent_is_given_or_refused(delivery, steps, rest):
    assert delivery(steps, rest) is None


def test_a_consent_that_was_not_given_is_told(delivery):
    told = delivery(
        '{hears: "offers", to_end: true}, {presses: "2"}, {consents: whatsapp-offers}', "result: {}"
    )
    assert told is not None
    assert told.startswith(
        "3: consents to whatsapp-offers: stored were: given to recording, refused to whatsapp-offers"
    )


@pytest.fixture
def callback(tmp_path):
    def play(steps: str, rest: str) -> str | None:
        return played(tmp_path, CALLBACK, steps, f"with: {{shop: Sharma}}, {rest}")

    return play


@pytest.mark.parametrize(
    ("steps", "rest"),
    [
        ('{hears: "Press 1"}, {presses: "1"}', "result: {answered_by: human, wanted: true}"),
        ("{answered_by: machine}, {hears: back}", "result: {answered_by: machine}, cause: normal"),
        ("{silence: 1s}, {answered_by: unknown}, {hears: press}", "result: {answered_by: unknown}"),
        ('{presses: "1"}, {sends: report}', "result: {answered_by: human, wanted: true}"),
        ("{answered_by: machine}, {hangs_up: true}", "result: {answered_by: machine}, cause: hangup"),
        ("{answered_by: machine}, {sends: report}", "path: [who, report, bye]"),
    ],
)
def test_a_call_is_answered(callback, steps, rest):
    assert callback(steps, rest) is None


def test_who_answered_is_not_always_asked(callback):
    told = callback("{hears: Press}, {answered_by: machine}", "result: {}")
    assert told is not None
    assert told.startswith("1: ")
    told = callback("{answered_by: human}, {answered_by: machine}", "result: {}")
    assert told == "2: answered by machine: nobody asks who answered"
