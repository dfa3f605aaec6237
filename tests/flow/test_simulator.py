"""A call as text: lines in, lines out."""

from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.loader import load_flow
from ivr.flow.simulator import HELP, Simulation, run
from tests.flow.calls import CALLBACK, DELIVERY
from tests.flow.kitchen import FLOW

SHIPPED = Path(__file__).parents[2] / "flows"


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    path = tmp_path_factory.mktemp("flows") / "kitchen.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


@pytest.fixture
def call(kitchen):
    return Simulation(kitchen, kitchen.bind({"name": "Asha"}))


def test_a_call_from_the_first_prompt_to_the_result(call):
    assert call.begin() == ["[ask]", "server: Hello Asha, one for good, two for bad."]
    assert call.feed("yes") == [
        "    good (affirm)",
        '        answer = "good"',
        "[when]",
        "server: In how many minutes?",
    ]
    assert call.feed("20") == [
        "    next (keys)",
        "        minutes = 20",
        "[thanks]",
        "server: Thank you, twenty minutes.",
        "    next",
        "[report]",
        '    request report {"answer": "good", "minutes": 20}',
        "    next (background)",
        "[bye]",
        "call over: normal",
        'result: {"answer": "good", "minutes": 20}',
    ]
    assert call.over
    assert call.feed("1") == []


@pytest.mark.parametrize("silence", ["", ".", "  "])
def test_silence_lets_time_pass_until_something_is_said(call, silence):
    call.begin()
    assert call.feed(silence) == ["server: Sorry, good or bad?"]
    assert call.feed(silence)[0] == "    otherwise (no-input)"


def test_speech_that_nobody_understands_is_asked_again(call):
    call.begin()
    assert call.feed("what a fine day") == ["server: Sorry, good or bad?"]


def test_keys_go_through_several_steps_at_once(call):
    call.begin()
    assert "server: Thank you, twenty minutes." in call.feed("120#")


def test_a_request_waits_for_its_answer(call):
    call.begin()
    asked = ["    bad (2)", '        answer = "bad"', "[lookup]", '    request status {"name": "Asha"}']
    assert call.feed("2")[:4] == asked
    assert call.feed("/reply {") == [
        "(this is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"
    ]
    assert "server: It is ready." in call.feed('/reply {"order": {"state": "ready"}}')


@pytest.mark.parametrize("line", ["/fail", "/fail 503", "."])
def test_a_request_that_fails_or_stays_without_answer(call, line):
    call.begin()
    call.feed("2")
    assert "server: We cannot say." in call.feed(line)


def test_a_transfer_waits_for_its_outcome(call):
    call.begin()
    assert call.feed("5")[-2:] == [
        "    transfer to +911234567890",
        "(/transfer done, busy, no_answer or failed)",
    ]
    assert call.feed("hello") == ["(nobody listens for speech here)"]
    assert call.feed("/transfer gone") == ["(a transfer goes done, busy, no_answer, failed)"]
    assert "server: We cannot say." in call.feed("/transfer busy")


def test_hanging_up(call):
    call.begin()
    lines = call.feed("/hangup")
    assert lines[-2:] == ["call over: hangup", 'result: {"answer": "unknown", "minutes": null}']


def test_commands_that_do_not_fit(call):
    call.begin()
    assert call.feed("/reply") == ["(no request is awaited)"]
    assert call.feed("/fail") == ["(no request is awaited)"]
    assert call.feed("/transfer busy") == ["(no transfer is under way)"]
    assert call.feed("/quit") == ["there is no /quit", *HELP]
    assert call.feed("/help") == list(HELP)
    assert call.feed("/result") == ['{"answer": "unknown", "minutes": null}']


LINES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["1", "2", "5", "120#", "yes", "no", ".", "/hangup", "/reply {}", "/fail", "/transfer done"]
    ),
)


@given(st.lists(LINES, max_size=12))
def test_any_lines_may_be_typed_and_the_call_ends(kitchen, lines):
    call = Simulation(kitchen, kitchen.bind({"name": "Asha"}))
    call.begin()
    for line in lines:
        call.feed(line)
    for _ in range(30):
        call.feed(".")
    assert call.over


def test_the_command_takes_sample_values_from_the_scenarios():
    out = StringIO()
    assert run(SHIPPED / "vendor_order.yaml", lines=["1", "20#"], out=out) == 0
    assert "server: नमस्ते शर्मा भोजनालय।" in out.getvalue()
    assert out.getvalue().endswith('result: {"decision": "accepted", "eta": 20, "reason": null}\n')


def test_the_command_takes_values_and_the_language():
    out = StringIO()
    params = {"rider": "Ravi", "distance_km": "7", "fee": "80.50"}
    assert run(SHIPPED / "rider_assignment.yaml", params, "en", lines=["no"], out=out) == 0
    assert "Hello Ravi." in out.getvalue()
    assert "distance seven kilometres, fee eighty rupees and fifty paise" in out.getvalue()
    assert '"decision": "rejected"' in out.getvalue()


