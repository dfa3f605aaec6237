from pathlib import Path

import pytest

from ivr.phone.script import (
    HangUp,
    Hear,
    HungUp,
    PlayFile,
    Press,
    Quiet,
    Say,
    ScriptError,
    Wait,
    load_script,
    parse_duration,
    parse_script,
)

WHOLE = """\
# a caller who orders
- hear: 10s
- press: "1"
- quiet: 800ms
- press: 20#
- say: "नहीं"
- play: answer.wav
- wait: 2s
- hear
- quiet
- hung_up: 1m
- hang_up
"""


def test_a_whole_script() -> None:
    assert parse_script(WHOLE, Path("calls/order.yaml")) == (
        Hear(10.0),
        Press("1"),
        Quiet(0.8),
        Press("20#"),
        Say("नहीं"),
        PlayFile(Path("calls/answer.wav")),
        Wait(2.0),
        Hear(),
        Quiet(),
        HungUp(60.0),
        HangUp(),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("press: 1", "a script is a list"),
        ("- shout: hi", "x.yaml:1: shout: is no verb"),
        ("- hear\n- press: 1x", "x.yaml:2: press: '1X' are no keys"),
        ("- press", "x.yaml:1: press: needs a value"),
        ("- wait: 2", "'2' is no duration"),
        ("- wait: 61m", "longer than an hour"),
        ("- hang_up: now", "takes no value"),
        ("- say: ''", "needs a value"),
        ("- {say: a, press: 1}", "x.yaml:1: a step is one verb"),
        ("- say: [a]", "x.yaml:1: a step is one verb"),
        ("- 'open", "x.yaml"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError) as error:
        parse_script(text, Path("x.yaml"))
    assert complaint in str(error.value)


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"none\.yaml"):
        load_script(tmp_path / "none.yaml")


@pytest.mark.parametrize(("text", "seconds"), [("800ms", 0.8), ("1.5s", 1.5), ("2m", 120.0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
