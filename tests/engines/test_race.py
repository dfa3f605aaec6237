"""Who is asked, when, who wins and who is dropped: a walk through each rule, and what must always hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.breaker import BreakerState
from engines.contract import Passed, Reason
from engines.routing.board import Board
from engines.routing.race import Ask, Command, Drop, Lost, Race, Timing, Won

KEYS = ("best", "second", "last")
TIMING = Timing(hedge_s=0.3, deadline_s=1.2, ahead_s=10.0)


def race(board: Board | None = None, keys: tuple[str, ...] = KEYS, timing: Timing = TIMING) -> Race:
    return Race(keys, board or Board(), timing)


def test_the_first_choice_answers_and_nobody_else_is_asked() -> None:
    one = race()
    assert one.begin(0.0) == [Ask(0)]
    assert one.due == 0.3
    assert one.answered(0, 0.2) == [Won(0)]
    assert one.due is None
    one.finished()
    assert one.over
    assert one.passed == ()


def test_one_that_is_late_gets_the_next_beside_it_and_the_first_to_answer_wins() -> None:
    one = race()
    one.begin(0.0)
    assert one.tick(0.3) == [Ask(1)]
    assert one.tick(0.6) == [Ask(2)]
    assert one.answered(1, 0.7) == [Drop(0), Drop(2), Won(1)]
    assert one.passed == (Passed("best", Reason.LATE),), "the last was not late: it was asked after"
    assert one.answered(0, 0.8) == [], "too late"


def test_one_that_is_late_may_still_win() -> None:
    one = race()
    one.begin(0.0)
    one.tick(0.3)
    assert one.answered(0, 0.35) == [Drop(1), Won(0)]
    assert one.passed == ()


def test_a_failure_asks_the_next_at_once() -> None:
    one = race()
    one.begin(0.0)
    assert one.failed(0, 0.1, "out of memory") == [Ask(1)]
    assert one.failed(1, 0.2) == [Ask(2)]
    assert one.failed(2, 0.3) == [Lost()]
    assert one.over
    assert one.passed[0] == Passed("best", Reason.ERROR, "out of memory")


def test_the_failure_of_one_that_was_hedged_asks_nobody_more() -> None:
    one = race()
    one.begin(0.0)
    one.tick(0.3)
    assert one.failed(0, 0.35) == []
    assert one.tick(0.6) == [Ask(2)]


def test_a_winner_that_breaks_off_is_followed_by_the_next() -> None:
    one = race()
    one.begin(0.0)
    one.answered(0, 0.1)
    assert one.failed(0, 5.0, "the worker died") == [Ask(1)]
    assert one.due == 5.3
    assert one.answered(1, 5.2) == [Won(1)]
    assert one.stalled(1, 9.0) == [Drop(1), Ask(2)]


def test_one_that_was_dropped_unblamed_is_asked_when_the_winner_breaks_off() -> None:
    one = race(keys=("best", "last"))
    one.begin(0.0)
    assert one.tick(0.3) == [Ask(1)]
    assert one.answered(0, 0.31) == [Drop(1), Won(0)]
    assert one.failed(0, 2.0) == [Ask(1)]


def test_the_deadline_ends_it() -> None:
    one = race(keys=("only",))
    one.begin(0.0)
    assert one.due == 1.2
    assert one.tick(1.2) == [Drop(0), Lost()]
    assert one.passed == (Passed("only", Reason.LATE),)


def test_in_a_long_chain_the_last_still_has_its_time() -> None:
    keys = ("a", "b", "c", "d", "e", "f", "g")
    one = race(keys=keys)
    assert one.begin(0.0) == [Ask(0)]
    asked = 1
    while asked < len(keys):
        assert one.due is not None
        asked += len(one.tick(one.due))
    assert abs(one.asked_at(len(keys) - 1) - 0.75 * TIMING.deadline_s) < 1e-6


def test_three_in_a_row_open_its_breaker_and_one_may_try_after_a_while() -> None:
    board = Board()
    for at in (0.0, 10.0, 20.0):
        one = race(board)
        one.begin(at)
        one.tick(at + 0.3)
        one.answered(1, at + 0.4)
        one.finished()
    assert board.state("best", 20.5) is BreakerState.OPEN
    one = race(board)
    assert one.begin(20.5) == [Ask(1)]
    assert one.passed == (Passed("best", Reason.OPEN),)
    assert board.state("best", 30.0) is BreakerState.HALF_OPEN
    trial, beside = race(board), race(board)
    assert trial.begin(30.0) == [Ask(0)]
    assert beside.begin(30.0) == [Ask(1)], "one at a time"
    trial.answered(0, 30.1)
    trial.finished()
    assert board.state("best", 30.2) is BreakerState.CLOSED


def test_a_trial_that_is_not_wanted_any_more_lets_the_next_try() -> None:
    board = Board()
    for _ in range(3):
        board.failed("best", 0.0)
    one = race(board)
    assert one.begin(10.0) == [Ask(0)]
    assert one.abandon() == [Drop(0)]
    assert race(board).begin(10.0) == [Ask(0)]


def test_a_refusal_at_once_is_not_counted() -> None:
    board = Board()
    for at in range(5):
        one = race(board)
        one.begin(float(at))
        assert one.failed(0, at + 0.001, "best is starting", refused=True) == [Ask(1)]
        assert one.passed == (Passed("best", Reason.DOWN, "best is starting"),)
    assert board.state("best", 5.0) is BreakerState.CLOSED


def test_the_last_is_asked_whatever_its_breaker_says() -> None:
    board = Board()
    for key in KEYS:
        for _ in range(3):
            board.failed(key, 0.0)
    one = race(board)
    assert one.begin(0.1) == [Ask(2)]
    assert one.failed(2, 0.2) == [Ask(0)], "better one that failed of late than none"
    assert one.failed(0, 0.3) == [Ask(1)]
    assert one.failed(1, 0.4) == [Lost()]


def test_what_is_made_ahead_has_time_until_somebody_waits() -> None:
    one = race()
    one.begin(0.0, urgent=False)
    assert one.due is not None
    assert one.due > 3.0
    one.hurry(2.0)
    assert one.due == 2.3
    assert one.tick(2.3) == [Ask(1)]


def test_an_empty_answer_waits_for_a_better_one() -> None:
    one = race()
    one.begin(0.0)
    one.tick(0.3)
    assert one.answered(1, 0.35, weak=True) == []
    assert one.answered(0, 0.4) == [Won(0)]
    assert one.passed == ()


def test_an_empty_answer_wins_when_no_better_one_comes() -> None:
    late, broken, first = race(), race(), race()
    for one in (late, broken):
        one.begin(0.0)
        one.tick(0.3)
        one.answered(1, 0.35, weak=True)
    assert broken.failed(0, 0.4) == [Won(1)]
    assert late.tick(1.2) == [Drop(0), Won(1)]
    first.begin(0.0)
    assert first.answered(0, 0.1, weak=True) == [Won(0)]


# --- what always holds

_ACTS = st.lists(
    st.tuples(
        st.sampled_from(("answered", "weak", "failed", "stalled", "tick", "wait", "hurry", "finished")),
        st.integers(0, 3),
        st.floats(0.0, 0.6),
    ),
    max_size=40,
)


class Bench:
    """Carries out commands as a shell does, and complains of what no shell could."""

    def __init__(self, links: int, opened: set[int]) -> None:
        keys = [str(link) for link in range(links)]
        self.board = Board()
        for link in opened:
            for _ in range(3):
                self.board.failed(str(link), 0.0)
        self.race = Race(keys, self.board, TIMING)
        self.working: set[int] = set()
        self.held: set[int] = set()
        """These have said all, and it was nothing."""
        self.lost = False

    def do(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Ask(link=link):
                    assert link not in self.working, "asked twice at once"
                    assert self.race.winner is None
                    self.working.add(link)
                case Drop(link=link):
                    self.working.remove(link)
                case Won(link=link):
                    assert self.working | self.held >= {link}
                    assert self.working <= {link}, "whoever has not won is dropped"
                    self.working, self.held = {link}, set()
                case Lost():
                    assert not self.working
                    self.lost = True


@given(links=st.integers(1, 4), opened=st.sets(st.integers(0, 3)), urgent=st.booleans(), acts=_ACTS)
def test_never_two_winners_and_losers_are_always_dropped(
    links: int, opened: set[int], urgent: bool, acts: list[tuple[str, int, float]]
) -> None:
    bench = Bench(links, {link for link in opened if link < links})
    one, now = bench.race, 1.0
    bench.do(one.begin(now, urgent=urgent))
    for act, link, passes in acts:
        link %= links
        now += passes
        working = link in bench.working
        if act in ("answered", "weak") and working and one.winner != link:
            commands = one.answered(link, now, weak=act == "weak")
            if act == "weak" and not commands:
                bench.working.remove(link)
                bench.held.add(link)
            bench.do(commands)
        elif act == "failed" and working:
            bench.working.discard(link)
            bench.do(one.failed(link, now))
        elif act == "stalled" and one.winner is not None:
            bench.do(one.stalled(one.winner, now))
        elif act == "tick" and one.due is not None:
            now = max(now, one.due)
            bench.do(one.tick(now))
        elif act == "hurry":
            one.hurry(now)
        elif act == "finished" and one.winner is not None:
            one.finished()
            bench.working.clear()
    bench.do(one.abandon())
    assert not bench.working
    assert one.over


@given(
    links=st.integers(1, 5),
    opened=st.sets(st.integers(0, 4)),
    fails=st.lists(st.floats(0.0, 2.0), max_size=5),
)
def test_when_the_last_answers_there_is_an_answer_in_time(
    links: int, opened: set[int], fails: list[float]
) -> None:
    """Whatever the others do (fail after some time, or hang), and whatever the breakers say."""
    bench = Bench(links, {link for link in opened if link < links})
    one, last = bench.race, links - 1
    ends = {link: 1.0 + after for link, after in enumerate(fails) if link < last}
    asked = set[int]()
    bench.do(one.begin(1.0))
    while one.winner is None:
        asked |= bench.working
        if last in bench.working:
            bench.do(one.answered(last, one.asked_at(last) + 0.01))
            break
        assert one.due is not None
        due = [link for link in bench.working if ends.get(link, 99.0) <= one.due]
        if due:
            link = min(due, key=lambda each: ends[each])
            bench.working.remove(link)
            bench.do(one.failed(link, max(ends[link], one.asked_at(link))))
        else:
            bench.do(one.tick(one.due))
    assert one.winner == last
    assert not bench.lost
    assert one.asked_at(last) - 1.0 <= 0.75 * TIMING.deadline_s + 1e-6