def test_the_caller_hangs_up_when_the_lines_end():
    out = StringIO()
    assert run(SHIPPED / "vendor_order.yaml", lines=[], out=out) == 0
    assert "call over: hangup" in out.getvalue()


def test_the_command_names_bad_values():
    out = StringIO()
    assert run(SHIPPED / "vendor_order.yaml", {"order": "x", "colour": "red"}, out=out, lines=[]) == 1
    assert out.getvalue().splitlines()[0] == "order must be 1 to 64 digits, in quotes"
    assert "colour is not a parameter of vendor-order" in out.getvalue()


def test_the_command_tells_what_is_wrong_with_the_flow(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("flow: x\n")
    out = StringIO()
    assert run(path, out=out, lines=[]) == 1
    assert f"{path}:1:1:" in out.getvalue()


def test_the_last_line_is_taken_back(call):
    begin = call.begin()
    good = call.feed("1")
    call.feed("20#")
    assert call.over
    assert call.feed("/back") == ["(back to before: 20#)", *good]
    assert not call.over
    assert call.feed("/back") == ["(back to before: 1)", *begin]
    assert call.feed("/back") == ["(this is the beginning of the call)"]
    assert call.feed("2")[0] == "    bad (2)"


def test_looking_at_the_call_is_no_line_to_take_back(call):
    call.begin()
    call.feed("1")
    for line in ("/state", "/result", "/help", "/nothing"):
        call.feed(line)
    assert call.feed("/back")[0] == "(back to before: 1)"


@given(
    st.lists(
        st.sampled_from(["1", "2", "5", "20#", "yes", "", "/fail", "/transfer busy", "/hangup"]), max_size=6
    )
)
def test_going_back_and_on_again_is_the_same_call(kitchen, lines):
    straight = Simulation(kitchen, kitchen.bind({"name": "Asha"}))
    zigzag = Simulation(kitchen, kitchen.bind({"name": "Asha"}))
    assert straight.begin() == zigzag.begin()
    for line in lines:
        first = zigzag.feed(line)
        if not straight.over:
            zigzag.feed("/back")
            assert zigzag.feed(line) == first
        assert straight.feed(line) == first
        assert straight.feed("/state") == zigzag.feed("/state")


def test_the_state_of_the_call(call):
    call.begin()
    call.feed("1")
    head, *values = call.feed("/state")
    assert head.startswith("[when] ")
    assert head.endswith(" s into the call, in en")
    assert values == [
        '    name = "Asha"', '    state = "unknown"', '    answer = "good"', "    minutes = null",
    ]  # fmt: skip


def test_a_call_that_is_over_can_be_taken_up_again():
    out = StringIO()
    lines = ["2", "दुकान बंद", "/back", "/back", "1", "20#", "too late"]
    assert run(SHIPPED / "vendor_order.yaml", lines=lines, out=out) == 0
    assert out.getvalue().count("call over") == 2
    assert out.getvalue().endswith('result: {"decision": "accepted", "eta": 20, "reason": null}\n')


@pytest.fixture
def helpline():
    return Simulation(load_flow(Path(__file__).parent / "helpline.yaml"), {})


def test_what_is_written_after_the_beep_is_a_message(helpline):
    assert helpline.begin() == [
        "[complaint]",
        "server: Speak after the tone.",
        "server: [beep]",
        "(write what is said; a pause (.) or the end key ends it)",
    ]
    assert helpline.feed("my order has not come yet") == []
    assert helpline.feed("5") == []
    assert helpline.feed("and it is late") == []
    assert helpline.feed(".")[:3] == ["    next (silence)", '        message = "complaint"', "[noted]"]
    assert helpline.over


def test_the_end_key_ends_a_message_at_once(helpline):
    helpline.begin()
    helpline.feed("hello")
    assert helpline.feed("#")[0] == "    next (key)"


def test_a_pause_without_a_word_is_no_message(helpline):
    helpline.begin()
    assert helpline.feed("")[:2] == ["    otherwise (silence)", "[again]"]


def test_consent_is_shown_as_it_is_stored():
    flow = load_flow(DELIVERY)
    call = Simulation(flow, flow.bind({"shop": "Sharma", "language": "en"}))
    assert "    consent to recording given" in call.begin()
    assert "    consent to whatsapp-offers refused" in call.feed("no")


@pytest.fixture
def callback():
    flow = load_flow(CALLBACK)
    return Simulation(flow, flow.bind({"shop": "Sharma"}))


def test_a_machine_answers(callback):
    assert callback.begin()[-1] == "(who answers? /answered human, machine or unknown; a key is a human)"
    assert callback.feed("/answered nobody") == ["(a call is answered by human, machine, unknown)"]
    assert callback.feed("/answered machine") == ['        answered_by = "machine"']
    lines = callback.feed(".")
    assert lines[0] == "server: This is Sharma. Please call back."
    assert "call over: normal" in lines


def test_a_key_is_a_human(callback):
    callback.begin()
    assert '        answered_by = "human"' in callback.feed("1")
    assert callback.feed("/answered human") == []
