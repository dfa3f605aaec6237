"""The virtual call and the player of scenarios, each by itself."""

import pytest

from ivr.flow.notices import (
    Entered,
    LeftBy,
    Listens,
    Over,
    Quiet,
    Requested,
    SpeechOver,
    Spoke,
    TransferAsked,
)
from ivr.flow.protocol import Transferred
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
from ivr.flow.scenario_player import (
    KEY_GAP_S,
    PATIENCE_S,
    Answer,
    HangUpNow,
    Player,
    PressKey,
    Refuse,
    SettleTransfer,
    Speak,
)
from ivr.flow.scenarios import Scenario
from ivr.flow.timing import SPEAKING_RATE
from ivr.flow.virtual_call import UTTERANCE_S, VirtualCall
from tests.flow.kitchen import write

GREETING = "Hello Asha, one for good, two for bad."


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    return write(tmp_path_factory.mktemp("flows"), "- {name: a, steps: []}").flow


@pytest.fixture
def call(kitchen):
    return VirtualCall(kitchen, kitchen.bind({"name": "Asha"}))


# --- the virtual call


def test_a_prompt_lasts_as_long_as_it_is_spoken(call):
    assert call.start() == [Entered("ask"), Spoke(GREETING), Listens(True)]
    assert call.speaking
    assert call.due == pytest.approx(len(GREETING) / SPEAKING_RATE)
    assert call.advance(call.due) == [Quiet()]
    assert not call.speaking


def test_time_passes_where_nothing_happens(call):
    call.start()
    assert call.advance(0.5) == []
    assert call.now == 0.5
    assert call.speaking


def test_a_key_cuts_the_prompt(call):
    call.start()
    assert call.press("1") == [
        Quiet(), Listens(False), LeftBy("ask", "good", "1"), Entered("when"), Spoke("In how many minutes?"),
        Listens(True),
    ]  # fmt: skip
    assert call.due == pytest.approx(len("In how many minutes?") / SPEAKING_RATE)


def test_speech_is_heard_once_it_is_over(call):
    call.start()
    assert call.say("yes") == [Quiet()]
    assert call.hearing
    assert call.due == UTTERANCE_S
    notices = call.advance(10.0)
    assert notices[-1] == SpeechOver()
    assert LeftBy("ask", "good", "affirm") in notices
    assert call.now == UTTERANCE_S


def test_a_key_drops_speech_under_way(call):
    call.start()
    call.say("no")
    assert SpeechOver() in call.press("1")
    assert not call.hearing
    assert call.machine.step == "when"


def test_speech_is_lost_where_nobody_listens(call):
    call.start()
    call.press("5")
    assert call.say("hello") == []
    assert not call.hearing


def test_what_is_not_under_way_cannot_be_settled(call):
    call.start()
    assert call.reply(200, {}) == []
    assert call.fail_request("late") == []
    assert call.settle_transfer(Transferred("busy")) == []


def test_hanging_up_ends_the_call_silently(call):
    call.start()
    notices = call.hang_up()
    assert not any(isinstance(notice, Spoke) for notice in notices)
    assert notices[-1] == Over({"answer": "unknown", "minutes": None}, "hangup")
    assert call.over == notices[-1]
    assert call.due is None


# --- the player: what a transport tells it, and what it wants done


def player(*acts):
    steps = tuple(Step(act, line) for line, act in enumerate(acts, start=1))
    playing = Player(Scenario("it", 1, {}, steps, None, None, None), "en")
    playing.begin(0.0)
    return playing


def test_keys_are_pressed_one_after_the_other():
    playing = player(Hears("hello"), Presses("20#"))
    assert playing.notice(Entered("ask"), 0.1) == []
    assert playing.notice(Spoke("Hello Asha"), 1.0) == [PressKey("2")]
    assert playing.due == 1.0 + KEY_GAP_S
    assert playing.tick(1.1) == []
    assert playing.tick(1.0 + KEY_GAP_S) == [PressKey("0")]
    assert playing.tick(1.0 + 2 * KEY_GAP_S) == [PressKey("#")]
    assert playing.due is None
    assert playing.finish() is not None  # the call is not over yet


def test_a_text_may_be_spread_over_what_is_said_next():
    playing = player(Hears("one"), Hears("three"), HangsUp())
    assert playing.notice(Spoke("One two"), 1.0) == []
    assert playing.notice(Quiet(), 2.0) == []
    assert playing.notice(Spoke("three"), 2.1) == [HangUpNow()]


def test_to_the_end_waits_for_quiet():
    playing = player(Hears("hello", to_end=True), Presses("1"))
    assert playing.notice(Spoke("Hello Asha"), 1.0) == []
    assert playing.due is None  # while the server speaks nothing is given up
    assert playing.notice(Quiet(), 3.0) == [PressKey("1")]


def test_patience_counts_from_the_last_sign_of_life():
    playing = player(Hears("hello"))
    playing.notice(Spoke("One moment"), 1.0)
    playing.notice(Quiet(), 2.0)
    assert playing.due == 2.0 + PATIENCE_S
    assert playing.tick(4.9) == []
    assert playing.failure is None
    playing.tick(5.0)
    assert playing.failure.message == 'hears "hello": heard instead: "One moment"'


def test_speech_waits_until_it_is_listened_for_and_until_it_is_over():
    playing = player(Says("yes"), HangsUp())
    assert playing.notice(Spoke("Hello"), 1.0) == []
    assert playing.notice(Listens(True), 1.1) == [Speak("yes")]
    assert playing.notice(Quiet(), 1.2) == []
    assert playing.notice(SpeechOver(), 2.5) == [HangUpNow()]


def test_silence_lasts_and_ends_with_the_call():
    playing = player(Silence(5.0), Presses("1"))
    playing.notice(Entered("ask"), 0.0)
    assert playing.due == 5.0
    assert playing.tick(5.0) == [PressKey("1")]
    playing = player(Silence(5.0))
    playing.notice(Over({}, "normal"), 1.0)
    assert playing.finish() is None


@pytest.mark.parametrize(
    ("act", "notice", "action"),
    [
        (Replies(200, {"a": 1}), Requested("status", None, awaited=True), Answer(200, {"a": 1})),
        (Fails("late"), Requested("status", None, awaited=True), Refuse("late")),
        (TransferGoes("busy"), TransferAsked("desk", {}), SettleTransfer("busy")),
        (TransferGoes("done", "desk"), TransferAsked("desk", {}), SettleTransfer("done")),
    ],
)
def test_the_world_answers_what_is_asked(act, notice, action):
    playing = player(act)
    assert playing.notice(Entered("x"), 1.0) == []
    assert playing.notice(notice, 1.1) == [action]


def test_a_request_in_the_background_has_no_answer():
    playing = player(Sends("report", {"a": 1}), Replies(200, None))
    assert playing.notice(Requested("report", {"a": 1, "b": 2}, awaited=False), 1.0) == []
    playing.tick(1.0 + PATIENCE_S)
    assert playing.failure.message == "replies 200: no request is awaited"


def test_a_step_left_takes_its_request_with_it():
    playing = player(Hears("late"), Replies(200, None))
    playing.notice(Requested("status", None, awaited=True), 1.0)
    playing.notice(LeftBy("lookup", "otherwise", "timeout"), 3.0)
    playing.notice(Entered("sorry"), 3.0)
    assert playing.notice(Spoke("Too late"), 3.0) == []
    playing.notice(Quiet(), 4.0)
    playing.tick(7.0)
    assert playing.failure.message == "replies 200: no request is awaited"
