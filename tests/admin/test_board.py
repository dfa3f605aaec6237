"""What changed of the live calls since somebody looked."""

from __future__ import annotations

import random

import pytest

from ivr.admin import board as board_module
from ivr.admin.board import CallBoard, LiveCall
from ivr.admin.lines import line_of
from ivr.admin.sse import ServerEvent, SseReader


def call(call_id: str, **told: object) -> LiveCall:
    return LiveCall(call_id, flow="vendor-order", **told)  # type: ignore[arg-type]


def test_who_looks_first_gets_all_and_then_only_what_changed() -> None:
    board = CallBoard()
    for name in "abc":
        board.began(call(name))
    first = board.since(-1)
    assert first.whole
    assert [row.id for row in first.rows] == ["a", "b", "c"]
    board.happened("b", "step", {"step": "minutes"}, 10.0)
    board.ended("a")
    board.began(call("d"))
    second = board.since(first.version)
    assert not second.whole
    assert [(row.id, row.step) for row in second.rows] == [("b", "minutes"), ("d", "")]
    assert second.ended == ("a",)
    third = board.since(second.version)
    assert (third.rows, third.ended, third.whole) == ((), (), False)


def test_the_events_of_a_call_are_what_is_seen_of_it() -> None:
    board = CallBoard()
    board.began(call("a", since=1.0))
    for at, kind, data in (
        (1.0, "ringing", {"early_media": False}),
        (2.0, "answered", {"codec": "PCMA"}),
        (2.1, "step", {"step": "offer"}),
        (2.2, "prompt", {"text": "लेना है तो एक दबाएँ"}),
        (3.0, "prompt_cut", {"after_ms": 800}),
        (3.1, "heard", {"text": "हाँ"}),
        (3.3, "turn", {"language": "mr"}),
        (4.0, "step", {"step": "ask", "flow": "sub"}),
        (5.0, "queued", {"place": 2}),
    ):
        board.happened("a", kind, data, at)
    seen = board.call("a")
    assert seen is not None
    assert (seen.state, seen.answered_at, seen.step, seen.language) == ("answered", 2.0, "sub/ask", "mr")
    assert (seen.said, seen.heard, seen.queued) == ("लेना है तो एक दबाएँ", "हाँ", 2)
    said = next(line for line in seen.lines if line.side == "server")
    assert said.cut_ms == 800
    board.happened("a", "connected", {"to": "+911"}, 6.0)
    assert (seen.agent, seen.queued) == ("+911", None)


def test_of_a_call_that_is_not_known_nothing_is_taken() -> None:
    board = CallBoard()
    board.happened("ghost", "step", {"step": "x"}, 1.0)
    board.ended("ghost")
    assert len(board) == 0
    assert board.version == 0


def test_a_list_of_all_corrects_what_was_missed_and_changes_nothing_else() -> None:
    board = CallBoard()
    for name in "abc":
        board.began(call(name))
    board.happened("a", "prompt", {"text": "one"}, 1.0)
    version = board.version
    board.replace([call("a", said="one"), call("c", step="new"), call("d")])
    changes = board.since(version)
    assert {row.id for row in changes.rows} == {"c", "d"}
    assert changes.ended == ("b",)
    kept = board.call("a")
    assert kept is not None
    assert [line.text for line in kept.lines] == ["one"]


def test_a_page_that_was_away_too_long_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "ENDED", 3)
    board = CallBoard()
    board.began(call("stays"))
    seen = board.version
    for number in range(5):
        board.began(call(str(number)))
        board.ended(str(number))
    changes = board.since(seen)
    assert changes.whole
    assert [row.id for row in changes.rows] == ["stays"]


def test_whatever_happens_what_is_sent_adds_up_to_what_is() -> None:
    """Many calls, looked at now and then: the page's own picture is the board's."""
    chance = random.Random(7)
    board, shown, version = CallBoard(), dict[str, LiveCall](), -1
    for number in range(3000):
        known = [each.id for each in board.calls()]
        match chance.randrange(4):
            case 0:
                board.began(call(f"c{number}"))
            case 1 if known:
                board.ended(chance.choice(known))
            case _ if known:
                board.happened(chance.choice(known), "step", {"step": f"s{number}"}, float(number))
        if chance.random() < 0.1:
            changes = board.since(version)
            if changes.whole:
                shown = {}
            for gone in changes.ended:
                shown.pop(gone, None)
            shown.update((row.id, row) for row in changes.rows)
            version = changes.version
            assert shown == {each.id: each for each in board.calls()}


def test_a_line_for_what_a_reader_wants_to_see() -> None:
    heard = line_of("heard", {"text": None}, 1.0)
    assert heard is not None
    assert heard.text == "(not understood)"
    assert line_of("prompt", {}, 1.0) is not None  # of an erased call
    assert line_of("speech_began", {}, 1.0) is None
    failed = line_of("request_failed", {"reason": "503 {x}"}, 1.0)
    assert failed is not None
    assert failed.text == "a request failed: 503 {x}"


@pytest.mark.parametrize(
    ("lines", "events"),
    [
        (["data: one", ""], [ServerEvent("message", "one")]),
        (["event: load", "id: r-7", "data: {", "data: }", ""], [ServerEvent("load", "{\n}", "r-7")]),
        ([": still here", "", "", "event: x", ""], []),
        (["data:one", "data", "", "retry: 2000", "what: x", ""], [ServerEvent("message", "one\n")]),
        (
            ["id: a", "data: 1", "", "data: 2", ""],
            [ServerEvent("message", "1", "a"), ServerEvent("message", "2", "a")],
        ),
    ],
)
def test_events_are_read_as_the_standard_says(lines: list[str], events: list[ServerEvent]) -> None:
    reader = SseReader()
    assert [event for line in lines if (event := reader.take(line)) is not None] == events
