"""What stands in a page is what was said, and never markup of somebody else's."""

from __future__ import annotations

import re

from ivr.admin.lines import Line
from ivr.admin.login_page import login_page
from ivr.admin.markup import Cell, bars, duration, facts, local_time, sparkline, table, talk, turn
from ivr.waterfall import About, Stage, TurnTimes

EVIL = "<img src=x onerror=alert(1)>\"'&"
TAGS = re.compile(r"<(?:img|script)")


def test_nothing_that_was_said_becomes_markup() -> None:
    times = TurnTimes(
        1, About(EVIL, "menu", "hi"), {Stage.KEY: 0.0, Stage.FIRST_PACKET: 0.1}, {Stage.FIRST_PACKET: EVIL}
    )
    shown = "".join(
        (
            table([EVIL], [[EVIL, Cell(EVIL, href=EVIL, tone=EVIL, classes=EVIL)]], EVIL),
            facts([(EVIL, EVIL), ("x", Cell(EVIL))]),
            talk([Line(1.0, "caller", EVIL), Line(1.0, "note", EVIL)], 0.0, seek=True),
            talk([], 0.0, empty=EVIL),
            bars({EVIL: 1}, EVIL),
            sparkline([1.0, 2.0], EVIL),
            turn(times),
            login_page("token", EVIL, EVIL, EVIL),
        )
    )
    assert TAGS.search(shown) is None
    assert "onerror" in shown  # it is there, as text
    assert EVIL not in shown


def test_a_line_says_when_it_was_and_where_to_seek() -> None:
    lines = [
        Line(100.0, "note", "answered"),
        Line(107.25, "caller", "हाँ"),
        Line(109.0, "server", "धन्यवाद", 400),
    ]
    shown = talk(lines, 100.0, seek=True)
    assert 'data-seek="7.25"' in shown
    assert shown.count("data-seek") == 2  # notes are no sound
    assert "broken off after 0.4 s" in shown
    assert "data-seek" not in talk(lines, 100.0)


def test_times() -> None:
    assert [duration(s) for s in (None, 0, 67.9, 3723)] == ["–", "0:00", "1:07", "1:02:03"]
    assert "2027-01-15 08:00:00" in local_time(1_800_000_000.0)
    assert local_time(None) == "–"
